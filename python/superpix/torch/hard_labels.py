"""From soft superpixels to labels."""

from __future__ import annotations

import torch
from torch import Tensor

from superpix import _core
from superpix.torch import _library


def hard_labels(association: Tensor, grid: tuple[int, int]) -> Tensor:
    """Return the superpixel that each pixel belongs to most.

    A label need not be one connected component: `superpix.enforce_connectivity` makes it one, image
    by image.

    Parameters
    ----------
    association : Tensor, [B, 9, H, W]
        As `soft_slic` returns it: float16, bfloat16, float32 or float64; any strides. What it says
        of superpixels beyond the grid is left out.
    grid : (int, int)
        Rows and columns of superpixels, as in `soft_slic`.

    Returns
    -------
    Tensor of int64, [B, H, W]
        Indices of superpixels in row-major order, from 0 to rows * columns - 1. The lowest channel
        of the association wins ties, and NaN counts as the greatest value, as in `torch.argmax`.
        They have no gradient.

    Raises
    ------
    TypeError
        An argument has the wrong type or dtype.
    ValueError
        A shape does not fit, or a number is out of range.

    Examples
    --------
    >>> import torch
    >>> from superpix.torch import hard_labels
    >>> association = torch.zeros(1, 9, 2, 4)
    >>> association[:, 4] = 1  # every pixel belongs to its own cell
    >>> hard_labels(association, (1, 2)).tolist()
    [[[0, 0, 1, 1], [0, 0, 1, 1]]]
    """
    _library.check_floating(association, "association", 4, "[B, 9, H, W]")
    rows, columns = _library.check_grid(grid, *association.shape[2:])
    labels: Tensor = _hard_labels(association.detach(), rows, columns)
    return labels


def _empty_labels(association: Tensor, rows: int, columns: int) -> Tensor:
    batch, _, height, width = association.shape
    return association.new_empty((batch, height, width), dtype=torch.int64)


def _hard_labels_in_core(association: Tensor, rows: int, columns: int) -> Tensor:
    association = association.contiguous()
    labels = _empty_labels(association, rows, columns)
    _core.hard_labels(
        _library.view(association),
        _library.view(labels),
        rows,
        columns,
        _library.where(association),
    )
    return labels


_hard_labels = _library.define(
    "hard_labels(Tensor association, SymInt rows, SymInt columns) -> Tensor",
    _hard_labels_in_core,
    _empty_labels,
    batch_dims=(0, None, None),
    out_batch_dims=(0,),
)
