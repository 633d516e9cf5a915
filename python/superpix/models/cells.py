"""Superpixels that start as cells of 16x16 pixels: images of such sizes, and labels from scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from superpix.torch import hard_labels

# Height and width of a cell, in pixels.
CELL = 16

# Of a strip: so many that little work is done twice, and so few that its arrays of 16 channels are
# small enough (some 20 MB) for the system's allocator to keep their memory from strip to strip.
STRIP_PIXELS = 200_000

# What makes rows of pixels, and how many pixels beyond them its inputs must reach.
Layer = tuple[Callable[..., Tensor], int]


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


def labels_in_strips(
    layers: Sequence[Layer],
    inputs: Sequence[Tensor],
    grid: tuple[int, int],
    strip: int | None = None,
) -> Tensor:
    """Return the labels of pixels while only some rows of their scores exist.

    The last layers are by far the largest arrays of a network of large images. They are evaluated
    for some rows of cells at a time, from inputs that reach as far beyond these as they matter. The
    greatest score is that of the greatest association, so there is no softmax.

    Parameters
    ----------
    layers : sequence of Layer
        What makes scores [B, 9, H, W] of the inputs, one after the other; how far its inputs must
        reach is told of each for the strip of the last.
    inputs : sequence of Tensor
        Of the first layer: [B, C, H / f, W / f], each with its own C and f, which divides `CELL`
        and that many pixels. All other layers take the one before, at H and W.
    grid : (int, int)
        Rows and columns of cells.
    strip : int, optional
        Rows of cells at a time; by default as many as have `STRIP_PIXELS`.

    Returns
    -------
    Tensor of int32, [B, H, W]
    """
    batch = inputs[0].shape[0]
    rows, columns = grid
    height, width = rows * CELL, columns * CELL
    if strip is None:
        strip = math.ceil(STRIP_PIXELS / (batch * CELL * width))
    labels = inputs[0].new_empty((batch, height, width), dtype=torch.int32)
    for first in range(0, rows, strip):
        last = min(first + strip, rows)
        top, bottom = first * CELL, last * CELL
        scores = _in_strip(layers, inputs, (top, bottom), height)
        # Cells above and below exist, too, but what their own pixels hold does not matter.
        above, below = int(first > 0), int(last < rows)
        own = slice(above * CELL, above * CELL + bottom - top)
        cells = (above + last - first + below, columns)
        padded = scores.new_empty(batch, 9, cells[0] * CELL, width)
        padded[:, :, own] = scores
        found = hard_labels(padded, cells)[:, own]
        labels[:, top:bottom] = found.add_((first - above) * columns)
    return labels


def _in_strip(
    layers: Sequence[Layer],
    inputs: Sequence[Tensor],
    strip: tuple[int, int],
    height: int,
) -> Tensor:
    """Return what layers make of their inputs in the rows of a strip."""

    def reach(halo: int) -> tuple[int, int]:
        # Beyond the image there is the padding of the layers themselves.
        return max(0, strip[0] - halo), min(height, strip[1] + halo)

    start, end = reach(layers[0][1])
    factors = [height // x.shape[2] for x in inputs]
    parts = [x[:, :, start // f : end // f] for x, f in zip(inputs, factors, strict=True)]
    for i, (layer, _) in enumerate(layers):
        x = layer(*parts)
        needed = reach(layers[i + 1][1]) if i + 1 < len(layers) else strip
        parts = [x[:, :, needed[0] - start : needed[1] - start]]
        start = needed[0]
    return parts[0]
