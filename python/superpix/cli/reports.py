"""Tables and CSV files of `superpix evaluate`."""

import csv
import math
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from superpix.evaluation import SCORES, ImageRow, MatchRow, MeanRow


def write_csv(path: Path, rows: Sequence[ImageRow] | Sequence[MeanRow]) -> None:
    """Write rows under a header of their field names; scores with six decimals."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(rows[0])])
        writer.writeheader()
        writer.writerows(
            {name: _cell(value) for name, value in asdict(row).items()} for row in rows
        )


def write_matches(path: Path, rows: Sequence[MatchRow]) -> None:
    """Write the comparison at equal counts, differences included; blank where there is none."""
    with path.open("w", newline="", encoding="utf-8") as file:
        names = [field.name for field in fields(MatchRow)]
        writer = csv.DictWriter(file, [*names, "asa_gain", "br_gain"])
        writer.writeheader()
        for row in rows:
            cells = asdict(row) | {"asa_gain": row.asa_gain, "br_gain": row.br_gain}
            writer.writerow({name: _cell(value) for name, value in cells.items()})


def means_table(means: Sequence[MeanRow], title: str) -> Table:
    """Return the table of mean scores, a section for each method."""
    table = _table(title, "method", ("asked", "actual", *map(str.upper, SCORES), "ms"))
    for number, row in enumerate(means):
        scores = [f"{getattr(row, score):.4f}" for score in SCORES]
        table.add_row(
            row.method,
            str(row.requested),
            f"{row.superpixels:.1f}",
            *scores,
            f"{row.milliseconds:.1f}",
            end_section=_ends_method(means, number),
        )
    return table


def matches_table(matches: Sequence[MatchRow]) -> Table:
    """Return the table of differences at equal counts, a section for each peer."""
    reference = matches[0].reference
    table = _table(
        f"{reference} at equal actual counts",
        "peer",
        ("actual", "ASA", reference, "gain", "BR", reference, "gain"),
    )
    for number, row in enumerate(matches):
        table.add_row(
            row.method,
            f"{row.superpixels:.1f}",
            f"{row.asa:.4f}",
            _score(row.reference_asa),
            _gain(row.asa_gain),
            f"{row.br:.4f}",
            _score(row.reference_br),
            _gain(row.br_gain),
            end_section=_ends_method(matches, number),
        )
    return table


def _table(title: str, first: str, columns: Sequence[str]) -> Table:
    # Fits a terminal of 80 columns, which is also what rich takes a pipe for.
    table = Table(
        title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 0), pad_edge=False
    )
    table.add_column(first, overflow="fold")  # weights may have long paths; numbers stay whole
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _ends_method(rows: Sequence[MeanRow] | Sequence[MatchRow], number: int) -> bool:
    return number + 1 < len(rows) and rows[number + 1].method != rows[number].method


def _cell(value: object) -> object:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6f}"
    return value


def _score(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"


def _gain(value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"[{'green' if value >= 0 else 'red'}]{value:+.4f}[/]"
