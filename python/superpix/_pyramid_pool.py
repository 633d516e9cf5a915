"""Pyramid pooling."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from superpix import _arguments, _core


def pyramid_pool(
    features: NDArray[Any],
    bins: tuple[int, ...] = (1, 2, 3, 6),
    reduce: str = "mean",
    *,
    num_threads: int | None = None,
) -> tuple[NDArray[Any], ...]:
    """Pool planes into grids of several sizes, all in one read.

    Window (i, j) of a grid of b x b is rows ``floor(i * H / b)`` to ``ceil((i + 1) * H / b)`` and
    columns alike, end excluded: those of ``torch.nn.AdaptiveAvgPool2d`` and ``AdaptiveMaxPool2d``.
    Where b does not divide the size they overlap.

    Parameters
    ----------
    features : ndarray of float32 or float64, [C, H, W] or [B, C, H, W]
        Any strides; what is not C-contiguous is copied.
    bins : tuple of int, optional
        Sides of the grids, from 1 to 32768; any order, also more than there are pixels.
    reduce : {"mean", "max"}, optional
        What becomes of the pixels of a window. NaN makes either NaN.
    num_threads : int, optional
        Threads to use; by default `superpix.get_num_threads`. No bit of the result depends on it.

    Returns
    -------
    tuple of ndarray, [C, b, b] or [B, C, b, b]
        One for each of ``bins``, with the dtype of ``features``. They are views of one array.

    Raises
    ------
    TypeError
        An argument has the wrong type, or an array another dtype.
    ValueError
        A shape does not fit, or a number is out of range.

    References
    ----------
    Zhao et al., "Pyramid Scene Parsing Network", CVPR 2017, section 3.2.

    Examples
    --------
    >>> import numpy as np, superpix
    >>> features = np.arange(24, dtype=np.float32).reshape(1, 4, 6)
    >>> whole, quarters = superpix.pyramid_pool(features, (1, 2))
    >>> whole.tolist(), quarters.tolist()
    ([[[11.5]]], [[[4.0, 7.0], [16.0, 19.0]]])
    """
    values = _arguments.planes(features, "features", "[C, H, W] or [B, C, H, W]")
    if not isinstance(bins, tuple | list):
        raise TypeError(f"bins must be a tuple of integers, got {_arguments.shown(bins)}")
    sides = [_arguments.bounded(side, "bins") for side in bins]
    if not isinstance(reduce, str):
        raise TypeError(f"reduce must be 'mean' or 'max', got {_arguments.shown(reduce)}")
    pooled = np.empty((*values.shape[:-2], _core.pyramid_pool_size(sides)), values.dtype)
    _core.pyramid_pool(
        _arguments.batched(values, 4),
        _arguments.batched(pooled, 3),
        None,
        bins=sides,
        reduce=reduce,
        num_threads=_arguments.threads(num_threads),
    )
    levels = np.split(pooled, np.cumsum([b * b for b in sides])[:-1], axis=-1)
    return tuple(
        level.reshape(*level.shape[:-1], b, b) for level, b in zip(levels, sides, strict=True)
    )
