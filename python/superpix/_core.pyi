from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# An array, or (address, dtype name, shape) of C-contiguous memory.
_View = NDArray[Any] | tuple[int, str, tuple[int, ...]]

__version__: str
CHROMA_WEIGHT: float

def rgb_to_lab(image: NDArray[Any], num_threads: int) -> NDArray[np.float32]: ...
def enforce_connectivity(
    labels: NDArray[Any],
    min_size: int,
    max_size: int,
    image: NDArray[np.float32] | None,
    start_label: int,
    num_threads: int,
) -> NDArray[np.int32]: ...
def pool(
    features: _View,
    labels: _View,
    pooled: _View,
    saved: _View | None,
    reduce: str,
    num_threads: int,
) -> None: ...
def pool_backward(
    grad_pooled: _View,
    labels: _View,
    saved: _View | None,
    grad_features: _View,
    reduce: str,
    num_threads: int,
) -> None: ...
def pool_saved_shape(
    batch: int, channels: int, num_segments: int, reduce: str
) -> tuple[int, ...]: ...
def unpool(pooled: _View, labels: _View, out: _View, num_threads: int) -> None: ...
def unpool_backward(
    grad_out: _View, labels: _View, grad_pooled: _View, num_threads: int
) -> None: ...
def slic(
    image: NDArray[Any],
    mask: NDArray[np.bool_] | None,
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
    num_threads: int,
) -> NDArray[np.int32]: ...
def hard_labels(
    association: _View, labels: _View, rows: int, columns: int, num_threads: int
) -> None: ...
def pyramid_pool(
    features: _View,
    pooled: _View,
    indices: _View | None,
    bins: Sequence[int],
    reduce: str,
    num_threads: int,
) -> None: ...
def pyramid_pool_backward(
    grad_pooled: _View,
    indices: _View | None,
    grad_features: _View,
    bins: Sequence[int],
    reduce: str,
    num_threads: int,
) -> None: ...
def pyramid_pool_size(bins: Sequence[int]) -> int: ...

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
    num_threads: int,
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
    num_threads: int,
) -> None: ...
def soft_unpool(
    centers: _View,
    association: _View,
    out: _View,
    rows: int,
    columns: int,
    normalize: bool,
    num_threads: int,
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
    num_threads: int,
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
    num_threads: int,
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
    num_threads: int,
) -> None: ...
