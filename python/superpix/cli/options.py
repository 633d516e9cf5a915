"""Checks of option values that several commands share."""

import math

import typer


def check_positive(value: float | None) -> float | None:
    """Refuse a number that is not above 0 and finite."""
    if value is not None and not (0 < value < math.inf):
        raise typer.BadParameter(f"must be a finite number above 0, got {value:g}")
    return value
