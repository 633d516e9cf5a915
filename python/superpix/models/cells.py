"""Superpixels that start as cells of 16x16 pixels: sizes of images, and the softmax over cells."""

from __future__ import annotations

import torch
from torch import Tensor

# Height and width of a cell, in pixels.
CELL = 16


def grid_of(image: Tensor, multiple: int) -> tuple[int, int]:
    """Return rows and columns of the cells of an image [B, 3, H, W].

    Raises
    ------
    ValueError
        Its shape is another one, or a side is no multiple of ``multiple``.
    """
    if image.dim() != 4 or image.shape[1] != 3:
        raise ValueError(f"image must be [B, 3, H, W], got shape {tuple(image.shape)}")
    height, width = image.shape[-2:]
    if height % multiple or width % multiple or not height or not width:
        raise ValueError(f"sides of image must be multiples of {multiple}, got {height}x{width}")
    return height // CELL, width // CELL


def choose_cells(size: tuple[int, int] | torch.Size, n_segments: int, step: int) -> tuple[int, int]:
    """Return rows and columns of nearly square cells, about ``n_segments`` of them.

    Parameters
    ----------
    size : (int, int)
        Height and width of a picture.
    n_segments : int
        At least 1. More than one to a pixel there are not.
    step : int
        Rows and columns are multiples of it.
    """
    height, width = size
    if height > width:
        # The shorter side is first: where it cannot have fewer cells, the longer one has.
        columns, rows = choose_cells((width, height), n_segments, step)
        return rows, columns
    n_segments = min(n_segments, height * width)
    rows = _nearest_multiple((n_segments * height / width) ** 0.5, step)
    return rows, _nearest_multiple(n_segments / rows, step)


def _nearest_multiple(number: float, step: int) -> int:
    return max(1, round(number / step)) * step


def softmax_over_cells(scores: Tensor, grid: tuple[int, int]) -> Tensor:
    """Return the association of pixels with the cells around their own.

    Cells beyond the grid get 0, unlike in the published code of SCN, where pixels at the border
    lose what they give to these.

    Parameters
    ----------
    scores : Tensor, [B, 9, H, W]
        Logits, in the order of `superpix.torch.soft_slic`. Differentiable.
    grid : (int, int)
        Rows and columns of cells.

    Returns
    -------
    Tensor, [B, 9, H, W]
        Sums to 1 over the second dimension.
    """
    down, right = (_beyond(count, scores.device) for count in grid)
    beyond = down.view(3, 1, -1, 1) | right.view(1, 3, 1, -1)  # [3, 3, H, W]
    return torch.softmax(scores.masked_fill(beyond.flatten(0, 1), -torch.inf), dim=1)


def _beyond(count: int, device: torch.device) -> Tensor:
    """Return which of the cells before, at and after a pixel do not exist; [3, count * CELL]."""
    own = torch.arange(count * CELL, device=device) // CELL
    near = own + torch.arange(-1, 2, device=device)[:, None]
    return (near < 0) | (near >= count)
