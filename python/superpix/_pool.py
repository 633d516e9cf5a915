"""Pooling over labels, and back."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from superpix import _arguments, _core, _device

Reduce = Literal["sum", "mean", "max", "min"]


@_device.any_arrays
def pool(
    features: NDArray[Any],
    labels: NDArray[Any],
    num_segments: int,
    reduce: Reduce = "mean",
    *,
    device: str = "cpu",
    num_threads: int | None = None,
) -> NDArray[Any]:
    """Pool features over segments: one value for every segment and channel.

    Parameters
    ----------
    features : ndarray of float32 or float64, [C, H, W] or [B, C, H, W]
        Any strides; what is not C-contiguous is copied.
    labels : ndarray of int32 or int64, [Hl, Wl] or [B, Hl, Wl]
        The segment of each pixel, from 0 to ``num_segments - 1``; -1 for pixels of no segment.
        May have a higher resolution than the features: pixel (y, x) then lies in the cell
        ``(y * H // Hl, x * W // Wl)`` of the features. `slic` makes such labels with
        ``start_label=0``.
    num_segments : int
        K. Segments need not have pixels: for a batch, the most that an image may have.
    reduce : {"mean", "sum", "max", "min"}, optional
        Mean and sum count a cell once for every pixel of the segment in it; maximum and minimum are
        those of the cells that the segment touches. NaN in a segment makes the result NaN.
    device : {"cpu", "cuda", "cuda:1", ...}, optional
        Where to compute. Arrays are copied to a CUDA device and back.
    num_threads : int, optional
        Threads to use; by default `superpix.get_num_threads`. No bit of the result depends on it.

    Returns
    -------
    ndarray, [C, K] or [B, C, K]
        dtype of ``features``; 0 for a segment without pixels. Large segments are as accurate as
        small ones: the relative error of a mean of positive float32 values is below 4e-6.

    Raises
    ------
    TypeError
        An argument has the wrong type, or an array another dtype.
    ValueError
        A shape does not fit, or a label or number is out of range.

    References
    ----------
    Kwak et al., "Weakly Supervised Semantic Segmentation Using Superpixel Pooling Network", AAAI
    2017: means of labels of a higher resolution.

    Examples
    --------
    >>> import numpy as np, superpix
    >>> features = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    >>> labels = np.array([[0, 0, 1], [0, 1, -1]])
    >>> superpix.pool(features, labels, 3)
    array([[1.3333334, 3.       , 0.       ]], dtype=float32)
    """
    values = _arguments.planes(features, "features", "[C, H, W] or [B, C, H, W]")
    label_map = _labels(labels, values.ndim - 1)
    segments = _segments(num_segments)
    how = _reduction(reduce)
    pooled = _device.empty((*values.shape[:-2], segments), values.dtype, values)
    _device.run(
        _core.pool,
        _checked_where(device, num_threads, label_map, segments),
        (_arguments.batched(values, 4), _arguments.batched(label_map, 3)),
        (_arguments.batched(pooled, 3), None),
        reduce=how,
    )
    return pooled


@_device.any_arrays
def unpool(
    pooled: NDArray[Any],
    labels: NDArray[Any],
    *,
    device: str = "cpu",
    num_threads: int | None = None,
) -> NDArray[Any]:
    """Give every pixel what its segment has.

    Parameters
    ----------
    pooled : ndarray of float32 or float64, [C, K] or [B, C, K]
        Any strides; what is not C-contiguous is copied.
    labels : ndarray of int32 or int64, [H, W] or [B, H, W]
        The segment of each pixel, from 0 to K - 1; -1 for pixels of no segment.
    device : {"cpu", "cuda", "cuda:1", ...}, optional
        Where to compute. Arrays are copied to a CUDA device and back.
    num_threads : int, optional
        Threads to use; by default `superpix.get_num_threads`.

    Returns
    -------
    ndarray, [C, H, W] or [B, C, H, W]
        dtype of ``pooled``; 0 where the label is -1.

    Raises
    ------
    TypeError
        An argument has the wrong type, or an array another dtype.
    ValueError
        A shape does not fit, or a label is out of range.

    Examples
    --------
    >>> import numpy as np, superpix
    >>> superpix.unpool(np.array([[5.0, 7.0]]), np.array([[0, 0, 1], [0, 1, -1]]))
    array([[[5., 5., 7.],
            [5., 7., 0.]]])
    """
    values = _arguments.floats(pooled, "pooled")
    if values.ndim not in (2, 3):
        raise ValueError(f"pooled must be [C, K] or [B, C, K], got shape {values.shape}")
    label_map = _labels(labels, values.ndim)
    out = _device.empty((*values.shape[:-1], *label_map.shape[-2:]), values.dtype, values)
    _device.run(
        _core.unpool,
        _checked_where(device, num_threads, label_map, values.shape[-1]),
        (_arguments.batched(values, 3), _arguments.batched(label_map, 3)),
        (_arguments.batched(out, 4),),
    )
    return out


def _labels(labels: object, ndim: int) -> NDArray[Any]:
    """Return ``labels`` as a C-contiguous array if it is int32 or int64 and has ``ndim`` axes."""
    checked = _arguments.native(_arguments.array(labels, "labels"))
    if checked.dtype not in (np.int32, np.int64):
        raise TypeError(f"labels must be int32 or int64, got {checked.dtype}")
    if checked.ndim != ndim:
        layout = "[H, W]" if ndim == 2 else "[B, H, W]"
        raise ValueError(f"labels must be {layout} like the batch, got shape {checked.shape}")
    return _arguments.contiguous(checked, "labels")


def _checked_where(
    device: str, num_threads: int | None, labels: NDArray[Any], segments: int
) -> _device.Where:
    """Return where to compute; labels are checked here for CUDA, which cannot report them."""
    where = _device.where(device, num_threads)
    if isinstance(where, _device.Cuda) and isinstance(labels, np.ndarray) and labels.size > 0:
        least, most = labels.min(), labels.max()
        if least < -1 or most >= segments:
            label = least if least < -1 else most
            raise ValueError(
                f"labels must be from 0 to num_segments - 1 = {segments - 1}, or -1, got {label}"
            )
    return where


def _segments(value: object) -> int:
    """Return ``value`` as a number of segments."""
    segments = _arguments.bounded(value, "num_segments")
    if segments < 1:
        raise ValueError(f"num_segments must be at least 1, got {segments}")
    return segments


def _reduction(value: object) -> str:
    """Return ``value`` if it names a reduction."""
    if not isinstance(value, str):
        raise TypeError(f"reduce must be a string, got {_arguments.shown(value)}")
    if value not in get_args(Reduce):
        raise ValueError(f"reduce must be one of {get_args(Reduce)}, got {value!r}")
    return value
