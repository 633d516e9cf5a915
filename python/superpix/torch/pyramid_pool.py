"""Pyramid pooling: adaptive pooling at several resolutions as one differentiable op."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from superpix import _arguments, _core
from superpix.torch import _library

_MOST_BINS = 32768


def pyramid_pool(
    features: Tensor, bins: Sequence[int] = (1, 2, 3, 6), reduce: str = "mean"
) -> tuple[Tensor, ...]:
    """Pool images into grids of several sizes, all in one read.

    The same values as ``[nn.AdaptiveAvgPool2d(b)(features) for b in bins]``, or those of
    ``AdaptiveMaxPool2d``: window (i, j) of a grid of b x b is rows ``floor(i * H / b)`` to
    ``ceil((i + 1) * H / b)`` and columns alike, end excluded. Where b does not divide the size they
    overlap. Backward writes the gradient of the features once, and needs neither them nor, for the
    mean, anything else of their size.

    Parameters
    ----------
    features : Tensor, [B, C, H, W]
        float16, bfloat16, float32 or float64; any strides. Differentiable.
    bins : sequence of int, optional
        Sides of the grids, from 1 to 32768; any order, also more than there are pixels.
    reduce : {"mean", "max"}, optional
        What becomes of the pixels of a window. NaN makes either NaN. The gradient of a maximum goes
        to the first of equal pixels.

    Returns
    -------
    tuple of Tensor, [B, C, b, b]
        One for each of ``bins``, with the dtype of ``features``.

    Raises
    ------
    TypeError
        An argument has the wrong type or dtype.
    ValueError
        A shape does not fit, or a number is out of range.

    References
    ----------
    Zhao et al., "Pyramid Scene Parsing Network", CVPR 2017, section 3.2.

    Examples
    --------
    >>> import torch
    >>> from superpix.torch import pyramid_pool
    >>> features = torch.randn(2, 8, 60, 60, requires_grad=True)
    >>> levels = pyramid_pool(features, (1, 2, 3, 6))
    >>> [tuple(level.shape) for level in levels]
    [(2, 8, 1, 1), (2, 8, 2, 2), (2, 8, 3, 3), (2, 8, 6, 6)]
    >>> sum(level.sum() for level in levels).backward()
    """
    _library.check_floating(features, "features", 4, "[B, C, H, W]")
    bins = _checked_bins(bins)
    pooled, _ = _call(features, bins, _checked_reduce(reduce))
    # Arrays of their own, not views of one, so that they may be changed in place.
    return tuple(
        level.unflatten(2, (b, b)).clone(memory_format=torch.contiguous_format)
        for level, b in zip(pooled.split([b * b for b in bins], dim=2), bins, strict=True)
    )


class PyramidPooling(nn.Module):
    """The pyramid pooling module of PSPNet: [B, C, H, W] -> [B, C + len(bins) * D, H, W].

    Every level of `pyramid_pool` goes through a 1 x 1 convolution to D channels without bias, batch
    normalisation and ReLU, and is brought back to H x W, bilinearly and with corners aligned. The
    result is the input, then the levels in the order of ``bins``, side by side as channels.

    Parameters
    ----------
    in_channels : int
        C.
    bins : sequence of int, optional
        As in `pyramid_pool`.
    out_channels : int, optional
        D; by default ``in_channels // len(bins)``, at least 1.
    reduce : {"mean", "max"}, optional
        As in `pyramid_pool`; PSPNet takes the mean.

    Notes
    -----
    In training, batch normalisation of a level of 1 x 1 needs a batch of at least two.

    References
    ----------
    Zhao et al., "Pyramid Scene Parsing Network", CVPR 2017, section 3.2.

    Examples
    --------
    >>> import torch
    >>> from superpix.torch import PyramidPooling
    >>> PyramidPooling(64)(torch.randn(2, 64, 30, 30)).shape
    torch.Size([2, 128, 30, 30])
    """

    def __init__(
        self,
        in_channels: int,
        bins: Sequence[int] = (1, 2, 3, 6),
        out_channels: int | None = None,
        reduce: str = "mean",
    ) -> None:
        super().__init__()
        in_channels = _library.positive(in_channels, "in_channels")
        self.bins = _checked_bins(bins)
        self.reduce = _checked_reduce(reduce)
        if out_channels is None:
            out_channels = max(1, in_channels // len(self.bins))
        out_channels = _library.positive(out_channels, "out_channels")
        self.levels = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, bias=False),
                nn.BatchNorm2d(out_channels),
                nn.ReLU(inplace=True),
            )
            for _ in self.bins
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return the features and what their surroundings add to them."""
        pooled = pyramid_pool(features, self.bins, self.reduce)
        added = [
            interpolate(level(x), features.shape[2:], mode="bilinear", align_corners=True)
            for level, x in zip(self.levels, pooled, strict=True)
        ]
        return torch.cat([features, *added], dim=1)

    def extra_repr(self) -> str:
        """Return the parameters, for print()."""
        return f"bins={self.bins}, reduce={self.reduce!r}"


def _checked_bins(bins: Sequence[int]) -> tuple[int, ...]:
    kind = "a sequence of ints"
    if not isinstance(bins, Sequence):
        raise TypeError(f"bins must be {kind}, got {_arguments.shown(bins)}")
    sides = tuple(_library.integer(b, "bins", kind) for b in bins)
    if not sides or not all(1 <= b <= _MOST_BINS for b in sides):
        raise ValueError(f"bins must be one or more from 1 to {_MOST_BINS}, got {sides}")
    return sides


def _checked_reduce(reduce: str) -> str:
    _library.check_string(reduce, "reduce")
    if reduce not in ("mean", "max"):
        raise ValueError(f"reduce must be 'mean' or 'max', got {reduce!r}")
    return reduce


def _num_windows(bins: Sequence[int]) -> int:
    return sum(b * b for b in bins)


def _empty_outputs(features: Tensor, bins: Sequence[int], reduce: str) -> tuple[Tensor, Tensor]:
    batch, channels = features.shape[:2]
    windows = _num_windows(bins)
    return (
        features.new_empty((batch, channels, windows)),
        features.new_empty((batch, channels, windows if reduce == "max" else 0), dtype=torch.int32),
    )


def _forward_in_core(features: Tensor, bins: Sequence[int], reduce: str) -> tuple[Tensor, Tensor]:
    features = features.contiguous()
    outputs = _empty_outputs(features, bins, reduce)
    pooled, indices = outputs
    _core.pyramid_pool(
        _library.view(features),
        _library.view(pooled),
        _library.view(indices) if reduce == "max" else None,
        bins,
        reduce,
        _library.where(features),
    )
    return outputs


def _empty_gradient(
    grad_pooled: Tensor, indices: Tensor, height: int, width: int, *_: Any
) -> Tensor:
    return grad_pooled.new_empty((*grad_pooled.shape[:2], height, width))


def _backward_in_core(
    grad_pooled: Tensor, indices: Tensor, height: int, width: int, bins: Sequence[int], reduce: str
) -> Tensor:
    grad_pooled, indices = grad_pooled.contiguous(), indices.contiguous()
    grad_features = _library.in_kept_memory(_empty_gradient(grad_pooled, indices, height, width))
    _core.pyramid_pool_backward(
        _library.view(grad_pooled),
        _library.view(indices) if reduce == "max" else None,
        _library.view(grad_features),
        bins,
        reduce,
        _library.where(grad_pooled),
    )
    return grad_features


_forward = _library.define(
    "pyramid_pool(Tensor features, int[] bins, str reduce) -> (Tensor pooled, Tensor indices)",
    _forward_in_core,
    _empty_outputs,
    batch_dims=(0, None, None),
    out_batch_dims=(0, 0),
)
_backward = _library.define(
    "pyramid_pool_backward(Tensor grad_pooled, Tensor indices, SymInt height, SymInt width, "
    "int[] bins, str reduce) -> Tensor",
    _backward_in_core,
    _empty_gradient,
    batch_dims=(0, 0, None, None, None, None),
    out_batch_dims=(0,),
)


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    features, ctx.bins, ctx.reduce = inputs
    ctx.size = features.shape[2:]
    ctx.mark_non_differentiable(output[1])
    ctx.save_for_backward(output[1])


def _gradient(ctx: Any, grad_pooled: Tensor, _: Tensor) -> tuple[Any, ...]:
    (indices,) = ctx.saved_tensors
    return _call_backward(grad_pooled, indices, *ctx.size, ctx.bins, ctx.reduce), None, None


def _save_of_backward(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    _, indices, _, _, ctx.bins, ctx.reduce = inputs
    ctx.save_for_backward(indices)


def _gradient_of_backward(ctx: Any, cotangent: Tensor) -> tuple[Any, ...]:
    """Pool again: the gradient is linear in what it is the gradient of."""
    if ctx.reduce == "max":
        (indices,) = ctx.saved_tensors
        grad_pooled = cotangent.flatten(2).gather(2, indices.long())
    else:
        grad_pooled, _ = _call(cotangent, ctx.bins, ctx.reduce)
    return grad_pooled, None, None, None, None, None


_call = _library.differentiable(_forward, _save, _gradient)
_call_backward = _library.differentiable(_backward, _save_of_backward, _gradient_of_backward)
