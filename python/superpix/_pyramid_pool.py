"""Pyramid pooling."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from superpix import _arguments, _core, _device


@_device.any_arrays
def pyramid_pool(
    features: NDArray[Any],
    bins: tuple[int, ...] = (1, 2, 3, 6),
    reduce: str = "mean",
    *,
    device: str = "cpu",
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
    device : {"cpu", "cuda", "cuda:1", ...}, optional
        Where to compute. Arrays are copied to a CUDA device and back.
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
    call = _prepared(features, bins, reduce, _device.where(device, num_threads))
    pooled, _ = _forward(call, with_indices=False)
    levels = _device.split_last(pooled, [b * b for b in call.bins])
    return tuple(
        level.reshape(*level.shape[:-1], b, b) for level, b in zip(levels, call.bins, strict=True)
    )


@_device.any_arrays
def pyramid_pool_backward(
    features: NDArray[Any],
    grad_levels: tuple[NDArray[Any], ...],
    bins: tuple[int, ...] = (1, 2, 3, 6),
    reduce: str = "mean",
    *,
    device: str = "cpu",
    num_threads: int | None = None,
) -> NDArray[Any]:
    """Return the gradient of a loss with respect to the features of `pyramid_pool`.

    For the maximum, computes `pyramid_pool` once more, to see where it is.
    `superpix.torch.pyramid_pool` keeps that.

    Parameters
    ----------
    features, bins, reduce, device, num_threads
        As in `pyramid_pool`.
    grad_levels : tuple of ndarray, [C, b, b] or [B, C, b, b]
        Gradients of the loss with respect to what `pyramid_pool` returned.

    Returns
    -------
    ndarray, shape and dtype of ``features``
        Of equal pixels, the first has the gradient of a maximum.

    Raises
    ------
    TypeError
        An argument has the wrong type, or an array another dtype.
    ValueError
        A shape does not fit, or a number is out of range.

    Examples
    --------
    >>> import numpy as np, superpix
    >>> features = np.zeros((1, 2, 3))
    >>> gradient = superpix.pyramid_pool_backward(features, (np.full((1, 1, 1), 12.0),), (1,))
    >>> gradient.tolist()
    [[[2.0, 2.0, 2.0], [2.0, 2.0, 2.0]]]
    """
    call = _prepared(features, bins, reduce, _device.where(device, num_threads))
    if not isinstance(grad_levels, tuple | list) or len(grad_levels) != len(call.bins):
        raise TypeError(f"grad_levels must be a tuple of {len(call.bins)} arrays")
    flat = []
    for level, b in zip(grad_levels, call.bins, strict=True):
        checked = _arguments.floats(level, "grad_levels")
        expected = (*call.values.shape[:-2], b, b)
        if checked.shape != expected:
            raise ValueError(f"grad_levels must have shape {expected}, got {checked.shape}")
        if checked.dtype != call.values.dtype:
            raise TypeError(
                f"grad_levels must be {call.values.dtype} like features, got {checked.dtype}"
            )
        flat.append(checked.reshape(*expected[:-2], b * b))
    indices = _forward(call, with_indices=True)[1] if call.reduce == "max" else None
    grad_features = _device.empty(call.values.shape, call.values.dtype, call.values)
    grad_pooled = _device.concatenate_last(flat, call.values)
    _device.run(
        _core.pyramid_pool_backward,
        call.where,
        (_arguments.batched(grad_pooled, 3), indices),
        (_arguments.batched(grad_features, 4),),
        bins=call.bins,
        reduce=call.reduce,
    )
    return grad_features


class _Call(NamedTuple):
    """Checked arguments."""

    values: NDArray[Any]
    bins: list[int]
    reduce: str
    where: _device.Where


def _prepared(
    features: NDArray[Any], bins: tuple[int, ...], reduce: str, where: _device.Where
) -> _Call:
    values = _arguments.planes(features, "features", "[C, H, W] or [B, C, H, W]")
    if not isinstance(bins, tuple | list):
        raise TypeError(f"bins must be a tuple of integers, got {_arguments.shown(bins)}")
    sides = [_arguments.bounded(side, "bins") for side in bins]
    if not isinstance(reduce, str):
        raise TypeError(f"reduce must be 'mean' or 'max', got {_arguments.shown(reduce)}")
    return _Call(values, sides, reduce, where)


def _forward(call: _Call, *, with_indices: bool) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Return the windows of all levels, and [B, C, T] where their maxima are."""
    shape = (*call.values.shape[:-2], _core.pyramid_pool_size(call.bins))
    pooled = _device.empty(shape, call.values.dtype, call.values)
    indices = None
    if with_indices:
        indices = _device.empty(_arguments.batched(pooled, 3).shape, np.int32, call.values)
    _device.run(
        _core.pyramid_pool,
        call.where,
        (_arguments.batched(call.values, 4),),
        (_arguments.batched(pooled, 3), indices),
        bins=call.bins,
        reduce=call.reduce,
    )
    return pooled, indices
