"""Soft SLIC."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from superpix import _arguments, _core


class SoftSlicResult(NamedTuple):
    """What `soft_slic` returns: [9, H, W] and [C, K], with a batch in front if there was one."""

    association: NDArray[Any]
    centers: NDArray[Any]


def soft_slic(
    features: NDArray[Any],
    grid: tuple[int, int],
    num_iter: int = 10,
    *,
    temperature: float = 1.0,
    initial_centers: NDArray[Any] | None = None,
    num_threads: int | None = None,
) -> SoftSlicResult:
    """Associate every pixel with nine superpixels, each in part.

    For t = 1 ... ``num_iter``, F_p being the features of pixel p and S_i the centre of superpixel
    i::

        A_pi = softmax over the candidates i of p of -|F_p - S_i|^2 / temperature
        S_i  = sum over p of A_pi F_p / sum over p of A_pi

    The candidates of a pixel are the superpixels of the 3 x 3 cells around its own, for all
    iterations. Positions count only if they are among the features.

    Parameters
    ----------
    features : ndarray of float32 or float64, [C, H, W] or [B, C, H, W]
        Any strides; what is not C-contiguous is copied.
    grid : (int, int)
        Rows and columns of superpixels, K = rows * columns; at most H and W. Pixel (y, x) lies in
        the cell of row ``y * rows // H`` and column ``x * columns // W``.
    num_iter : int, optional
        Iterations, at least 1.
    temperature : float, optional
        Squared distances are divided by it; greater than 0.
    initial_centers : ndarray, [C, K] or [B, C, K], optional
        dtype of ``features``. By default the means of the cells.
    num_threads : int, optional
        Threads to use; by default `superpix.get_num_threads`. No bit of the result depends on it.

    Returns
    -------
    association : ndarray, [9, H, W] or [B, 9, H, W]
        The last A. Channel ``3 * (dy + 1) + dx + 1`` is the superpixel ``dy`` cells below the
        pixel's own and ``dx`` to the right; 0 where there is none.
    centers : ndarray, [C, K] or [B, C, K]
        The last S, superpixels in row-major order. One whose pixels weigh less than 1e-3 in all
        keeps its centre.

    Raises
    ------
    TypeError
        An argument has the wrong type, or an array another dtype.
    ValueError
        A shape does not fit, or a number is out of range.

    References
    ----------
    Jampani et al., "Superpixel Sampling Networks", ECCV 2018, section 3; with A normalised over
    superpixels before the update, as in the published code.

    Examples
    --------
    >>> import numpy as np, superpix
    >>> y, x = np.mgrid[:20, :30]
    >>> result = superpix.soft_slic(np.stack([y, x]).astype(np.float32), (2, 3))
    >>> result.association.shape, result.centers.shape
    ((9, 20, 30), (2, 6))
    """
    values = _arguments.planes(features, "features", "[C, H, W] or [B, C, H, W]")
    rows, columns = _arguments.grid(grid, values.shape)
    start = None
    if initial_centers is not None:
        start = _arguments.floats(initial_centers, "initial_centers")
        expected = (*values.shape[:-2], rows * columns)
        if start.shape != expected:
            raise ValueError(f"initial_centers must have shape {expected}, got {start.shape}")
        if start.dtype != values.dtype:
            raise TypeError(
                f"initial_centers must be {values.dtype} like features, got {start.dtype}"
            )
    batch, height, width = values.shape[:-3], *values.shape[-2:]
    association = np.empty((*batch, 9, height, width), values.dtype)
    centers = np.empty((*batch, values.shape[-3], rows * columns), values.dtype)
    _core.soft_slic(
        _arguments.batched(values, 4),
        None if start is None else _arguments.batched(start, 3),
        _arguments.batched(association, 4),
        _arguments.batched(centers, 3),
        None,
        rows=rows,
        columns=columns,
        num_iter=_arguments.bounded(num_iter, "num_iter"),
        temperature=_arguments.number(temperature, "temperature"),
        num_threads=_arguments.threads(num_threads),
    )
    return SoftSlicResult(association, centers)
