from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

# An array, or (address, dtype name, shape) of C-contiguous memory.
# (With the strides in bytes, if it is not.)
_View = (
    NDArray[Any]
    | tuple[int, str, tuple[int, ...]]
    | tuple[int, str, tuple[int, ...], tuple[int, ...]]
)

class _Workspace(Protocol):
    def data_ptr(self) -> int: ...

# A number of threads; or the index of a CUDA device, the address of a stream there, and what
# allocates as many bytes.
_Where = int | tuple[int, int, Callable[[int], _Workspace]]

# Cells along z, y, x; seeds; pixels inside the mask.
_SeedGrid = tuple[tuple[int, int, int], int, int]

__version__: str
CHROMA_WEIGHT: float

def rgb_to_lab(image: _View, lab: _View, where: _Where) -> None: ...
def enforce_connectivity(
    labels: _View,
    image: _View | None,
    output: _View,
    min_size: int,
    max_size: int,
    max_segments: int,
    start_label: int,
    refine_iter: int,
    position_weight: float,
    smoothness: float,
    where: _Where,
) -> None: ...
def pool(
    features: _View,
    labels: _View,
    pooled: _View,
    saved: _View | None,
    reduce: str,
    where: _Where,
) -> None: ...
def pool_backward(
    grad_pooled: _View,
    labels: _View,
    saved: _View | None,
    grad_features: _View,
    reduce: str,
    where: _Where,
) -> None: ...
def pool_saved_shape(
    batch: int, channels: int, num_segments: int, reduce: str
) -> tuple[int, ...]: ...
def unpool(pooled: _View, labels: _View, out: _View, where: _Where) -> None: ...
def unpool_backward(grad_out: _View, labels: _View, grad_pooled: _View, where: _Where) -> None: ...
def slic(
    image: _View,
    mask: _View | None,
    labels: _View,
    *,
    num_segments: int,
    compactness: float,
    max_num_iter: int,
    sigma: tuple[float, float, float],
    spacing: tuple[float, float, float],
    convert_to_lab: bool,
    value_range: tuple[float, float] | None,
    slic_zero: bool,
    perturb_seeds: bool,
    enforce_connectivity: bool,
    min_size_factor: float,
    max_size_factor: float,
    refine_iter: int,
    start_label: int,
    seed_grid: _SeedGrid | None,
    where: _Where,
) -> None: ...
def choose_seed_grid(
    mask: NDArray[np.bool_], num_segments: int, spacing: tuple[float, float, float]
) -> _SeedGrid: ...
def hard_labels(
    association: _View, labels: _View, rows: int, columns: int, where: _Where
) -> None: ...
def pyramid_pool(
    features: _View,
    pooled: _View,
    indices: _View | None,
    bins: Sequence[int],
    reduce: str,
    where: _Where,
) -> None: ...
def pyramid_pool_backward(
    grad_pooled: _View,
    indices: _View | None,
    grad_features: _View,
    bins: Sequence[int],
    reduce: str,
    where: _Where,
) -> None: ...
def pyramid_pool_size(bins: Sequence[int]) -> int: ...
def copy_to_host(address: int, array: NDArray[Any], device_index: int) -> None: ...
def copy_rows(
    *,
    to: int,
    to_pitch: int,
    from_: int,
    from_pitch: int,
    width: int,
    count: int,
    device_index: int,
) -> None: ...

class DeviceMemory:
    def __init__(self, bytes: int, device_index: int = 0) -> None: ...
    def data_ptr(self) -> int: ...
    def copy_from(self, array: NDArray[Any]) -> None: ...
    def copy_to(self, array: NDArray[Any]) -> None: ...

def synchronize(device_index: int) -> None: ...

class Borrowed:
    def __init__(self, capsule: object) -> None: ...
    @property
    def address(self) -> int: ...
    @property
    def dtype(self) -> str | None: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def strides(self) -> tuple[int, ...]: ...

def lend(
    address: int,
    dtype: str,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    device_index: int,
    owner: object,
) -> object: ...

class Memory:
    def __init__(self, bytes: int) -> None: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...

def compiler() -> str: ...
def set_num_threads(n: int) -> None: ...
def get_num_threads() -> int: ...
def built_with_cuda() -> bool: ...
def cuda_available() -> bool: ...
def cuda_devices() -> list[str]: ...
def simd_level() -> str: ...
def simd_available() -> list[str]: ...
def soft_pool(
    values: _View,
    association: _View,
    pooled: _View,
    weights: _View | None,
    rows: int,
    columns: int,
    eps: float,
    where: _Where,
) -> None: ...
def soft_pool_backward(
    values: _View,
    association: _View,
    pooled: _View,
    weights: _View,
    grad_pooled: _View,
    grad_values: _View | None,
    grad_association: _View | None,
    rows: int,
    columns: int,
    eps: float,
    where: _Where,
) -> None: ...
def soft_unpool(
    centers: _View,
    association: _View,
    out: _View,
    rows: int,
    columns: int,
    normalize: bool,
    where: _Where,
) -> None: ...
def soft_unpool_backward(
    centers: _View,
    association: _View,
    grad_out: _View,
    grad_centers: _View | None,
    grad_association: _View | None,
    rows: int,
    columns: int,
    normalize: bool,
    where: _Where,
) -> None: ...
def soft_slic(
    features: _View,
    initial_centers: _View | None,
    association: _View | None,
    centers: _View,
    history: _View | None,
    rows: int,
    columns: int,
    num_iter: int,
    temperature: float,
    where: _Where,
) -> None: ...
def soft_slic_backward(
    features: _View,
    history: _View,
    grad_association: _View | None,
    grad_centers: _View | None,
    grad_features: _View,
    grad_initial: _View | None,
    rows: int,
    columns: int,
    num_iter: int,
    temperature: float,
    grad_iter: int,
    where: _Where,
) -> None: ...
