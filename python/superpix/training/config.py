"""Settings of a training run: dataclasses that a YAML file changes."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


class ConfigError(Exception):
    """A setting that there is not, or a value that it cannot have."""


def read_config(kind: type[T], path: Path | None, changes: Mapping[str, Any] | None = None) -> T:
    """Return settings: the defaults, changed by a YAML file, changed by ``changes``.

    Raises
    ------
    ConfigError
        The file cannot be read, a key is unknown, or a value has the wrong type.
    """
    values: dict[str, Any] = {}
    if path is not None:
        values.update(_read_yaml(path))
    values.update(changes or {})
    where = str(path) if path is not None else "settings"
    hints = get_type_hints(kind)
    unknown = sorted(set(values) - set(hints))
    if unknown:
        raise ConfigError(
            f"{where}: no such setting: {', '.join(unknown)}; there are {', '.join(hints)}"
        )
    return kind(
        **{key: _checked(value, hints[key], f"{where}: {key}") for key, value in values.items()}
    )


def parse_changes(texts: list[str]) -> dict[str, Any]:
    """Return what texts like ``learning_rate=1e-3`` set, values being YAML."""
    import yaml

    changes = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"{text!r} must be KEY=VALUE")
        changes[key.strip()] = yaml.safe_load(value)
    return changes


def write_config(config: Any, path: Path) -> None:
    """Write settings as YAML."""
    import yaml

    values = {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in dataclasses.asdict(config).items()
    }
    path.write_text(yaml.safe_dump(values, sort_keys=False))


def _read_yaml(path: Path) -> dict[str, Any]:
    import yaml

    try:
        content = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: no YAML: {error}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: must hold KEY: VALUE lines, got {type(content).__name__}")
    return content


def _checked(value: Any, hint: Any, where: str) -> Any:
    """Return a value of the hinted type: whole numbers do for floats, and lists for tuples."""
    if get_origin(hint) in (Union, types.UnionType):
        if value is None and type(None) in get_args(hint):
            return None
        (hint,) = (part for part in get_args(hint) if part is not type(None))
    if get_origin(hint) is tuple:
        parts = get_args(hint)
        if isinstance(value, list | tuple) and Ellipsis in parts:
            return tuple(_checked(item, parts[0], where) for item in value)
        if isinstance(value, list | tuple) and len(value) == len(parts):
            return tuple(
                _checked(item, part, where) for item, part in zip(value, parts, strict=True)
            )
        raise ConfigError(f"{where} must be a list of {hint}, got {value!r}")
    if hint is float:
        # YAML takes 1e-4 for a text, as it lacks a point.
        if isinstance(value, int | float | str) and not isinstance(value, bool):
            try:
                return float(value)
            except ValueError:
                pass
    elif isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
        return value
    raise ConfigError(f"{where} must be {hint.__name__}, got {value!r}")
