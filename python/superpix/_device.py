"""Where functions of NumPy arrays compute: on the CPU, or on CUDA with copies there and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from superpix import _arguments, _core


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


def run(
    op: Callable[..., None],
    where: Where,
    inputs: tuple[NDArray[Any] | None, ...],
    outputs: tuple[NDArray[Any] | None, ...],
    **parameters: Any,
) -> None:
    """Call an op of the core, which takes inputs, outputs and ``where``, among others."""
    if not isinstance(where, Cuda):
        op(*inputs, *outputs, where=where, **parameters)
        return
    copies = [_copied(array, where) for array in inputs]
    results = [_memory_for(array, where) for array in outputs]
    op(
        *[_view(array, memory) for array, memory in zip(inputs, copies, strict=True)],
        *[_view(array, memory) for array, memory in zip(outputs, results, strict=True)],
        where=(where.index, 0, lambda size: _core.DeviceMemory(size, where.index)),
        **parameters,
    )
    for array, memory in zip(outputs, results, strict=True):
        if array is not None and memory is not None:
            memory.copy_to(array)


def _memory_for(array: NDArray[Any] | None, where: Cuda) -> _core.DeviceMemory | None:
    return None if array is None else _core.DeviceMemory(array.nbytes, where.index)


def _copied(array: NDArray[Any] | None, where: Cuda) -> _core.DeviceMemory | None:
    memory = _memory_for(array, where)
    if array is not None and memory is not None:
        memory.copy_from(np.ascontiguousarray(array))
    return memory


def _view(
    array: NDArray[Any] | None, memory: _core.DeviceMemory | None
) -> tuple[int, str, tuple[int, ...]] | None:
    if array is None or memory is None:
        return None
    return memory.data_ptr(), array.dtype.name, array.shape
