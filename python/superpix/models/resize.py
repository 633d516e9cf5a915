"""Images and labels at other sizes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def resize(image: Tensor, size: tuple[int, int], step: int = 1) -> Tensor:
    """Resize an image by cubic interpolation, smoothed where it shrinks.

    The values are those of `torch.nn.functional.interpolate` with "bicubic" and antialias, limited
    to 0..1. Rows and columns that ``step`` leaves out are not computed.

    Parameters
    ----------
    image : Tensor, [B, 3, H, W]
        From 0 to 1.
    size : (int, int)
        The new height and width.
    step : int, optional
        Only every so manieth row and column is wanted, from the first on.

    Returns
    -------
    Tensor, [B, 3, ceil(height / step), ceil(width / step)]
        Any strides.
    """
    batch, channels, height, width = image.shape
    if (height, width) == size:
        return image[:, :, ::step, ::step]
    x = _resize_first(image.permute(2, 0, 3, 1).reshape(height, -1), size[0], step)
    x = x.view(-1, batch, width, channels).permute(2, 0, 1, 3)
    rows = x.shape[1]
    x = _resize_first(x.reshape(width, -1), size[1], step).view(-1, rows, batch, channels)
    return x.clamp_(0, 1).permute(2, 3, 1, 0)


def resize_labels(labels: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
    """Return labels [B, h, w] at another size, [B, H, W], each that of the nearest pixel."""
    if labels.shape[1:] == size:
        return labels
    rows, columns = (
        (2 * torch.arange(new, device=labels.device) + 1) * old // (2 * new)
        for old, new in zip(labels.shape[1:], size, strict=True)
    )
    return labels[:, rows[:, None], columns]


def _resize_first(table: Tensor, new: int, step: int) -> Tensor:
    """Return [ceil(new / step), D]: weighted sums of the rows of a table [old, D]."""
    old = table.shape[0]
    scale = old / new
    reach = max(scale, 1.0)  # of the kernel's unit, in old rows
    centers = (torch.arange(0, new, step, device=table.device, dtype=torch.float64) + 0.5) * scale
    first = torch.floor(centers - 2 * reach + 0.5).long()
    rows = first[:, None] + torch.arange(int(4 * reach) + 2, device=table.device)
    weights = _cubic((rows + 0.5 - centers[:, None]) / reach)
    weights = weights.masked_fill_((rows < 0) | (rows >= old), 0)
    weights = (weights / weights.sum(dim=1, keepdim=True)).to(table.dtype)
    return functional.embedding_bag(
        rows.clamp_(0, old - 1), table, per_sample_weights=weights, mode="sum"
    )


def _cubic(x: Tensor) -> Tensor:
    """Return Keys' kernel for a = -1/2 ("Cubic convolution interpolation", TASSP 29(6), 1981)."""
    x = x.abs()
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((2.5 - 0.5 * x) * x - 4) * x + 2
    return torch.where(x < 1, near, torch.where(x < 2, far, 0))
