"""Means over soft superpixels and back to pixels, as differentiable ops."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from superpix import _core
from superpix.torch import _library, _plain


def soft_pool(
    values: Tensor, association: Tensor, grid: tuple[int, int], *, eps: float = 1e-12
) -> Tensor:
    """Average values over superpixels that pixels belong to in part.

    With Q_pi the association of pixel p with superpixel i and V_p the values of p::

        P_i = sum over p of Q_pi V_p / (Z_i + eps),  Z_i = sum over p of Q_pi

    What the association says of superpixels beyond the grid is left out, and has no gradient.

    Parameters
    ----------
    values : Tensor, [B, D, H, W]
        float16, bfloat16, float32 or float64; any strides. Differentiable.
    association : Tensor, [B, 9, H, W]
        As `soft_slic` returns it, dtype of ``values``; under autocast, where they differ, the wider
        dtype is taken for both. It need not sum to 1. Differentiable.
    grid : (int, int)
        Rows and columns of superpixels, K = rows * columns, as in `soft_slic`.
    eps : float, optional
        Added to the weight of a superpixel; at least 0. One without weight gets 0 if it is more.

    Returns
    -------
    Tensor, [B, D, K]
        P, superpixels in row-major order, dtype of ``values``.

    Raises
    ------
    TypeError
        An argument has the wrong type or dtype.
    ValueError
        A shape does not fit, or a number is out of range.

    References
    ----------
    Jampani et al., "Superpixel Sampling Networks", ECCV 2018, section 3.1. With eps=256e-8 it is
    what Yang et al., "Superpixel Segmentation with Fully Convolutional Networks", CVPR 2020, do in
    cells of 16 x 16 pixels.

    Examples
    --------
    >>> import torch
    >>> from superpix.torch import soft_pool
    >>> association = torch.rand(2, 9, 20, 30, requires_grad=True)
    >>> pooled = soft_pool(torch.randn(2, 3, 20, 30), association, (4, 5))
    >>> pooled.shape
    torch.Size([2, 3, 20])
    >>> pooled.sum().backward()
    """
    _library.check_floating(values, "values", 4, "[B, D, H, W]")
    _library.check_floating(association, "association", 4, "[B, 9, H, W]")
    rows, columns = _library.check_grid(grid, *values.shape[2:])
    eps = _library.number(eps, "eps")
    values, association = _library.alike(values, "values", association, "association")
    pooled: Tensor = _pool(values, association, rows, columns, eps)[0]
    return pooled


def soft_unpool(
    centers: Tensor, association: Tensor, grid: tuple[int, int], *, normalize: bool = True
) -> Tensor:
    """Average for every pixel the superpixels that it belongs to in part.

    With Q_pi the association of pixel p with superpixel i and S_i what belongs to i::

        O_p = sum over i of Q_pi S_i / R_p,  R_p = sum over i of Q_pi

    What the association says of superpixels beyond the grid is left out, and has no gradient. Where
    R_p is 0, or so small that 1 / R_p overflows, O_p is 0 and has none.

    Parameters
    ----------
    centers : Tensor, [B, D, K]
        Superpixels in row-major order, K = rows * columns: float16, bfloat16, float32 or float64;
        any strides. Differentiable.
    association : Tensor, [B, 9, H, W]
        As `soft_slic` returns it, dtype of ``centers``; under autocast, where they differ, the
        wider dtype is taken for both. It need not sum to 1. Differentiable.
    grid : (int, int)
        Rows and columns of superpixels, as in `soft_slic`.
    normalize : bool, optional
        False leaves out the division by R_p: what pixels at the border give to superpixels beyond
        it then counts as 0.

    Returns
    -------
    Tensor, [B, D, H, W]
        O, dtype of ``centers``.

    Raises
    ------
    TypeError
        An argument has the wrong type or dtype.
    ValueError
        A shape does not fit, or a number is out of range.

    References
    ----------
    Jampani et al., "Superpixel Sampling Networks", ECCV 2018, section 3.1; without the division,
    Yang et al., "Superpixel Segmentation with Fully Convolutional Networks", CVPR 2020.

    Examples
    --------
    >>> import torch
    >>> from superpix.torch import soft_unpool
    >>> association = torch.rand(2, 9, 20, 30, requires_grad=True)
    >>> out = soft_unpool(torch.randn(2, 3, 20), association, (4, 5))
    >>> out.shape
    torch.Size([2, 3, 20, 30])
    >>> out.sum().backward()
    """
    _library.check_floating(centers, "centers", 3, "[B, D, K]")
    _library.check_floating(association, "association", 4, "[B, 9, H, W]")
    rows, columns = _library.check_grid(grid, *association.shape[2:])
    if not isinstance(normalize, bool):
        raise TypeError(f"normalize must be True or False, got {normalize!r}")
    centers, association = _library.alike(centers, "centers", association, "association")
    out: Tensor = _unpool(centers, association, rows, columns, normalize)
    return out


def _empty_like(tensor: Tensor, wanted: bool) -> Tensor:
    """Return memory for the gradient of a tensor, or nothing that can be told from it."""
    if not wanted:
        return tensor.new_empty(tensor.shape[0], 0)
    return torch.empty_like(tensor, memory_format=torch.contiguous_format)


def _empty_pooled(
    values: Tensor, association: Tensor, rows: int, columns: int, eps: float
) -> tuple[Tensor, Tensor]:
    batch, channels = values.shape[:2]
    # Weights, which backward needs, are in the precision of the computation.
    is_half = values.dtype in (torch.float16, torch.bfloat16)
    like = values.new_empty(0, dtype=torch.float32) if is_half else values
    return (
        values.new_empty(batch, channels, rows * columns),
        like.new_empty(batch, rows * columns),
    )


def _pool_in_core(
    values: Tensor, association: Tensor, rows: int, columns: int, eps: float
) -> tuple[Tensor, Tensor]:
    values, association = values.contiguous(), association.contiguous()
    outputs = _empty_pooled(values, association, rows, columns, eps)
    pooled, weights = outputs
    _core.soft_pool(
        _library.view(values),
        _library.view(association),
        _library.view(pooled),
        _library.view(weights),
        rows,
        columns,
        eps,
        _library.where(values),
    )
    return outputs


def _empty_gradients_of_pool(
    values: Tensor,
    association: Tensor,
    pooled: Tensor,
    weights: Tensor,
    grad_pooled: Tensor,
    rows: int,
    columns: int,
    eps: float,
    of_values: bool,
    of_association: bool,
) -> tuple[Tensor, Tensor]:
    return _empty_like(values, of_values), _empty_like(association, of_association)


def _pool_backward_in_core(
    values: Tensor,
    association: Tensor,
    pooled: Tensor,
    weights: Tensor,
    grad_pooled: Tensor,
    rows: int,
    columns: int,
    eps: float,
    of_values: bool,
    of_association: bool,
) -> tuple[Tensor, Tensor]:
    grad_values = _library.in_kept_memory(_empty_like(values, of_values))
    grad_association = _library.in_kept_memory(_empty_like(association, of_association))
    values, association = values.contiguous(), association.contiguous()
    pooled, weights, grad_pooled = (
        pooled.contiguous(),
        weights.contiguous(),
        grad_pooled.contiguous(),
    )
    _core.soft_pool_backward(
        _library.view(values),
        _library.view(association),
        _library.view(pooled),
        _library.view(weights),
        _library.view(grad_pooled),
        _library.view(grad_values) if of_values else None,
        _library.view(grad_association) if of_association else None,
        rows,
        columns,
        eps,
        _library.where(values),
    )
    return grad_values, grad_association


_pool_forward = _library.define(
    "soft_pool(Tensor values, Tensor association, SymInt rows, SymInt columns, float eps) "
    "-> (Tensor pooled, Tensor weights)",
    _pool_in_core,
    _empty_pooled,
    batch_dims=(0, 0, None, None, None),
    out_batch_dims=(0, 0),
)
_pool_backward = _library.define(
    "soft_pool_backward(Tensor values, Tensor association, Tensor pooled, Tensor weights, "
    "Tensor grad_pooled, SymInt rows, SymInt columns, float eps, bool of_values, "
    "bool of_association) -> (Tensor grad_values, Tensor grad_association)",
    _pool_backward_in_core,
    _empty_gradients_of_pool,
    batch_dims=(0, 0, 0, 0, 0, None, None, None, None, None),
    out_batch_dims=(0, 0),
)


def _save_of_pool(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    values, association, *ctx.params = inputs
    pooled, weights = output
    ctx.mark_non_differentiable(weights)
    ctx.save_for_backward(values, association, pooled, weights)


def _gradient_of_pool(ctx: Any, grad_pooled: Tensor, _: Tensor) -> tuple[Any, ...]:
    wanted = ctx.needs_input_grad[:2]
    gradients = _pool_gradient(*ctx.saved_tensors, grad_pooled, *ctx.params, *wanted)
    return (*_only(gradients, wanted), *[None for _ in ctx.params])


def _save_of_pool_gradient(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    values, association, _, _, grad_pooled, *params = inputs
    *ctx.params, of_values, of_association = params
    ctx.wanted = of_values, of_association
    ctx.save_for_backward(values, association, grad_pooled)


def _second_gradient_of_pool(ctx: Any, *cotangents: Tensor) -> tuple[Any, ...]:
    """Differentiate plain PyTorch twice: slow, but right, and differentiable again."""
    rows, columns, eps = ctx.params

    def plain(values: Tensor, association: Tensor) -> tuple[Tensor]:
        return (_plain.soft_pool(values, association, (rows, columns), eps),)

    values, association, grad_pooled = _second(plain, ctx, cotangents)
    return values, association, None, None, grad_pooled, None, None, None, None, None


_pool = _library.differentiable(_pool_forward, _save_of_pool, _gradient_of_pool)
_pool_gradient = _library.differentiable(
    _pool_backward, _save_of_pool_gradient, _second_gradient_of_pool
)


def _empty_out(
    centers: Tensor, association: Tensor, rows: int, columns: int, normalize: bool
) -> Tensor:
    return centers.new_empty(*centers.shape[:2], *association.shape[2:])


def _unpool_in_core(
    centers: Tensor, association: Tensor, rows: int, columns: int, normalize: bool
) -> Tensor:
    centers, association = centers.contiguous(), association.contiguous()
    out = _library.in_kept_memory(_empty_out(centers, association, rows, columns, normalize))
    _core.soft_unpool(
        _library.view(centers),
        _library.view(association),
        _library.view(out),
        rows,
        columns,
        normalize,
        _library.where(centers),
    )
    return out


def _empty_gradients_of_unpool(
    centers: Tensor,
    association: Tensor,
    grad_out: Tensor,
    rows: int,
    columns: int,
    normalize: bool,
    of_centers: bool,
    of_association: bool,
) -> tuple[Tensor, Tensor]:
    return _empty_like(centers, of_centers), _empty_like(association, of_association)


def _unpool_backward_in_core(
    centers: Tensor,
    association: Tensor,
    grad_out: Tensor,
    rows: int,
    columns: int,
    normalize: bool,
    of_centers: bool,
    of_association: bool,
) -> tuple[Tensor, Tensor]:
    grad_centers = _empty_like(centers, of_centers)
    grad_association = _library.in_kept_memory(_empty_like(association, of_association))
    centers, association = centers.contiguous(), association.contiguous()
    grad_out = grad_out.contiguous()
    _core.soft_unpool_backward(
        _library.view(centers),
        _library.view(association),
        _library.view(grad_out),
        _library.view(grad_centers) if of_centers else None,
        _library.view(grad_association) if of_association else None,
        rows,
        columns,
        normalize,
        _library.where(centers),
    )
    return grad_centers, grad_association


_unpool_forward = _library.define(
    "soft_unpool(Tensor centers, Tensor association, SymInt rows, SymInt columns, bool normalize) "
    "-> Tensor",
    _unpool_in_core,
    _empty_out,
    batch_dims=(0, 0, None, None, None),
    out_batch_dims=(0,),
)
_unpool_backward = _library.define(
    "soft_unpool_backward(Tensor centers, Tensor association, Tensor grad_out, SymInt rows, "
    "SymInt columns, bool normalize, bool of_centers, bool of_association) "
    "-> (Tensor grad_centers, Tensor grad_association)",
    _unpool_backward_in_core,
    _empty_gradients_of_unpool,
    batch_dims=(0, 0, 0, None, None, None, None, None),
    out_batch_dims=(0, 0),
)


def _save_of_unpool(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    centers, association, *ctx.params = inputs
    ctx.save_for_backward(centers, association)


def _gradient_of_unpool(ctx: Any, grad_out: Tensor) -> tuple[Any, ...]:
    wanted = ctx.needs_input_grad[:2]
    gradients = _unpool_gradient(*ctx.saved_tensors, grad_out, *ctx.params, *wanted)
    return (*_only(gradients, wanted), *[None for _ in ctx.params])


def _save_of_unpool_gradient(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    centers, association, grad_out, *params = inputs
    *ctx.params, of_centers, of_association = params
    ctx.wanted = of_centers, of_association
    ctx.save_for_backward(centers, association, grad_out)


def _second_gradient_of_unpool(ctx: Any, *cotangents: Tensor) -> tuple[Any, ...]:
    """Differentiate plain PyTorch twice: slow, but right, and differentiable again."""
    rows, columns, normalize = ctx.params

    def plain(centers: Tensor, association: Tensor) -> tuple[Tensor]:
        return (_plain.soft_unpool(centers, association, (rows, columns), normalize),)

    centers, association, grad_out = _second(plain, ctx, cotangents)
    return centers, association, grad_out, None, None, None, None, None


_unpool = _library.differentiable(_unpool_forward, _save_of_unpool, _gradient_of_unpool)
_unpool_gradient = _library.differentiable(
    _unpool_backward, _save_of_unpool_gradient, _second_gradient_of_unpool
)


def _only(
    gradients: tuple[Tensor, Tensor], wanted: tuple[bool, bool]
) -> tuple[Tensor | None, Tensor | None]:
    first, second = gradients
    return first if wanted[0] else None, second if wanted[1] else None


def _second(plain: Any, ctx: Any, cotangents: tuple[Tensor, ...]) -> list[Tensor | None]:
    """Return what both inputs of a function, and the gradient of its output, get."""
    *inputs, grad_output = ctx.saved_tensors
    # A gradient that was not asked for was empty, and is of no effect.
    effective = [
        cotangent if wanted else torch.zeros_like(x)
        for cotangent, wanted, x in zip(cotangents, ctx.wanted, inputs, strict=True)
    ]
    return _plain.second_backward(plain, inputs, [grad_output], effective)
