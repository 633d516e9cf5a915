"""From soft superpixels to labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from superpix import _arguments, _core, _device


@_device.any_arrays
def hard_labels(
    association: NDArray[Any],
    grid: tuple[int, int],
    *,
    device: str = "cpu",
    num_threads: int | None = None,
) -> NDArray[np.int32]:
    """Return the superpixel that each pixel belongs to most.

    A label need not be one connected component: `superpix.enforce_connectivity` makes it one, image
    by image.

    Parameters
    ----------
    association : ndarray of float32 or float64, [9, H, W] or [B, 9, H, W]
        As `soft_slic` returns it. What it says of superpixels beyond the grid is left out.
    grid : (int, int)
        Rows and columns of superpixels, as in `soft_slic`.
    device : {"cpu", "cuda", "cuda:1", ...}, optional
        Where to compute. Arrays are copied to a CUDA device and back.
    num_threads : int, optional
        Threads to use; by default `superpix.get_num_threads`.

    Returns
    -------
    ndarray of int32, [H, W] or [B, H, W]
        Indices of superpixels in row-major order, from 0 to rows * columns - 1. The lowest channel
        of the association wins ties, and NaN counts as the greatest value.

    Raises
    ------
    TypeError
        An argument has the wrong type, or an array another dtype.
    ValueError
        A shape does not fit, or a number is out of range.

    Examples
    --------
    >>> import numpy as np, superpix
    >>> association = np.zeros((9, 2, 4), np.float32)
    >>> association[4] = 1  # every pixel belongs to its own cell
    >>> superpix.hard_labels(association, (1, 2)).tolist()
    [[0, 0, 1, 1], [0, 0, 1, 1]]
    """
    shares = _arguments.planes(association, "association", "[9, H, W] or [B, 9, H, W]")
    rows, columns = _arguments.grid(grid, shares.shape)
    labels = _device.empty((*shares.shape[:-3], *shares.shape[-2:]), np.int32, shares)
    _device.run(
        _core.hard_labels,
        _device.where(device, num_threads),
        (_arguments.batched(shares, 4),),
        (_arguments.batched(labels, 3),),
        rows=rows,
        columns=columns,
    )
    return labels
