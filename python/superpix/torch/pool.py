"""Pooling over labels, and back."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from superpix import _core
from superpix.torch import _library

_REDUCTIONS = ("sum", "mean", "max", "min")


def pool(features: Tensor, labels: Tensor, num_segments: int, reduce: str = "mean") -> Tensor:
    """Pool features over segments: one value for every segment and channel.

    Forward reads the features once, backward writes their gradient once; beyond these, mean keeps a
    number for each segment, maximum and minimum one for each segment and channel.

    Parameters
    ----------
    features : Tensor, [B, C, H, W]
        float16, bfloat16, float32 or float64; any strides. Differentiable.
    labels : Tensor, [B, Hl, Wl]
        int32 or int64: the segment of each pixel, from 0 to ``num_segments - 1``; -1 for pixels of
        no segment. May have a higher resolution than the features: pixel (y, x) then lies in the
        cell ``(y * H // Hl, x * W // Wl)`` of the features. `superpix.slic` makes such labels with
        ``start_label=0``.
    num_segments : int
        K. Segments need not have pixels: for a batch, the most that an image may have.
    reduce : {"mean", "sum", "max", "min"}, optional
        Mean and sum count a cell once for every pixel of the segment in it; maximum and minimum are
        those of the cells that the segment touches, and their gradient goes to the first cell that
        has it. NaN in a segment makes the result NaN.

    Returns
    -------
    Tensor, [B, C, K]
        dtype of ``features``; 0, without gradient, for a segment without pixels. Sums are made in
        float32 or better, and large segments are as accurate as small ones.

    Raises
    ------
    TypeError
        An argument has the wrong type or dtype.
    ValueError
        A shape does not fit, or a label or number is out of range.

    References
    ----------
    Kwak et al., "Weakly Supervised Semantic Segmentation Using Superpixel Pooling Network", AAAI
    2017: means of labels of a higher resolution.

    Examples
    --------
    >>> import torch
    >>> from superpix.torch import pool
    >>> features = torch.randn(2, 8, 20, 30, requires_grad=True)
    >>> labels = torch.arange(600).reshape(20, 30).expand(2, 20, 30) // 100
    >>> pooled = pool(features, labels, num_segments=6)
    >>> pooled.shape
    torch.Size([2, 8, 6])
    >>> pooled.sum().backward()
    """
    _library.check_floating(features, "features", 4, "[B, C, H, W]")
    _check_labels(labels)
    _library.check_device(labels, "labels", features, "features")
    num_segments = _library.positive(num_segments, "num_segments")
    _check_reduce(reduce)
    outputs: tuple[Tensor, Tensor] = _call_pool(features, labels, num_segments, reduce)
    return outputs[0]


def unpool(pooled: Tensor, labels: Tensor) -> Tensor:
    """Give every pixel what its segment has.

    Parameters
    ----------
    pooled : Tensor, [B, C, K]
        float16, bfloat16, float32 or float64; any strides. Differentiable.
    labels : Tensor, [B, H, W]
        int32 or int64: the segment of each pixel, from 0 to K - 1; -1 for pixels of no segment.

    Returns
    -------
    Tensor, [B, C, H, W]
        dtype of ``pooled``; 0 where the label is -1.

    Raises
    ------
    TypeError
        An argument has the wrong type or dtype.
    ValueError
        A shape does not fit, or a label is out of range.

    Examples
    --------
    >>> import torch
    >>> from superpix.torch import unpool
    >>> unpool(torch.tensor([[[5.0, 7.0]]]), torch.tensor([[[0, 0, 1], [0, 1, -1]]]))
    tensor([[[[5., 5., 7.],
              [5., 7., 0.]]]])
    """
    _library.check_floating(pooled, "pooled", 3, "[B, C, K]")
    _check_labels(labels)
    _library.check_device(labels, "labels", pooled, "pooled")
    out: Tensor = _call_unpool(pooled, labels)
    return out


class SuperpixelPool(nn.Module):
    """`pool` as a layer without parameters: [B, C, H, W] and labels [B, Hl, Wl] -> [B, C, K].

    Parameters are those of `pool`.
    """

    def __init__(self, num_segments: int, reduce: str = "mean") -> None:
        super().__init__()
        self.num_segments = _library.positive(num_segments, "num_segments")
        _check_reduce(reduce)
        self.reduce = reduce

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the features of segments."""
        return pool(features, labels, self.num_segments, self.reduce)

    def extra_repr(self) -> str:
        """Return the parameters, for print()."""
        return f"num_segments={self.num_segments}, reduce={self.reduce!r}"


def _check_labels(labels: object) -> None:
    if not isinstance(labels, Tensor):
        raise TypeError(f"labels must be a tensor, got {type(labels).__name__}")
    if labels.dtype not in (torch.int32, torch.int64):
        raise TypeError(f"labels must be int32 or int64, got {labels.dtype}")
    if labels.dim() != 3:
        raise ValueError(f"labels must be [B, H, W], got shape {list(labels.shape)}")


def _check_reduce(reduce: object) -> None:
    _library.check_string(reduce, "reduce")
    if reduce not in _REDUCTIONS:
        raise ValueError(f"reduce must be one of {_REDUCTIONS}, got {reduce!r}")


def _empty_outputs(
    features: Tensor, labels: Tensor, num_segments: int, reduce: str
) -> tuple[Tensor, Tensor]:
    batch, channels = features.shape[:2]
    pooled = features.new_empty((batch, channels, num_segments))
    if reduce == "sum":
        shape: tuple[int, ...] = (batch, 0)
    elif reduce == "mean":
        shape = (batch, num_segments)
    else:
        shape = (batch, channels, num_segments)
    return pooled, features.new_empty(shape, dtype=torch.int32)


def _pool_in_core(
    features: Tensor, labels: Tensor, num_segments: int, reduce: str
) -> tuple[Tensor, Tensor]:
    features, labels = features.contiguous(), labels.contiguous()
    outputs = _empty_outputs(features, labels, num_segments, reduce)
    pooled, saved = outputs
    _core.pool(
        _library.view(features),
        _library.view(labels),
        _library.view(pooled),
        _library.view(saved),
        reduce,
        _library.where(features),
    )
    return outputs


def _empty_gradient(
    grad_pooled: Tensor, labels: Tensor, saved: Tensor, height: int, width: int, reduce: str
) -> Tensor:
    return grad_pooled.new_empty((*grad_pooled.shape[:2], height, width))


def _pool_backward_in_core(
    grad_pooled: Tensor, labels: Tensor, saved: Tensor, height: int, width: int, reduce: str
) -> Tensor:
    grad_pooled, labels, saved = grad_pooled.contiguous(), labels.contiguous(), saved.contiguous()
    grad_features = _library.in_kept_memory(
        _empty_gradient(grad_pooled, labels, saved, height, width, reduce)
    )
    _core.pool_backward(
        _library.view(grad_pooled),
        _library.view(labels),
        _library.view(saved),
        _library.view(grad_features),
        reduce,
        _library.where(grad_pooled),
    )
    return grad_features


def _empty_image(pooled: Tensor, labels: Tensor) -> Tensor:
    return pooled.new_empty((*pooled.shape[:2], *labels.shape[1:]))


def _unpool_in_core(pooled: Tensor, labels: Tensor) -> Tensor:
    pooled, labels = pooled.contiguous(), labels.contiguous()
    out = _library.in_kept_memory(_empty_image(pooled, labels))
    _core.unpool(
        _library.view(pooled),
        _library.view(labels),
        _library.view(out),
        _library.where(pooled),
    )
    return out


_pool = _library.define(
    "pool(Tensor features, Tensor labels, SymInt num_segments, str reduce) "
    "-> (Tensor pooled, Tensor saved)",
    _pool_in_core,
    _empty_outputs,
    batch_dims=(0, 0, None, None),
    out_batch_dims=(0, 0),
)
_pool_backward = _library.define(
    "pool_backward(Tensor grad_pooled, Tensor labels, Tensor saved, SymInt height, SymInt width, "
    "str reduce) -> Tensor",
    _pool_backward_in_core,
    _empty_gradient,
    batch_dims=(0, 0, 0, None, None, None),
    out_batch_dims=(0,),
)
_unpool = _library.define(
    "unpool(Tensor pooled, Tensor labels) -> Tensor",
    _unpool_in_core,
    _empty_image,
    batch_dims=(0, 0),
    out_batch_dims=(0,),
)


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    features, labels, _, ctx.reduce = inputs
    ctx.size = features.shape[2:]
    ctx.mark_non_differentiable(output[1])
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(labels, output[1])


def _gradient(ctx: Any, grad_pooled: Tensor | None, _: None) -> tuple[Any, ...]:
    if grad_pooled is None:
        return None, None, None, None
    labels, saved = ctx.saved_tensors
    grad_features = _call_pool_backward(grad_pooled, labels, saved, *ctx.size, ctx.reduce)
    return grad_features, None, None, None


def _save_of_backward(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    grad_pooled, labels, saved, _, _, ctx.reduce = inputs
    ctx.num_segments = grad_pooled.shape[2]
    ctx.save_for_backward(labels, saved)


def _gradient_of_backward(ctx: Any, cotangent: Tensor) -> tuple[Any, ...]:
    """Pool again: the gradient is linear in what it is the gradient of."""
    labels, saved = ctx.saved_tensors
    if ctx.reduce in ("sum", "mean"):
        grad_pooled, _ = _call_pool(cotangent, labels, ctx.num_segments, ctx.reduce)
    else:
        best = cotangent.flatten(2).gather(2, saved.clamp(min=0).long())
        grad_pooled = best.masked_fill(saved < 0, 0)
    return grad_pooled, None, None, None, None, None


def _save_of_unpool(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
    pooled, labels = inputs
    ctx.num_segments = pooled.shape[2]
    ctx.save_for_backward(labels)


def _gradient_of_unpool(ctx: Any, grad_out: Tensor) -> tuple[Tensor, None]:
    (labels,) = ctx.saved_tensors
    grad_pooled, _ = _call_pool(grad_out, labels, ctx.num_segments, "sum")
    return grad_pooled, None


_call_pool = _library.differentiable(_pool, _save, _gradient)
_call_pool_backward = _library.differentiable(
    _pool_backward, _save_of_backward, _gradient_of_backward
)
_call_unpool = _library.differentiable(_unpool, _save_of_unpool, _gradient_of_unpool)
