"""Soft SLIC: all of its iterations as one differentiable op."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from superpix import _core
from superpix.torch import _library, _plain


class SoftSlicResult(NamedTuple):
    """What `soft_slic` returns: association [B, 9, H, W] and centers [B, C, K]."""

    association: Tensor
    centers: Tensor


def soft_slic(
    features: Tensor,
    grid: tuple[int, int],
    num_iter: int = 10,
    *,
    temperature: float = 1.0,
    initial_centers: Tensor | None = None,
    grad_iter: int | None = None,
) -> SoftSlicResult:
    """Associate every pixel with nine superpixels, each in part.

    For t = 1 ... ``num_iter``, F_p being the features of pixel p and S_i the centre of superpixel
    i::

        A_pi = softmax over the candidates i of p of -|F_p - S_i|^2 / temperature
        S_i  = sum over p of A_pi F_p / sum over p of A_pi

    The candidates of a pixel are the superpixels of the 3 x 3 cells around its own, for all
    iterations. Positions count only if they are among the features: 2.5 times those in units of
    superpixels, beside features of networks or CIELAB times 0.26, give compact ones (SSN). Memory
    beyond arguments and results, gradients included, is a few percent of the features: backward
    computes the associations of all iterations anew.

    Parameters
    ----------
    features : Tensor, [B, C, H, W]
        float16, bfloat16, float32 or float64; any strides. Differentiable.
    grid : (int, int)
        Rows and columns of superpixels, K = rows * columns; at most H and W. Pixel (y, x) lies in
        the cell of row ``y * rows // H`` and column ``x * columns // W``.
    num_iter : int, optional
        Iterations, at least 1.
    temperature : float, optional
        Squared distances are divided by it; greater than 0.
    initial_centers : Tensor, [B, C, K], optional
        dtype of ``features``; under autocast, where they differ, the wider dtype is taken for both.
        By default the means of the cells. Differentiable.
    grad_iter : int, optional
        How many iterations, from the last on, gradients go back through; by default all, and the
        means that they start from.

    Returns
    -------
    association : Tensor, [B, 9, H, W]
        The last A, dtype of ``features``. Channel ``3 * (dy + 1) + dx + 1`` is the superpixel
        ``dy`` cells below the pixel's own and ``dx`` to the right; 0 where there is none.
    centers : Tensor, [B, C, K]
        The last S, superpixels in row-major order. One whose pixels weigh less than 1e-3 in all
        keeps its centre.

    Raises
    ------
    TypeError
        An argument has the wrong type or dtype.
    ValueError
        A shape does not fit, or a number is out of range.

    References
    ----------
    Jampani et al., "Superpixel Sampling Networks", ECCV 2018, section 3; with A normalised over
    superpixels before the update, as in the published code.

    Examples
    --------
    >>> import torch
    >>> from superpix.torch import soft_slic
    >>> features = torch.randn(2, 5, 20, 30, requires_grad=True)
    >>> association, centers = soft_slic(features, (2, 3))
    >>> association.shape, centers.shape
    (torch.Size([2, 9, 20, 30]), torch.Size([2, 5, 6]))
    >>> centers.sum().backward()
    """
    _library.check_floating(features, "features", 4, "[B, C, H, W]")
    rows, columns = _library.check_grid(grid, *features.shape[2:])
    num_iter = _library.positive(num_iter, "num_iter")
    temperature = _library.number(temperature, "temperature")
    grad_iter = 0 if grad_iter is None else _library.positive(grad_iter, "grad_iter")
    if initial_centers is not None:
        _library.check_floating(initial_centers, "initial_centers", 3, "[B, C, K]")
        initial_centers, features = _library.alike(
            initial_centers, "initial_centers", features, "features"
        )
    association, centers, _ = _call(
        features, initial_centers, rows, columns, num_iter, temperature, grad_iter
    )
    return SoftSlicResult(association, centers)


class SoftSLIC(nn.Module):
    """`soft_slic` as a layer without parameters: [B, C, H, W] -> ([B, 9, H, W], [B, C, K]).

    Parameters are those of `soft_slic`.
    """

    def __init__(
        self,
        grid: tuple[int, int],
        num_iter: int = 10,
        *,
        temperature: float = 1.0,
        grad_iter: int | None = None,
    ) -> None:
        super().__init__()
        rows, columns = _library.sides(grid)
        if rows < 1 or columns < 1:
            raise ValueError(f"grid must have at least 1 row and 1 column, got {(rows, columns)}")
        self.grid = rows, columns
        self.num_iter = _library.positive(num_iter, "num_iter")
        self.temperature = _library.number(temperature, "temperature")
        if not 0 < self.temperature < math.inf:
            raise ValueError(
                f"temperature must be finite and greater than 0, got {self.temperature}"
            )
        self.grad_iter = None if grad_iter is None else _library.positive(grad_iter, "grad_iter")

    def forward(self, features: Tensor, initial_centers: Tensor | None = None) -> SoftSlicResult:
        """Return association and centers."""
        return soft_slic(
            features,
            self.grid,
            self.num_iter,
            temperature=self.temperature,
            initial_centers=initial_centers,
            grad_iter=self.grad_iter,
        )

    def extra_repr(self) -> str:
        """Return the parameters, for print()."""
        return f"grid={self.grid}, num_iter={self.num_iter}, temperature={self.temperature}"


def _empty_outputs(
    features: Tensor,
    initial_centers: Tensor | None,
    rows: int,
    columns: int,
    num_iter: int,
    *_: Any,
) -> tuple[Tensor, Tensor, Tensor]:
    batch, channels, height, width = features.shape
    superpixels = rows * columns
    # The centres of all iterations, which backward needs, are in the precision of the computation.
    # Naming the dtype takes as long as the allocation, so only halves do.
    is_half = features.dtype in (torch.float16, torch.bfloat16)
    like = features.new_empty(0, dtype=torch.float32) if is_half else features
    return (
        features.new_empty(batch, 9, height, width),
        features.new_empty(batch, channels, superpixels),
        like.new_empty(num_iter + 1, batch, superpixels, channels + 1),
    )


def _forward_in_core(
    features: Tensor,
    initial_centers: Tensor | None,
    rows: int,
    columns: int,
    num_iter: int,
    temperature: float,
    grad_iter: int,
) -> tuple[Tensor, Tensor, Tensor]:
    features = features.contiguous()
    initial_centers = _library.contiguous(initial_centers)
    association, centers, history = _empty_outputs(
        features, initial_centers, rows, columns, num_iter
    )
    association = _library.in_kept_memory(association)
    _core.soft_slic(
        _library.view(features),
        _library.optional_view(initial_centers),
        _library.view(association),
        _library.view(centers),
        _library.view(history),
        rows,
        columns,
        num_iter,
        temperature,
        _library.where(features),
    )
    return association, centers, history


def _empty_gradients(
    features: Tensor,
    initial_centers: Tensor | None,
    *_: Any,
) -> tuple[Tensor, Tensor]:
    grad_features = torch.empty_like(features, memory_format=torch.contiguous_format)
    if initial_centers is None:
        return grad_features, features.new_empty(features.shape[0], 0)
    return grad_features, torch.empty_like(initial_centers, memory_format=torch.contiguous_format)


def _backward_in_core(
    features: Tensor,
    initial_centers: Tensor | None,
    history: Tensor,
    grad_association: Tensor | None,
    grad_centers: Tensor | None,
    rows: int,
    columns: int,
    num_iter: int,
    temperature: float,
    grad_iter: int,
) -> tuple[Tensor, Tensor]:
    features, history = features.contiguous(), history.contiguous()
    grad_association = _library.contiguous(grad_association)
    grad_centers = _library.contiguous(grad_centers)
    grad_features, grad_initial = _empty_gradients(features, initial_centers)
    grad_features = _library.in_kept_memory(grad_features)
    _core.soft_slic_backward(
        _library.view(features),
        _library.view(history),
        _library.optional_view(grad_association),
        _library.optional_view(grad_centers),
        _library.view(grad_features),
        None if initial_centers is None else _library.view(grad_initial),
        rows,
        columns,
        num_iter,
        temperature,
        grad_iter,
        _library.where(features),
    )
    return grad_features, grad_initial


_forward = _library.define(
    "soft_slic(Tensor features, Tensor? initial_centers, SymInt rows, SymInt columns, "
    "int num_iter, float temperature, int grad_iter) "
    "-> (Tensor association, Tensor centers, Tensor history)",
    _forward_in_core,
    _empty_outputs,
    batch_dims=(0, 0, None, None, None, None, None),
    out_batch_dims=(0, 0, 1),
)
_backward = _library.define(
    "soft_slic_backward(Tensor features, Tensor? initial_centers, Tensor history, "
    "Tensor? grad_association, Tensor? grad_centers, SymInt rows, SymInt columns, int num_iter, "
    "float temperature, int grad_iter) -> (Tensor grad_features, Tensor grad_initial)",
    _backward_in_core,
    _empty_gradients,
    batch_dims=(0, 0, 1, 0, 0, None, None, None, None, None),
    out_batch_dims=(0, 0),
)


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    features, initial_centers, *ctx.params = inputs
    ctx.mark_non_differentiable(output[2])
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(features, initial_centers, output[2])


def _gradient(
    ctx: Any, grad_association: Tensor | None, grad_centers: Tensor | None, _: None
) -> tuple[Any, ...]:
    features, initial_centers, history = ctx.saved_tensors
    grad_features, grad_initial = _call_backward(
        features, initial_centers, history, grad_association, grad_centers, *ctx.params
    )
    return (
        grad_features,
        None if initial_centers is None else grad_initial,
        *[None for _ in ctx.params],
    )


def _save_of_backward(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    features, initial_centers, _, grad_association, grad_centers, *ctx.params = inputs
    ctx.save_for_backward(features, initial_centers, grad_association, grad_centers)


def _gradient_of_backward(
    ctx: Any, grad_grad_features: Tensor, grad_grad_initial: Tensor
) -> tuple[Any, ...]:
    """Differentiate plain PyTorch twice: slow, but right, and differentiable again."""
    rows, columns, num_iter, temperature, grad_iter = ctx.params

    def plain(features: Tensor, initial_centers: Tensor | None) -> tuple[Tensor, Tensor]:
        return _plain.soft_slic(
            features, (rows, columns), num_iter, temperature, initial_centers, grad_iter
        )

    saved = ctx.saved_tensors
    cotangents = (grad_grad_features, grad_grad_initial)
    gradients = _plain.second_backward(plain, saved[:2], saved[2:], cotangents)
    features, initial_centers, grad_association, grad_centers = gradients
    return (
        features,
        initial_centers,
        None,
        grad_association,
        grad_centers,
        *[None for _ in ctx.params],
    )


_call = _library.differentiable(_forward, _save, _gradient)
_call_backward = _library.differentiable(_backward, _save_of_backward, _gradient_of_backward)
