"""Superpixel ops for PyTorch: on tensors, with gradients, for `torch.compile` and `torch.func`.

Every op takes tensors of float16, bfloat16, float32 or float64 with any strides; what is not
contiguous is copied. It computes in float32, or float64 for that: on the CPU with as many threads
as `torch.get_num_threads` says, and no bit of a result depends on these; on CUDA on the current
stream, the same bits each time, and CUDA graphs can capture it. First derivatives are kernels of
their own; higher ones go through plain PyTorch, right but slow. Inside torch.compile,
`torch.func.vmap` of these ops works, `torch.func.grad` of them does not: PyTorch does not trace the
gradients of custom ops there.

On the CPU, results of 32 MiB and more lie in memory that is kept for the next one of the size, up
to 256 MiB, which the system (Linux) takes back when it runs short: PyTorch would ask the system for
each, and new pages cost more than the ops. `Tensor.resize_` cannot make such a tensor larger.
"""

from __future__ import annotations

try:
    import torch as _torch  # noqa: F401
except ImportError as error:
    raise ImportError(
        "superpix.torch needs PyTorch 2.6 or newer: pip install 'superpix[torch]'"
    ) from error

from superpix.torch.hard_labels import hard_labels
from superpix.torch.pool import SuperpixelPool, pool, unpool
from superpix.torch.pyramid_pool import PyramidPooling, pyramid_pool
from superpix.torch.soft_pool import soft_pool, soft_unpool
from superpix.torch.soft_slic import SoftSLIC, SoftSlicResult, soft_slic

__all__ = [
    "PyramidPooling",
    "SoftSLIC",
    "SoftSlicResult",
    "SuperpixelPool",
    "hard_labels",
    "pool",
    "pyramid_pool",
    "soft_pool",
    "soft_slic",
    "soft_unpool",
    "unpool",
]
