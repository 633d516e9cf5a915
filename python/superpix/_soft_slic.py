"""Soft SLIC."""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray

from superpix import _arguments, _core, _device


class SoftSlicResult(NamedTuple):
    """What `soft_slic` returns: [9, H, W] and [C, K], with a batch in front if there was one."""

    association: NDArray[Any]
    centers: NDArray[Any]


@_device.any_arrays
def soft_slic(
    features: NDArray[Any],
    grid: tuple[int, int],
    num_iter: int = 10,
    *,
    temperature: float = 1.0,
    initial_centers: NDArray[Any] | None = None,
    device: str = "cpu",
    num_threads: int | None = None,
) -> SoftSlicResult:
    """Associate every pixel with nine superpixels, each in part.

    For t = 1 ... ``num_iter``, F_p being the features of pixel p and S_i the centre of superpixel
    i::

        A_pi = softmax over the candidates i of p of -|F_p - S_i|^2 / temperature
        S_i  = sum over p of A_pi F_p / sum over p of A_pi

    The candidates of a pixel are the superpixels of the 3 x 3 cells around its own, for all
    iterations. Positions count only if they are among the features: 2.5 times those in units of
    superpixels, beside CIELAB times 0.26, give compact superpixels (SSN).

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
    device : {"cpu", "cuda", "cuda:1", ...}, optional
        Where to compute. Arrays are copied to a CUDA device and back.
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
    association, centers, _ = _forward(
        _prepared(
            features,
            grid,
            num_iter,
            temperature,
            initial_centers,
            _device.where(device, num_threads),
        )
    )
    return SoftSlicResult(association, centers)


class SoftSlicGradients(NamedTuple):
    """What `soft_slic_backward` returns; the shapes are those of the arguments of `soft_slic`."""

    features: NDArray[Any]
    initial_centers: NDArray[Any] | None


@_device.any_arrays
def soft_slic_backward(
    features: NDArray[Any],
    grid: tuple[int, int],
    num_iter: int = 10,
    *,
    grad_association: NDArray[Any] | None = None,
    grad_centers: NDArray[Any] | None = None,
    temperature: float = 1.0,
    initial_centers: NDArray[Any] | None = None,
    grad_iter: int | None = None,
    device: str = "cpu",
    num_threads: int | None = None,
) -> SoftSlicGradients:
    """Return the gradient of a loss with respect to the arguments of `soft_slic`.

    Computes `soft_slic` once more, for the centres of its iterations. `superpix.torch.soft_slic`
    keeps them.

    Parameters
    ----------
    features, grid, num_iter, temperature, initial_centers, device, num_threads
        As in `soft_slic`.
    grad_association : ndarray, shape and dtype of the association, optional
        Gradient of the loss with respect to the association; zero by default.
    grad_centers : ndarray, shape and dtype of the centers, optional
        The same for the centers.
    grad_iter : int, optional
        How many iterations, from the last on, gradients go back through; by default all, and the
        means that they start from.

    Returns
    -------
    features : ndarray, shape and dtype of ``features``
    initial_centers : ndarray, shape and dtype of ``initial_centers``, or None if there are none

    Raises
    ------
    TypeError
        An argument has the wrong type, or an array another dtype.
    ValueError
        A shape does not fit, or a number is out of range.

    Examples
    --------
    >>> import numpy as np, superpix
    >>> features = np.random.default_rng(0).normal(size=(2, 20, 30))
    >>> ones = np.ones((2, 6))
    >>> superpix.soft_slic_backward(features, (2, 3), grad_centers=ones).features.shape
    (2, 20, 30)
    """
    call = _prepared(
        features, grid, num_iter, temperature, initial_centers, _device.where(device, num_threads)
    )
    outer = _optional(grad_association, "grad_association", call.association_shape, call.values)
    inner = _optional(grad_centers, "grad_centers", call.centers_shape, call.values)
    back = 0 if grad_iter is None else _arguments.bounded(grad_iter, "grad_iter")
    if grad_iter is not None and back < 1:
        raise ValueError(f"grad_iter must be at least 1, or None for all, got {back}")
    _, _, history = _forward(call)
    grad_features = _device.empty(call.values.shape, call.values.dtype, call.values)
    grad_initial = (
        None
        if call.start is None
        else _device.empty(call.start.shape, call.start.dtype, call.start)
    )
    _device.run(
        _core.soft_slic_backward,
        call.where,
        (
            _arguments.batched(call.values, 4),
            history,
            None if outer is None else _arguments.batched(outer, 4),
            None if inner is None else _arguments.batched(inner, 3),
        ),
        (
            _arguments.batched(grad_features, 4),
            None if grad_initial is None else _arguments.batched(grad_initial, 3),
        ),
        rows=call.grid[0],
        columns=call.grid[1],
        num_iter=call.num_iter,
        temperature=call.temperature,
        grad_iter=back,
    )
    return SoftSlicGradients(grad_features, grad_initial)


class _Call(NamedTuple):
    """Checked arguments."""

    values: NDArray[Any]
    start: NDArray[Any] | None
    grid: tuple[int, int]
    num_iter: int
    temperature: float
    where: _device.Where

    @property
    def association_shape(self) -> tuple[int, ...]:
        return (*self.values.shape[:-3], 9, *self.values.shape[-2:])

    @property
    def centers_shape(self) -> tuple[int, ...]:
        return (*self.values.shape[:-2], self.grid[0] * self.grid[1])


def _prepared(
    features: NDArray[Any],
    grid: tuple[int, int],
    num_iter: int,
    temperature: float,
    initial_centers: NDArray[Any] | None,
    where: _device.Where,
) -> _Call:
    values = _arguments.planes(features, "features", "[C, H, W] or [B, C, H, W]")
    iterations = _arguments.bounded(num_iter, "num_iter")
    if iterations < 1:
        raise ValueError(f"num_iter must be at least 1, got {iterations}")
    call = _Call(
        values,
        None,
        _arguments.grid(grid, values.shape),
        iterations,
        _arguments.number(temperature, "temperature"),
        where,
    )
    start = _optional(initial_centers, "initial_centers", call.centers_shape, values)
    return call._replace(start=start)


def _optional(
    value: NDArray[Any] | None, name: str, shape: tuple[int, ...], like: NDArray[Any]
) -> NDArray[Any] | None:
    """Return an array of this shape, and of the dtype of the features, or None."""
    if value is None:
        return None
    checked = _arguments.floats(value, name)
    if checked.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {checked.shape}")
    if checked.dtype != like.dtype:
        raise TypeError(f"{name} must be {like.dtype} like features, got {checked.dtype}")
    return checked


def _forward(call: _Call) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return association, centers, and the centres of all iterations."""
    association = _device.empty(call.association_shape, call.values.dtype, call.values)
    centers = _device.empty(call.centers_shape, call.values.dtype, call.values)
    batch, channels, superpixels = _arguments.batched(centers, 3).shape
    history = _device.empty(
        (call.num_iter + 1, batch, superpixels, channels + 1), call.values.dtype, call.values
    )
    _device.run(
        _core.soft_slic,
        call.where,
        (
            _arguments.batched(call.values, 4),
            None if call.start is None else _arguments.batched(call.start, 3),
        ),
        (_arguments.batched(association, 4), _arguments.batched(centers, 3), history),
        rows=call.grid[0],
        columns=call.grid[1],
        num_iter=call.num_iter,
        temperature=call.temperature,
    )
    return association, centers, history
