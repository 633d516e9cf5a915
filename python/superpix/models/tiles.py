"""Labels of pixels while the largest layers of a network exist for one tile of the image only."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from superpix.models.cells import CELL
from superpix.torch import hard_labels

# Cells to a side of a tile, at most: so many that little work is done twice around a tile, and so
# few that the system's allocator keeps the memory of its arrays of 16 channels (11 MB) for the
# next. Pages that are always new take half as long as convolutions.
TILE = 24

# What makes pixels, and how many pixels beyond them its inputs must reach.
Layer = tuple[Callable[..., Tensor], int]


class _Span(NamedTuple):
    """Some rows, or some columns, of ``end``."""

    first: int
    last: int
    end: int

    def widened(self, by: int) -> _Span:
        # Beyond the image there is the padding of the layers themselves.
        return _Span(max(0, self.first - by), min(self.end, self.last + by), self.end)

    def scaled(self, by: int) -> _Span:
        return _Span(self.first * by, self.last * by, self.end * by)

    def within(self, outer: _Span) -> slice:
        return slice(self.first - outer.first, self.last - outer.first)

    def of(self, size: int) -> slice:
        """Return the same part of something that has ``size`` for ``end``."""
        factor = self.end // size
        return slice(self.first // factor, self.last // factor)


def labels_in_tiles(
    layers: Sequence[Layer], inputs: Sequence[Tensor], grid: tuple[int, int]
) -> Tensor:
    """Return the cells that pixels belong to, tile by tile.

    The last layers are by far the largest arrays of a network of large images. They are evaluated
    for some cells at a time, from inputs that reach as far beyond these as they matter. The
    greatest score is that of the greatest association, so there is no softmax.

    Parameters
    ----------
    layers : sequence of Layer
        What makes scores [B, 9, H, W] of the inputs, one after the other; how far its inputs must
        reach is told of each for the tile of the last.
    inputs : sequence of Tensor
        Of the first layer: [B, C, H / f, W / f], each with its own C and f, which divides `CELL`
        and that many pixels. All other layers take the one before, at H and W.
    grid : (int, int)
        Rows and columns of cells.

    Returns
    -------
    Tensor of int32, [B, H, W]
    """
    shape = (inputs[0].shape[0], grid[0] * CELL, grid[1] * CELL)
    labels = inputs[0].new_empty(shape, dtype=torch.int32)
    cells = torch.arange(grid[0] * grid[1], dtype=torch.int32, device=labels.device).view(grid)
    for rows, columns in itertools.product(*(_tiles(count) for count in grid)):
        pixels = (rows.scaled(CELL), columns.scaled(CELL))
        scores = _scores(layers, inputs, pixels)
        # Cells around the tile exist, too, but what their own pixels hold does not matter.
        near = (rows.widened(1), columns.widened(1))
        height, width = (span.last - span.first for span in near)
        padded = scores.new_empty(shape[0], 9, height * CELL, width * CELL)
        own = [x.within(y.scaled(CELL)) for x, y in zip(pixels, near, strict=True)]
        padded[:, :, own[0], own[1]] = scores
        found = hard_labels(padded, (height, width))[:, own[0], own[1]]
        here = cells[near[0].of(grid[0]), near[1].of(grid[1])].flatten()
        labels[:, pixels[0].of(shape[1]), pixels[1].of(shape[2])] = here.take(found)
    return labels


def _tiles(count: int) -> Iterator[_Span]:
    """Yield spans of about the same number of cells, of ``count`` in all."""
    edges = [i * count // math.ceil(count / TILE) for i in range(math.ceil(count / TILE) + 1)]
    for first, last in itertools.pairwise(edges):
        yield _Span(first, last, count)


def _scores(layers: Sequence[Layer], inputs: Sequence[Tensor], tile: tuple[_Span, _Span]) -> Tensor:
    """Return what layers make of their inputs in a tile."""
    rows, columns = (span.widened(layers[0][1]) for span in tile)
    parts = [x[:, :, rows.of(x.shape[2]), columns.of(x.shape[3])] for x in inputs]
    for i, (layer, _) in enumerate(layers):
        x = layer(*parts)
        # Columns are left to the end: unlike rows, convolutions copy what lacks some of them.
        needed = tile[0].widened(layers[i + 1][1] if i + 1 < len(layers) else 0)
        parts = [x[:, :, needed.within(rows)]]
        rows = needed
    return parts[0][:, :, :, tile[1].within(columns)]
