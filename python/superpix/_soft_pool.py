"""Means over soft superpixels, and back to pixels."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from superpix import _arguments, _core, _device


@_device.any_arrays
def soft_pool(
    values: NDArray[Any],
    association: NDArray[Any],
    grid: tuple[int, int],
    *,
    eps: float = 1e-12,
    device: str = "cpu",
    num_threads: int | None = None,
) -> NDArray[Any]:
    """Average values over superpixels that pixels belong to in part.

    With Q_pi the association of pixel p with superpixel i and V_p the values of p::

        P_i = sum over p of Q_pi V_p / (Z_i + eps),  Z_i = sum over p of Q_pi

    What the association says of superpixels beyond the grid is left out.

    Parameters
    ----------
    values : ndarray of float32 or float64, [D, H, W] or [B, D, H, W]
        Any strides; what is not C-contiguous is copied.
    association : ndarray, [9, H, W] or [B, 9, H, W]
        As `soft_slic` returns it, dtype of ``values``. It need not sum to 1.
    grid : (int, int)
        Rows and columns of superpixels, K = rows * columns, as in `soft_slic`.
    eps : float, optional
        Added to the weight of a superpixel; at least 0. One without weight gets 0 if it is more.
    device : {"cpu", "cuda", "cuda:1", ...}, optional
        Where to compute. Arrays are copied to a CUDA device and back.
    num_threads : int, optional
        Threads to use; by default `superpix.get_num_threads`. No bit of the result depends on it.

    Returns
    -------
    ndarray, [D, K] or [B, D, K]
        P, superpixels in row-major order, dtype of ``values``.

    Raises
    ------
    TypeError
        An argument has the wrong type, or an array another dtype.
    ValueError
        A shape does not fit, or a number is out of range.

    See Also
    --------
    soft_unpool : The way back.

    References
    ----------
    Jampani et al., "Superpixel Sampling Networks", ECCV 2018, section 3.1. With eps=256e-8 it is
    what Yang et al., "Superpixel Segmentation with Fully Convolutional Networks", CVPR 2020, do in
    cells of 16 x 16 pixels.

    Examples
    --------
    >>> import numpy as np, superpix
    >>> values = np.arange(24.0).reshape(1, 4, 6)
    >>> association = np.zeros((9, 4, 6))
    >>> association[4] = 1  # every pixel belongs to its own cell
    >>> superpix.soft_pool(values, association, (1, 2)).round(6).tolist()
    [[10.0, 13.0]]
    """
    pixels = _arguments.planes(values, "values", "[D, H, W] or [B, D, H, W]")
    rows, columns = _arguments.grid(grid, pixels.shape)
    shape = (*pixels.shape[:-3], 9, *pixels.shape[-2:])
    shares = _arguments.alike(association, "association", shape, pixels, "values")
    pooled = _device.empty((*pixels.shape[:-2], rows * columns), pixels.dtype, pixels)
    _device.run(
        _core.soft_pool,
        _device.where(device, num_threads),
        (_arguments.batched(pixels, 4), _arguments.batched(shares, 4)),
        (_arguments.batched(pooled, 3), None),
        rows=rows,
        columns=columns,
        eps=_arguments.number(eps, "eps"),
    )
    return pooled


@_device.any_arrays
def soft_unpool(
    centers: NDArray[Any],
    association: NDArray[Any],
    grid: tuple[int, int],
    *,
    normalize: bool = True,
    device: str = "cpu",
    num_threads: int | None = None,
) -> NDArray[Any]:
    """Average for every pixel the superpixels that it belongs to in part.

    With Q_pi the association of pixel p with superpixel i and S_i what belongs to i::

        O_p = sum over i of Q_pi S_i / R_p,  R_p = sum over i of Q_pi

    What the association says of superpixels beyond the grid is left out. Where R_p is 0, or so
    small that 1 / R_p overflows, O_p is 0.

    Parameters
    ----------
    centers : ndarray of float32 or float64, [D, K] or [B, D, K]
        Superpixels in row-major order, K = rows * columns. What is not C-contiguous is copied.
    association : ndarray, [9, H, W] or [B, 9, H, W]
        As `soft_slic` returns it, dtype of ``centers``. It need not sum to 1.
    grid : (int, int)
        Rows and columns of superpixels, as in `soft_slic`.
    normalize : bool, optional
        False leaves out the division by R_p: what pixels at the border give to superpixels beyond
        it then counts as 0.
    device : {"cpu", "cuda", "cuda:1", ...}, optional
        Where to compute. Arrays are copied to a CUDA device and back.
    num_threads : int, optional
        Threads to use; by default `superpix.get_num_threads`. No bit of the result depends on it.

    Returns
    -------
    ndarray, [D, H, W] or [B, D, H, W]
        O, dtype of ``centers``.

    Raises
    ------
    TypeError
        An argument has the wrong type, or an array another dtype.
    ValueError
        A shape does not fit, or a number is out of range.

    See Also
    --------
    soft_pool : The way from pixels to superpixels.

    References
    ----------
    Jampani et al., "Superpixel Sampling Networks", ECCV 2018, section 3.1; without the division,
    Yang et al., "Superpixel Segmentation with Fully Convolutional Networks", CVPR 2020.

    Examples
    --------
    >>> import numpy as np, superpix
    >>> association = np.zeros((9, 2, 4))
    >>> association[4] = 1  # every pixel belongs to its own cell
    >>> superpix.soft_unpool(np.array([[5.0, 7.0]]), association, (1, 2)).tolist()
    [[[5.0, 5.0, 7.0, 7.0], [5.0, 5.0, 7.0, 7.0]]]
    """
    superpixels = _arguments.floats(centers, "centers")
    if superpixels.ndim not in (2, 3):
        raise ValueError(f"centers must be [D, K] or [B, D, K], got shape {superpixels.shape}")
    shares = _arguments.planes(association, "association", "[9, H, W] or [B, 9, H, W]")
    rows, columns = _arguments.grid(grid, shares.shape)
    shape = (*superpixels.shape[:-2], 9, *shares.shape[-2:])
    shares = _arguments.alike(shares, "association", shape, superpixels, "centers")
    out = _device.empty(
        (*superpixels.shape[:-1], *shares.shape[-2:]), superpixels.dtype, superpixels
    )
    _device.run(
        _core.soft_unpool,
        _device.where(device, num_threads),
        (_arguments.batched(superpixels, 3), _arguments.batched(shares, 4)),
        (_arguments.batched(out, 4),),
        rows=rows,
        columns=columns,
        normalize=_arguments.flag(normalize, "normalize"),
    )
    return out
