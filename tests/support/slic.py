"""Images, calls of every kind and measures that the tests of `slic` share."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

Image: TypeAlias = NDArray[Any]
Options: TypeAlias = dict[str, Any]

SIGNED = (np.int8, np.int16, np.int32, np.int64)
UNSIGNED = (np.uint8, np.uint16, np.uint32, np.uint64)
FLOATS = (np.float16, np.float32, np.float64)
DTYPES = (*SIGNED, *UNSIGNED, *FLOATS)

NAN, INF = math.nan, math.inf

# Agreement of labels that are computed in other arithmetic, or on an image rounded elsewhere.
NEARLY_EQUAL = 0.97


def photo(height: int = 60, width: int = 80, seed: int = 0) -> Image:
    """uint8 RGB: coloured discs with soft shading and a little noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    image = np.stack([60 + 40 * y / height, 90 + 50 * x / width, 110 - 30 * y / height], axis=-1)
    for _ in range(9):
        cy, cx = rng.uniform(0, height), rng.uniform(0, width)
        radius = rng.uniform(0.1, 0.3) * min(height, width)
        disc = np.hypot(y - cy, x - cx) < radius
        image[disc] = rng.uniform(20, 235, 3) + 0.5 * (x - cx)[disc, None]
    image += rng.normal(0, 3, image.shape)
    return np.asarray(np.clip(image, 0, 255), np.uint8)


def grey(height: int = 60, width: int = 80) -> Image:
    """float64 in [0, 1], both ends taken."""
    image = photo(height, width)[..., 1].astype(np.float64)
    return np.asarray((image - image.min()) / np.ptp(image))


def noise(shape: tuple[int, ...], dtype: Any = np.uint8, seed: int = 0) -> Image:
    values = np.random.default_rng(seed).integers(0, 256, shape)
    return (values / 255).astype(dtype) if np.dtype(dtype).kind == "f" else values.astype(dtype)


def bands(n_channels: int) -> Image:
    """float32 image of several channels with structure in each."""
    channels = [np.roll(grey(), 7 * c, axis=1) for c in range(n_channels)]
    return np.stack(channels, axis=-1).astype(np.float32)


def volume(channels: int | None = None) -> Image:
    """float32 volume of smooth blobs."""
    shape = (10, 16, 20) if channels is None else (10, 16, 20, channels)
    sigma = (2.0, 2.0, 2.0) if channels is None else (2.0, 2.0, 2.0, 0.0)
    values = np.random.default_rng(3).random(shape)
    return np.asarray(ndimage.gaussian_filter(values, sigma), np.float32)


def blocks(shape: tuple[int, ...], cell: tuple[int, ...], start: int = 1) -> NDArray[np.int64]:
    """Row-major numbers of equal boxes."""
    counts = tuple(s // c for s, c in zip(shape, cell, strict=True))
    where = [i // c for i, c in zip(np.indices(shape), cell, strict=True)]
    return np.asarray(np.ravel_multi_index(where, counts), np.int64) + start


def quadrants(shape: tuple[int, ...]) -> NDArray[np.int64]:
    """2 ** len(shape) boxes that part the array in the middle of every axis, numbered from 0."""
    out = np.zeros(shape, np.int64)
    for index, size in zip(np.indices(shape), shape, strict=True):
        out = 2 * out + (index >= size // 2)
    return out


def two_halves(dtype: Any, low: float, high: float) -> Image:
    """2-D image with its left part `low` and its right part `high`."""
    image = np.full((12, 20), low, dtype)
    image[:, 9:] = high
    return image


def disc_mask(height: int = 60, width: int = 80) -> NDArray[np.bool_]:
    y, x = np.mgrid[:height, :width]
    return np.asarray(np.hypot(y - height / 2, x - width / 2) < 0.45 * min(height, width))


PHOTO = photo()
LARGE = photo(120, 160)  # where few pixels lie on borders: for agreement
GREY = grey()
MASK = disc_mask()

# One call of every kind: (image, options). Used where a promise holds for all of them.
KINDS: dict[str, tuple[Image, Options]] = {
    "uint8-rgb": (PHOTO, {}),
    "uint8-rgb-noise": (noise((48, 64, 3)), {}),
    "float32-rgb": (PHOTO.astype(np.float32), {}),
    "uint8-rgb-no-lab": (PHOTO, {"convert2lab": False, "compactness": 0.1}),
    "float64-grey": (GREY, {"channel_axis": None, "compactness": 0.1}),
    "uint8-grey": (PHOTO[..., 0], {"channel_axis": None, "compactness": 0.1}),
    "bool-grey": (GREY > 0.4, {"channel_axis": None}),
    "two-channels": (bands(2), {"compactness": 0.1}),
    "sixteen-channels": (bands(16), {"compactness": 0.1}),
    "grey-volume": (volume(), {"channel_axis": None, "compactness": 0.1}),
    "rgb-volume": (volume(3), {"compactness": 1.0}),
    "masked": (PHOTO, {"mask": MASK}),
    "masked-float": (GREY, {"mask": MASK, "channel_axis": None, "compactness": 0.1}),
    "slic-zero": (PHOTO, {"slic_zero": True}),
    "slic-zero-float": (GREY, {"slic_zero": True, "channel_axis": None}),
    "sigma": (PHOTO, {"sigma": 1.5}),
    "spacing": (PHOTO, {"spacing": (2.0, 1.0)}),
    "perturbed-seeds": (PHOTO, {"perturb_seeds": True}),
    "unconnected": (PHOTO, {"enforce_connectivity": False}),
    "value-range": (PHOTO, {"value_range": (0, 255)}),
}
kinds = pytest.mark.parametrize(("image", "options"), KINDS.values(), ids=KINDS.keys())


def spread(values: Any, labels: Image, inside: Image | None = None) -> float:
    """Mean standard deviation of the values within a label."""
    names = np.unique(labels if inside is None else labels[inside])
    return float(np.mean([np.std(values[labels == name]) for name in names]))


def spatial_shape(image: Image, options: Options) -> tuple[int, ...]:
    return image.shape if options.get("channel_axis", -1) is None else image.shape[:-1]
