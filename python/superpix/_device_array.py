"""Arrays in the memory of a CUDA device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from superpix import _core


class DeviceArray:
    """What the functions need to know of an array that lies on a CUDA device, and its DLPack.

    It stands where NumPy arrays do, with those of their attributes that the functions use.
    """

    __slots__ = ("address", "dtype", "index", "owner", "shape", "strides")

    def __init__(
        self,
        address: int,
        dtype: np.dtype[Any],
        shape: Sequence[int],
        strides: Sequence[int],
        index: int,
        owner: object,
    ) -> None:
        self.address = address
        self.dtype = dtype
        self.shape = tuple(shape)
        self.strides = tuple(strides)
        self.index = index
        self.owner = owner

    @classmethod
    def empty(cls, shape: Sequence[int], dtype: Any, index: int) -> DeviceArray:
        """Return a new C-contiguous array."""
        kind = np.dtype(dtype)
        strides = _compact(shape, kind)
        memory = _core.DeviceMemory(int(np.prod(shape, dtype=np.int64)) * kind.itemsize, index)
        return cls(memory.data_ptr(), kind, shape, strides, index, memory)

    @classmethod
    def from_dlpack(cls, other: Any, name: str) -> DeviceArray:
        """Return the memory of another library's array, which is ready on the default stream."""
        index = int(other.__dlpack_device__()[1])
        lent = _core.Borrowed(other.__dlpack__(stream=1))
        if lent.dtype is None or lent.dtype == "bfloat16":
            raise TypeError(f"{name} must be bool, integer, float16, float32 or float64")
        return cls(lent.address, np.dtype(lent.dtype), lent.shape, lent.strides, index, lent)

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def is_contiguous(self) -> bool:
        """Whether elements follow each other in row-major order."""
        compact = _compact(self.shape, self.dtype)
        return self.size == 0 or all(
            n == 1 or a == b for n, a, b in zip(self.shape, self.strides, compact, strict=True)
        )

    def __getitem__(self, key: object) -> DeviceArray:
        """Return the array with a new axis: first for None, last for (..., None)."""
        last = isinstance(key, tuple)
        item = self.dtype.itemsize
        shape = (*self.shape, 1) if last else (1, *self.shape)
        strides = (*self.strides, item) if last else (item * self.size, *self.strides)
        return self._view(shape, strides)

    def flatten_last(self) -> DeviceArray:
        """Return a contiguous array with its last two axes as one."""
        shape = (*self.shape[:-2], self.shape[-2] * self.shape[-1])
        return self._view(shape, (*self.strides[:-2], self.dtype.itemsize))

    def moveaxis(self, source: int, destination: int) -> DeviceArray:
        """Return the array as `numpy.moveaxis` does."""
        order = [axis for axis in range(self.ndim) if axis != source % self.ndim]
        order.insert(destination % self.ndim, source % self.ndim)
        return self._view([self.shape[i] for i in order], [self.strides[i] for i in order])

    def _view(self, shape: Sequence[int], strides: Sequence[int]) -> DeviceArray:
        return DeviceArray(self.address, self.dtype, shape, strides, self.index, self.owner)

    def __dlpack__(self, **_: object) -> object:
        """Return a capsule of DLPack. What is in the memory is there: functions wait for it."""
        return _core.lend(
            self.address, self.dtype.name, self.shape, self.strides, self.index, self.owner
        )

    def __dlpack_device__(self) -> tuple[int, int]:
        """Return DLPack's number of CUDA, and the device."""
        return 2, self.index


def _compact(shape: Sequence[int], dtype: np.dtype[Any]) -> tuple[int, ...]:
    strides = []
    step = dtype.itemsize
    for n in reversed(shape):
        strides.append(step)
        step *= n
    return tuple(reversed(strides))
