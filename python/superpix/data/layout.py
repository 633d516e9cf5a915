"""Finding the folders and files of a data set."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from superpix.data.sample import DataError


def check_split(
    name: str, split: str, splits: Collection[str], raises: type[DataError] = DataError
) -> None:
    """Refuse a split that the data set does not have.

    Parameters
    ----------
    name, split : str
        What the data set is called, and the split asked for.
    splits : collection of str
        What there is.
    raises : type of DataError
        The error to raise.
    """
    if split not in splits:
        raise raises(f"{name} has no split {split!r}; choose one of {', '.join(splits)}")


def check_option(name: str, value: str, values: Collection[str]) -> None:
    """Raise ValueError for a value of the parameter `name` that is none of `values`."""
    if value not in values:
        raise ValueError(f"{name} must be one of {', '.join(values)}, got {value!r}")


def find_root(
    root: Path,
    below: Sequence[str],
    marker: str,
    layout: str,
    raises: type[DataError] = DataError,
) -> Path:
    """Find the folder of the data set at or below what people call so.

    Parameters
    ----------
    root : Path
        Where to look.
    below : sequence of str
        Folders below it to look in, "" for `root` itself.
    marker : str
        A path that is in the folder looked for.
    layout : str
        What the folder should hold, for the error.
    raises : type of DataError
        The error to raise where there is no such folder.

    Returns
    -------
    folder : Path
        The first that has the marker.
    """
    if not root.is_dir():
        raise raises(f"{root}: no such folder")
    for name in below:
        if (root / name / marker).exists():
            return root / name
    raise raises(f"{root}: not {layout} (looked in {', '.join(name or '.' for name in below)})")


def list_files(
    folder: Path, *endings: str, below: str = "", raises: type[DataError] = DataError
) -> list[Path]:
    """List the files of a data set.

    Parameters
    ----------
    folder : Path
        Where they are.
    *endings : str
        How their names end, in upper or lower case.
    below : str
        A pattern of folders between, as "*/".
    raises : type of DataError
        The error to raise where there is no such file.

    Returns
    -------
    paths : list of Path
        Sorted, without hidden files.
    """
    lower = tuple(ending.lower() for ending in endings)
    paths = sorted(
        path
        for path in folder.glob(f"{below}*")
        if path.name.lower().endswith(lower) and not path.name.startswith(".")
    )
    if not paths:
        raise raises(f"{folder}: holds no {' or '.join(endings)} files")
    return paths
