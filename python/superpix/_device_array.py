"""Arrays in the memory of a CUDA device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

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

    @classmethod
    def concatenate_last(cls, arrays: Sequence[DeviceArray]) -> DeviceArray:
        """Return C-contiguous arrays as one, side by side along the last axis."""
        first = arrays[0]
        width = sum(array.shape[-1] for array in arrays)
        result = cls.empty((*first.shape[:-1], width), first.dtype, first.index)
        begin = 0
        for array in arrays:
            array._copy_columns(result, 0, begin, array.shape[-1])
            begin += array.shape[-1]
        return result

    def split_last(self, sizes: Sequence[int]) -> list[DeviceArray]:
        """Return a C-contiguous array as such ones, with so much of the last axis each."""
        parts = []
        begin = 0
        for size in sizes:
            part = DeviceArray.empty((*self.shape[:-1], size), self.dtype, self.index)
            self._copy_columns(part, begin, 0, size)
            parts.append(part)
            begin += size
        _core.synchronize(self.index)  # as whoever gets the parts will not wait
        return parts

    def to_numpy(self) -> NDArray[Any]:
        """Return a copy on the host."""
        lengths = [s * (n - 1) for s, n in zip(self.strides, self.shape, strict=True)]
        before = -sum(s for s in lengths if s < 0)
        after = sum(s for s in lengths if s > 0) + self.dtype.itemsize
        if self.size == 0:
            return np.empty(self.shape, self.dtype)
        memory = np.empty(before + after, np.uint8)
        _core.copy_to_host(self.address - before, memory, self.index)
        return np.ndarray(self.shape, self.dtype, memory, before, self.strides)

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

    def reshape(self, *shape: int) -> DeviceArray:
        """Return a C-contiguous array with another shape of as many elements."""
        return self._view(shape, _compact(shape, self.dtype))

    def moveaxis(self, source: int, destination: int) -> DeviceArray:
        """Return the array as `numpy.moveaxis` does."""
        order = [axis for axis in range(self.ndim) if axis != source % self.ndim]
        order.insert(destination % self.ndim, source % self.ndim)
        return self._view([self.shape[i] for i in order], [self.strides[i] for i in order])

    def _copy_columns(self, to: DeviceArray, begin: int, to_begin: int, count: int) -> None:
        item = self.dtype.itemsize
        if to.size == 0 or count == 0:
            return
        _core.copy_rows(
            to=to.address + item * to_begin,
            to_pitch=item * to.shape[-1],
            from_=self.address + item * begin,
            from_pitch=item * self.shape[-1],
            width=item * count,
            count=self.size // self.shape[-1],
            device_index=self.index,
        )

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
