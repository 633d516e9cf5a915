"""Pictures in and out: what `superpix segment` reads and writes, as functions on arrays."""

import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

LABEL_FORMATS = ("png", "tiff", "npy")

_PNG_MAX = np.iinfo(np.uint16).max

# Pillow has no common base class for what a damaged file makes it raise.
_PILLOW_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    IndexError,
    KeyError,
    EOFError,
    MemoryError,
    OverflowError,
    struct.error,
    Image.DecompressionBombError,
)


class PictureError(Exception):
    """A picture that cannot be read, or labels that a format cannot hold; the text says why."""


def read_picture(path: Path) -> NDArray[Any]:
    """Read a picture as an array that `superpix.slic` takes.

    Parameters
    ----------
    path : Path
        A file of any format that Pillow reads; of several frames the first is read.

    Returns
    -------
    image : ndarray
        [H, W, 3] uint8, or [H, W] uint8, uint16, int32 or float32 for a grey picture. Turned
        as EXIF says, transparent parts over white, palettes and CMYK as RGB.

    Raises
    ------
    PictureError
        Where the file is no picture; the text is the reason, without the file's name.
    """
    try:
        if path.stat().st_size == 0:
            raise PictureError("the file is empty")
        with Image.open(path) as picture:
            return _to_array(ImageOps.exif_transpose(picture))
    except UnidentifiedImageError:
        raise PictureError("not a picture, or in a format that Pillow does not know") from None
    except _PILLOW_ERRORS as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise PictureError(f"cannot be read: {reason}") from error


def to_display(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the picture as [H, W, 3] uint8: 8-bit as it is, all else from its least to its most.

    Parameters
    ----------
    image : ndarray
        [H, W] or [H, W, 3], any real dtype.

    Returns
    -------
    display : ndarray
        A new [H, W, 3] uint8 array.
    """
    if image.dtype != np.uint8:
        values = image.astype(np.float64)
        low, high = values.min(), values.max()
        scale = 255.0 / (high - low) if high > low else 0.0
        image = np.rint((values - low) * scale).astype(np.uint8)
    if image.ndim == 2:
        return np.repeat(image[:, :, None], 3, axis=2)
    return image.copy()


def line_width(labels: NDArray[np.int32]) -> int:
    """Return the width in pixels of boundaries that can be seen and leave the segments visible.

    Grows with the picture, because a large one is looked at scaled down, and is at most an
    eighth of a mean superpixel's side.
    """
    for_picture: int = round(min(labels.shape) / 720)
    count = int(np.count_nonzero(np.bincount(labels.ravel())))
    for_segment = int(math.sqrt(labels.size / count) / 8)
    return max(1, min(for_picture, for_segment))


def boundary_mask(labels: NDArray[np.int32], width: int = 1) -> NDArray[np.bool_]:
    """Mark the boundaries between labels.

    Parameters
    ----------
    labels : ndarray
        [H, W] integers.
    width : int
        Width of the lines. 1 marks a pixel whose right or lower neighbour has another label;
        wider lines grow around it.

    Returns
    -------
    mask : ndarray
        [H, W] bool.
    """
    mask = np.zeros(labels.shape, dtype=bool)
    mask[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    mask[:-1] |= labels[:-1] != labels[1:]
    for axis in (0, 1):
        mask = _thicken(mask, width, axis)
    return mask


def overlay(
    image: NDArray[np.uint8],
    labels: NDArray[np.int32],
    color: tuple[int, int, int],
    width: int | None = None,
) -> NDArray[np.uint8]:
    """Draw the boundaries of the labels into a copy of the picture.

    Parameters
    ----------
    image : ndarray
        [H, W, 3] uint8.
    labels : ndarray
        [H, W] int32.
    color : tuple of int
        Red, green and blue of the lines, 0 to 255.
    width : int, optional
        Width of the lines; `line_width(labels)` unless told.

    Returns
    -------
    drawn : ndarray
        [H, W, 3] uint8; equal to `image` off the boundaries.
    """
    drawn = image.copy()
    drawn[boundary_mask(labels, line_width(labels) if width is None else width)] = color
    return drawn


def mean_color(image: NDArray[np.uint8], labels: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Paint every superpixel in its mean colour.

    Parameters
    ----------
    image : ndarray
        [H, W, C] uint8.
    labels : ndarray
        [H, W] int32, no value below 0.

    Returns
    -------
    painted : ndarray
        [H, W, C] uint8, constant on each label.
    """
    flat = labels.ravel()
    sizes = np.maximum(np.bincount(flat), 1)
    painted = np.empty_like(image)
    for channel in range(image.shape[2]):
        sums = np.bincount(flat, weights=image[:, :, channel].ravel())
        painted[:, :, channel] = np.rint(sums / sizes).astype(np.uint8)[labels]
    return painted


def check_labels_fit(largest: int, labels_format: str) -> None:
    """Raise PictureError where a format has no room for a label as large as this."""
    if labels_format == "png" and largest > _PNG_MAX:
        raise PictureError(
            f"label {largest} does not fit into a 16-bit PNG (at most {_PNG_MAX}): "
            "choose --labels-format tiff or npy"
        )


def write_labels(path: Path, labels: NDArray[np.int32]) -> None:
    """Write labels as 16-bit PNG, 32-bit TIFF or .npy, as the file's suffix says.

    Parameters
    ----------
    path : Path
        Ends in .png, .tiff or .npy.
    labels : ndarray
        [H, W] int32, no value below 0.

    Raises
    ------
    PictureError
        Where a 16-bit PNG has no room for the largest label.
    """
    check_labels_fit(int(labels.max(initial=0)), path.suffix[1:])
    if path.suffix == ".npy":
        np.save(path, labels)
    elif path.suffix == ".tiff":
        Image.fromarray(labels.astype(np.int32)).save(path, compression="tiff_adobe_deflate")
    else:
        Image.fromarray(labels.astype(np.uint16)).save(path)


def write_picture(path: Path, image: NDArray[np.uint8]) -> None:
    """Write an [H, W, 3] uint8 picture as PNG."""
    Image.fromarray(image).save(path)


def _to_array(picture: Image.Image) -> NDArray[Any]:
    has_key = "transparency" in picture.info and picture.mode in ("1", "L", "P", "RGB")
    if has_key or picture.mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        picture = _over_white(picture)
    if picture.mode == "1":
        picture = picture.convert("L")
    if picture.mode.startswith("I;16"):
        return np.asarray(picture).astype(np.uint16)  # the file's byte order may be the other
    if picture.mode not in ("L", "I", "F", "RGB"):
        picture = picture.convert("RGB")
    return np.array(picture)


def _over_white(picture: Image.Image) -> Image.Image:
    # What lies under a transparent pixel is arbitrary and must not draw boundaries.
    is_grey = picture.mode in ("1", "L", "LA", "La")
    white = Image.new("RGBA", picture.size, "white")
    if picture.mode in ("La", "RGBa"):
        picture = picture.convert("LA" if picture.mode == "La" else "RGBA")
    return Image.alpha_composite(white, picture.convert("RGBA")).convert("L" if is_grey else "RGB")


def _thicken(mask: NDArray[np.bool_], width: int, axis: int) -> NDArray[np.bool_]:
    thick = mask.copy()
    source = np.moveaxis(mask, axis, 0)
    target = np.moveaxis(thick, axis, 0)
    for shift in range(1, width):
        # One step after, one before, two after ...: the line stays centred.
        step = (shift + 1) // 2
        if shift % 2:
            target[step:] |= source[:-step]
        else:
            target[:-step] |= source[step:]
    return thick
