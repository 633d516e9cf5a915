"""superpix: superpixels, fast and deterministic.

>>> import numpy as np, superpix
>>> labels = superpix.slic(np.zeros((60, 80, 3), np.uint8), n_segments=12)
>>> labels.shape, labels.dtype, labels.max()
((60, 80), dtype('int32'), np.int32(12))
"""

from superpix import metrics
from superpix._color import rgb_to_lab
from superpix._connectivity import enforce_connectivity
from superpix._core import __version__
from superpix._hard_labels import hard_labels
from superpix._pool import pool, unpool
from superpix._pyramid_pool import pyramid_pool, pyramid_pool_backward
from superpix._runtime import (
    build_info,
    cuda_available,
    get_cmake_dir,
    get_include,
    get_num_threads,
    set_num_threads,
)
from superpix._slic import slic
from superpix._soft_pool import soft_pool, soft_unpool
from superpix._soft_slic import (
    SoftSlicGradients,
    SoftSlicResult,
    soft_slic,
    soft_slic_backward,
)

__all__ = [
    "SoftSlicGradients",
    "SoftSlicResult",
    "__version__",
    "build_info",
    "cuda_available",
    "enforce_connectivity",
    "get_cmake_dir",
    "get_include",
    "get_num_threads",
    "hard_labels",
    "metrics",
    "pool",
    "pyramid_pool",
    "pyramid_pool_backward",
    "rgb_to_lab",
    "set_num_threads",
    "slic",
    "soft_pool",
    "soft_slic",
    "soft_slic_backward",
    "soft_unpool",
    "unpool",
]
