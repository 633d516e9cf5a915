"""Connected superpixels of a reasonable size."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from superpix import _arguments, _core, _device
from superpix._device_array import DeviceArray


@_device.any_arrays
def enforce_connectivity(
    labels: NDArray[Any],
    min_size: int,
    max_size: int | None = None,
    *,
    max_segments: int | None = None,
    image: NDArray[Any] | None = None,
    start_label: int = 1,
    channel_axis: int | None = -1,
    refine_iter: int = 0,
    position_weight: float = 0.0,
    smoothness: float = 2.0,
    device: str = "cpu",
    num_threads: int | None = None,
) -> NDArray[np.int32]:
    """Make every label one connected component that is neither too small nor too large.

    Components of equal labels, 4-connected in 2-D and 6-connected in 3-D, get labels of their own.
    Those above ``max_size`` are split. Those below ``min_size`` join a neighbour, the smallest
    first: the one with the least ``(1 + d**2) * s * t / (s + t) / border``, where ``d`` is the
    difference of mean colours, ``s`` and ``t`` are the sizes, and ``border`` is the length of the
    shared border. Merged components may exceed ``max_size``.

    With ``max_segments``, neighbours then join in rounds until there are no more than that: of the
    pairs that are each other's least by the same measure, the half with the least (where such pairs
    are few, of all pairs of which one is the other's least). Twice as many superpixels as are
    wanted, joined to as many as are wanted, are more accurate, and less regular.

    With ``refine_iter``, borders then follow the image more closely: a border pixel takes the label
    of one of its 4 neighbours which has the lesser ``d**2 + position_weight * r**2 - smoothness *
    n``, where ``d`` and ``r`` are the distances of its colour and of its position, in pixels, from
    the means of the component, and ``n`` of its 8 neighbours have the label. Components stay
    connected and do not shrink below ``min_size``.

    Parameters
    ----------
    labels : ndarray of integers, [H, W] or [D, H, W]
        Negative labels are ignored.
    min_size : int
        Least number of pixels of a component; one that has no neighbour stays all the same.
    max_size : int, optional
        Greatest number of pixels before merging; by default there is no limit.
    max_segments : int, optional
        Greatest number of components; by default there is no limit. Those without a neighbour stay
        all the same.
    image : ndarray, optional
        The colours by which neighbours are told apart, of the shape of ``labels``, with channels
        along ``channel_axis``. The 1 above is a squared colour difference that does not matter:
        CIELAB (`superpix.rgb_to_lab`) is meant. Without an image only sizes and borders count.
    start_label : int, optional
        The first label of the result.
    channel_axis : int or None, optional
        The channel axis of ``image``; None when it has the shape of ``labels``.
    refine_iter : int, optional
        Rounds of border refinement (2-D, with an image); 0 leaves borders as they are. Labels keep
        their numbers, which then need not be in raster order.
    position_weight, smoothness : float, optional
        See above, in squared units of the image. Those of `slic` are 25 over the mean number of
        pixels of a superpixel, and 2.
    device : {"cpu", "cuda", "cuda:1", ...}, optional
        Where to compute. Arrays are copied to a CUDA device and back.
    num_threads : int, optional
        Threads to use; by default `superpix.get_num_threads`. The result does not depend on it.

    Returns
    -------
    ndarray of int32
        The shape of ``labels``; labels from ``start_label`` on without gaps, in raster order of
        their first pixels, and ``start_label - 1`` where ``labels`` is negative.

    Raises
    ------
    TypeError
        ``labels`` are not integers, or an argument is of the wrong type.
    ValueError
        ``labels`` are not 2-D or 3-D, ``image`` does not fit them or is not finite, or a number is
        out of range.

    Examples
    --------
    >>> import numpy as np, superpix
    >>> superpix.enforce_connectivity(np.array([[5, 5, 5, 7, 5, 5]]), min_size=2)
    array([[1, 1, 1, 1, 2, 2]], dtype=int32)
    """
    checked = _arguments.array(labels, "labels")
    if checked.dtype.kind not in "iu":
        raise TypeError(f"labels must be integers, got {checked.dtype}")
    if checked.ndim not in (2, 3):
        raise ValueError(f"labels must be 2-D or 3-D, got {checked.ndim}-D")
    least = _arguments.integer(min_size, "min_size")
    if least < 0:
        raise ValueError(f"min_size must be at least 0, got {least}")
    most = 0 if max_size is None else _arguments.integer(max_size, "max_size")
    if max_size is not None and most < 1:
        raise ValueError(f"max_size must be at least 1, got {most}")
    limit = 0 if max_segments is None else _arguments.integer(max_segments, "max_segments")
    if max_segments is not None and limit < 1:
        raise ValueError(f"max_segments must be at least 1, got {limit}")
    start = _arguments.integer(start_label, "start_label")
    if not -(2**31) < start < 2**31 - checked.size:
        raise ValueError(f"start_label must leave room for the labels in int32, got {start}")
    output = _device.empty(checked.shape, np.int32, checked)
    _device.run(
        _core.enforce_connectivity,
        _device.where(device, num_threads),
        (
            _arguments.native(checked),
            None if image is None else _colors(image, checked, channel_axis),
        ),
        (output,),
        min_size=_arguments.limited(least, "min_size"),
        max_size=_arguments.limited(most, "max_size"),
        max_segments=_arguments.limited(limit, "max_segments"),
        start_label=start,
        refine_iter=_rounds(refine_iter, checked, image),
        position_weight=_weight(position_weight, "position_weight"),
        smoothness=_weight(smoothness, "smoothness"),
    )
    return output


def _rounds(refine_iter: int, labels: NDArray[Any], image: NDArray[Any] | None) -> int:
    rounds = _arguments.bounded(refine_iter, "refine_iter")
    if rounds < 0:
        raise ValueError(f"refine_iter must be at least 0, got {rounds}")
    if rounds > 0 and (labels.ndim != 2 or image is None):
        raise ValueError(f"refine_iter must be 0 for volumes and without an image, got {rounds}")
    return rounds


def _weight(value: float, name: str) -> float:
    weight = _arguments.number(value, name)
    if not 0 <= weight <= 1e30:
        raise ValueError(f"{name} must be from 0 to 1e30, got {weight}")
    return weight


def _colors(
    image: NDArray[Any], labels: NDArray[Any], channel_axis: int | None
) -> NDArray[np.float32]:
    colors = _arguments.real_array(image, "image")
    if channel_axis is None:
        colors = colors[..., np.newaxis]
    else:
        if colors.ndim != labels.ndim + 1:
            raise ValueError(
                f"image must have the shape of labels, {labels.shape}, and a channel axis, "
                f"got {colors.shape}; channel_axis=None is for an image without channels"
            )
        colors = _arguments.moveaxis(
            colors, _arguments.axis(channel_axis, colors.ndim, "channel_axis"), -1
        )
    if colors.shape[:-1] != labels.shape:
        raise ValueError(
            f"image must have the shape of labels, {labels.shape}, got {colors.shape[:-1]}"
        )
    if colors.shape[-1] == 0:
        raise ValueError("image must have at least one channel, got none")
    if isinstance(colors, DeviceArray):
        if colors.dtype != np.float32:
            raise TypeError(f"image must be float32 on CUDA, got {colors.dtype}")
        return _arguments.contiguous(colors, "image")
    result = np.ascontiguousarray(colors, dtype=np.float32)
    if not np.isfinite(result).all():
        raise ValueError("image must be finite")
    return result
