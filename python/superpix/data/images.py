"""Reading images and label maps that are stored as images."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from superpix.data.sample import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

# Pillow's modes with one integer for each pixel. In a palette it is the number of the colour.
_LABEL_MODES = ("1", "L", "P", "I", "I;16", "I;16B", "I;16L", "I;16N")


@contextmanager
def open_image(path: Path, raises: type[DataError] = DataError) -> Iterator[Image]:
    """Open an image, and turn what Pillow raises, then or when pixels are read, into `raises`."""
    try:
        from PIL import Image
    except ModuleNotFoundError as error:
        raise raises("reading images needs Pillow: pip install pillow") from error

    try:
        with Image.open(path) as picture:
            yield picture
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise raises(f"{path}: cannot be read as an image: {error}") from error


def read_image(path: Path, raises: type[DataError] = DataError) -> NDArray[np.uint8]:
    """Read a picture.

    Parameters
    ----------
    path : Path
        Any format that Pillow knows.
    raises : type of DataError
        The error to raise.

    Returns
    -------
    image : ndarray
        [H, W, 3] uint8, RGB.

    Raises
    ------
    DataError
        If the file is missing or broken, or has more than 8 bits in its one channel.
    """
    with open_image(path, raises) as picture:
        if picture.mode[0] in "IF":
            raise raises(
                f"{path}: expected an image of 8 bits a channel, it has mode {picture.mode}"
            )
        return np.array(picture.convert("RGB"))


def read_labels(path: Path) -> NDArray[np.int32]:
    """Read a label map.

    Parameters
    ----------
    path : Path
        A PNG or TIFF with one channel or a palette.

    Returns
    -------
    labels : ndarray
        [H, W] int32: the numbers that the file has, in a palette those of the colours.

    Raises
    ------
    DataError
        If the file is missing or broken, or has other than one integer for a pixel.
    """
    with open_image(path) as picture:
        if picture.mode not in _LABEL_MODES:
            raise DataError(
                f"{path}: expected labels in one channel of integers or a palette, "
                f"it has mode {picture.mode}"
            )
        return np.array(picture).astype(np.int32)


def read_annotation(path: Path, image: NDArray[np.uint8], image_path: Path) -> NDArray[np.int32]:
    """Read the label map of an image, as `read_labels` does, and check that it is of its size."""
    check_exists(path, image_path)
    labels = read_labels(path)
    check_size(labels, path, image, image_path)
    return labels


def check_exists(path: Path, image_path: Path) -> None:
    """Raise DataError if the file that annotates an image is missing."""
    if not path.is_file():
        raise DataError(f"{path}: missing, the annotation of {image_path}")


def check_size(
    annotation: NDArray[Any],
    path: Path,
    image: NDArray[np.uint8],
    image_path: Path,
    raises: type[DataError] = DataError,
) -> None:
    """Raise an error if an annotation does not have the height and width of its image."""
    if annotation.shape[:2] != image.shape[:2]:
        raise raises(
            f"{path}: an annotation is {annotation.shape[:2]}, its image {image_path.name} "
            f"is {image.shape[:2]}"
        )
