"""Where functions compute: on the CPU, or on CUDA; and on arrays of which library."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from superpix import _arguments, _core
from superpix._device_array import DeviceArray

P = ParamSpec("P")
R = TypeVar("R")

# DLPack's numbers of devices.
_CPU, _CUDA = 1, 2


@dataclass(frozen=True)
class Cuda:
    """A CUDA device."""

    index: int


# The core's number of threads, or a device.
Where = int | Cuda


def where(device: object, num_threads: int | None) -> Where:
    """Return where to compute, if it is there.

    ``device`` is "cpu", "cuda" or "cuda:1"; ``num_threads`` is checked in any case.
    """
    threads = _arguments.threads(num_threads)
    if device == "cpu":
        return threads
    kind, _, index = device.partition(":") if isinstance(device, str) else ("", "", "")
    if kind != "cuda" or not (index.isdecimal() or device == "cuda"):
        raise ValueError(f'device must be "cpu", "cuda" or "cuda:1", got {device!r}')
    if not _core.cuda_available():
        why = (
            "no CUDA device or driver was found"
            if _core.built_with_cuda()
            else "this build of superpix has no CUDA support"
        )
        raise RuntimeError(f'device="{device}": {why}; use device="cpu"')
    return Cuda(int(index or 0))


def empty(shape: tuple[int, ...], dtype: Any, like: NDArray[Any]) -> NDArray[Any]:
    """Return a new array on the device of another."""
    if isinstance(like, DeviceArray):
        return cast(NDArray[Any], DeviceArray.empty(shape, dtype, like.index))
    return np.empty(shape, dtype)


def on_host(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array in the memory of the CPU."""
    return array.to_numpy() if isinstance(array, DeviceArray) else array


def concatenate_last(arrays: list[NDArray[Any]], like: NDArray[Any]) -> NDArray[Any]:
    """Return C-contiguous arrays as one along the last axis, on the device of another."""
    if not isinstance(like, DeviceArray) or not arrays:
        return np.concatenate([on_host(array) for array in arrays], axis=-1)
    there = [cast(DeviceArray, _on_device(array, like.index, copy=True)) for array in arrays]
    return cast(NDArray[Any], DeviceArray.concatenate_last(there))


def split_last(array: NDArray[Any], sizes: list[int]) -> list[NDArray[Any]]:
    """Return parts of an array along the last axis."""
    if isinstance(array, DeviceArray):
        return cast(list[NDArray[Any]], array.split_last(sizes))
    return np.split(array, np.cumsum(sizes)[:-1], axis=-1)


def run(
    op: Callable[..., None],
    where: Where,
    inputs: tuple[NDArray[Any] | None, ...],
    outputs: tuple[NDArray[Any] | None, ...],
    **parameters: Any,
) -> None:
    """Call an op of the core, which takes inputs, outputs and ``where``, among others.

    On CUDA, NumPy arrays are copied there and back, and results are there when this returns.
    """
    if not isinstance(where, Cuda):
        op(*inputs, *outputs, where=where, **parameters)
        return
    there = [_on_device(array, where.index, copy=True) for array in inputs]
    results = [_on_device(array, where.index, copy=False) for array in outputs]
    op(
        *map(_view, there),
        *map(_view, results),
        where=(where.index, 0, lambda size: _core.DeviceMemory(size, where.index)),
        **parameters,
    )
    for array, result in zip(outputs, results, strict=True):
        if isinstance(array, np.ndarray) and result is not None:
            cast(_core.DeviceMemory, result.owner).copy_to(array)
    # Who lent an array takes it back without waiting for us.
    _core.synchronize(where.index)


def _on_device(array: Any, index: int, *, copy: bool) -> DeviceArray | None:
    """Return an array on the device: itself, or new memory with or without its values."""
    if isinstance(array, DeviceArray) and array.index != index:
        raise ValueError(
            f"arrays must be on one device, got one on cuda:{array.index} and cuda:{index}"
        )
    if array is None or isinstance(array, DeviceArray):
        return array
    result = DeviceArray.empty(array.shape, array.dtype, index)
    if copy:
        cast(_core.DeviceMemory, result.owner).copy_from(np.ascontiguousarray(array))
    return result


def _view(array: DeviceArray | None) -> Any:
    if array is None:
        return None
    return array.address, array.dtype.name, array.shape, array.strides


def any_arrays(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function of NumPy arrays take those of other libraries, and return their like.

    Arrays come and go by DLPack, without copies: those on the CPU as NumPy arrays, those of CUDA as
    `DeviceArray`, on whose device is computed then. What is returned is made by the library of the
    first such argument.
    """

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        arguments: tuple[Any, ...] = (*args, *kwargs.values())
        parts = (part for value in arguments for part in _parts(value))
        example = next(filter(_is_foreign, parts), None)
        if example is None:
            return function(*args, **kwargs)
        kind, index = (int(n) for n in example.__dlpack_device__())
        if kind == _CUDA:
            kwargs["device"] = f"cuda:{index}"
            where(kwargs["device"], None)  # before anything is asked of the device
        taken = [_taken(value, str(i)) for i, value in enumerate(args)]
        named = {name: _taken(value, name) for name, value in kwargs.items()}
        return cast(R, _given(function(*taken, **named), _importer(example)))

    return wrapper


def _parts(value: object) -> tuple[Any, ...]:
    """Return a value, or the arrays of a tuple; numbers in one are what they are."""
    if isinstance(value, tuple | list):
        return tuple(part for part in value if getattr(part, "ndim", 1) > 0)
    return (value,)


def _is_foreign(value: object) -> bool:
    return hasattr(type(value), "__dlpack__") and not isinstance(value, np.ndarray | np.generic)


def _taken(value: Any, name: str) -> Any:
    if isinstance(value, tuple | list) and any(map(_is_foreign, _parts(value))):
        return tuple(_taken(part, name) for part in value)
    if not _is_foreign(value):
        return value
    kind = int(value.__dlpack_device__()[0])
    if kind == _CPU:
        try:
            return np.from_dlpack(value)
        except (BufferError, RuntimeError) as error:
            raise TypeError(f"NumPy cannot take an array by DLPack: {error}") from None
    if kind == _CUDA:
        return DeviceArray.from_dlpack(value, name)
    raise TypeError(f"arrays must be on the CPU or on CUDA, got DLPack's device {kind}")


def _importer(example: Any) -> Callable[[Any], Any]:
    """Return the from_dlpack of an array's library."""
    if hasattr(example, "__array_namespace__"):
        return cast(Callable[[Any], Any], example.__array_namespace__().from_dlpack)
    library = sys.modules[type(example).__module__.partition(".")[0]]
    return cast(Callable[[Any], Any], library.from_dlpack)


def _given(result: Any, importer: Callable[[Any], Any]) -> Any:
    if isinstance(result, np.ndarray):
        return importer(np.ascontiguousarray(result))  # not all take parts of rows
    if isinstance(result, DeviceArray):
        return importer(result)
    if isinstance(result, tuple):
        parts = [_given(part, importer) for part in result]
        return type(result)(*parts) if hasattr(result, "_fields") else tuple(parts)
    return result
