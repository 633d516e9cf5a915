"""Checks that several functions make of their arguments."""

from __future__ import annotations

import math
import operator
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from superpix._device_array import DeviceArray


def shown(value: object) -> str:
    """Return how an error shows a value: an array by its shape and dtype."""
    if isinstance(value, np.ndarray | DeviceArray) and value.ndim > 0:
        return f"an array of shape {value.shape} and {value.dtype}"
    text = repr(value)
    return text if len(text) <= 80 else f"{type(value).__name__} {text[:60]}..."


def array(value: object, name: str) -> NDArray[Any]:
    """Return ``value`` when it is an array; nothing is converted silently."""
    if isinstance(value, DeviceArray):
        return cast(NDArray[Any], value)
    if not isinstance(value, np.ndarray):
        is_like_one = value is not None and not isinstance(value, tuple)
        hint = f"; numpy.asarray({name}) may make one" if is_like_one else ""
        raise TypeError(f"{name} must be a NumPy array, got {type(value).__name__}{hint}")
    unmasked(value, name)
    return value


def unmasked(value: object, name: str) -> None:
    """Raise if ``value`` has a mask, which would count for nothing."""
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(
            f"{name} must not be a masked array, as its mask would not count; "
            f"{name}.data is without"
        )


def real_array(value: object, name: str) -> NDArray[Any]:
    """Return ``value`` when it is an array of bool, integers or floats."""
    checked = array(value, name)
    if np.issubdtype(checked.dtype, np.complexfloating):
        raise ValueError(f"{name} must be real, got {checked.dtype}")
    if checked.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be bool, integer or float, got {checked.dtype}")
    return native(checked)


def floats(value: object, name: str) -> NDArray[Any]:
    """Return ``value`` as a C-contiguous array if it is one of float32 or float64."""
    checked = native(array(value, name))
    if checked.dtype not in (np.float32, np.float64):
        raise TypeError(f"{name} must be float32 or float64, got {checked.dtype}")
    return contiguous(checked, name)


def contiguous(value: NDArray[Any], name: str) -> NDArray[Any]:
    """Return ``value`` in row-major order; on a device it must be so."""
    if isinstance(value, DeviceArray):
        if not value.is_contiguous:
            raise ValueError(f"{name} must be C-contiguous on CUDA")
        return value
    return np.ascontiguousarray(value)


def moveaxis(value: NDArray[Any], source: int, destination: int) -> NDArray[Any]:
    """Return ``value`` with an axis elsewhere."""
    if isinstance(value, DeviceArray):
        return value.moveaxis(source, destination)
    return np.moveaxis(value, source, destination)


def planes(value: object, name: str, layout: str) -> NDArray[Any]:
    """Return ``value`` like `floats` if it has 3 dimensions, or 4 with a batch in front."""
    checked = floats(value, name)
    if checked.ndim not in (3, 4):
        raise ValueError(f"{name} must be {layout}, got shape {checked.shape}")
    return checked


def batched(value: NDArray[Any], ndim: int) -> NDArray[Any]:
    """Return ``value`` with ``ndim`` dimensions, of which the first is a batch of one if new."""
    return value if value.ndim == ndim else value[np.newaxis]


def alike(
    value: object, name: str, shape: tuple[int, ...], other: NDArray[Any], other_name: str
) -> NDArray[Any]:
    """Return ``value`` like `floats` if it has this shape, and the dtype of another argument."""
    checked = floats(value, name)
    if checked.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {checked.shape}")
    if checked.dtype != other.dtype:
        raise TypeError(f"{name} must be {other.dtype} like {other_name}, got {checked.dtype}")
    return checked


def grid(value: object, shape: tuple[int, ...]) -> tuple[int, int]:
    """Return (rows, columns) of superpixels if they fit an array of ``shape`` [..., H, W]."""
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise TypeError(f"grid must be (rows, columns), got {shown(value)}")
    rows, columns = (integer(side, "grid") for side in value)
    height, width = shape[-2:]
    if not (1 <= rows <= height and 1 <= columns <= width):
        raise ValueError(
            f"grid must have from 1 to {height} rows and from 1 to {width} columns, "
            f"got {(rows, columns)}"
        )
    return rows, columns


def native(value: NDArray[Any]) -> NDArray[Any]:
    """Return ``value`` in the byte order of this machine."""
    if value.dtype.isnative:
        return value
    return value.astype(value.dtype.newbyteorder("="))


def integer(value: object, name: str) -> int:
    """Return ``value`` as an int; NumPy integers pass, and floats that are whole."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        value = int(value)
    if isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be an integer, got a bool")
    try:
        return operator.index(value)  # type: ignore[arg-type]  # the error is ours to word
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {shown(value)}") from None


def number(value: object, name: str) -> float:
    """Return ``value`` as a float."""
    if isinstance(value, str | bytes | bool | np.bool_):
        raise TypeError(f"{name} must be a number, got {shown(value)}")
    try:
        result = float(value)  # type: ignore[arg-type]  # the error is ours to word
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, got {shown(value)}") from None
    if math.isnan(result):
        raise ValueError(f"{name} must be a number, got NaN")
    return result


def flag(value: object, name: str) -> bool:
    """Return ``value`` as a bool; only bools pass."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {shown(value)}")
    return bool(value)


def threads(value: int | None) -> int:
    """Return the core's number of threads: 0 stands for the library's own."""
    if value is None:
        return 0
    n = bounded(value, "num_threads")
    if n < 1:
        raise ValueError(f"num_threads must be at least 1, got {n}")
    return n


def bounded(value: object, name: str) -> int:
    """Return ``value`` as an int that the core's 32 bits can hold."""
    n = integer(value, name)
    if not -(2**31) <= n < 2**31:
        raise ValueError(f"{name} must fit 32 bits, got {n}")
    return n


def axis(value: object, ndim: int, name: str) -> int:
    """Return a non-negative axis of an array of ``ndim`` dimensions."""
    index = integer(value, name)
    if not -ndim <= index < ndim:
        raise ValueError(f"{name} must be an axis of the {ndim}-D image, got {index}")
    return index % ndim


def limited(value: int, name: str) -> int:
    """Return ``value`` when the core's 64 bits can hold it."""
    if not -(2**63) <= value < 2**63:
        raise ValueError(f"{name} must fit 64 bits, got {value}")
    return value
