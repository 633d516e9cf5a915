"""What superpixel models learn from: properties of pixels that superpixels are to bring back.

All take the association [B, 9, H, W] of pixels with the superpixels of a grid (rows, columns), as
`superpix.torch.soft_slic` or a network's softmax gives it, and return a scalar.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from superpix.torch import soft_pool, soft_unpool, unpool


def reconstruction_cross_entropy(
    association: Tensor,
    labels: Tensor,
    grid: tuple[int, int],
    *,
    num_classes: int | None = None,
    eps: float = 1e-10,
) -> Tensor:
    """Cross-entropy of labels that went to superpixels and back.

    With Q the association normalised over the superpixels of a pixel, a superpixel has the shares
    R_i[c] = sum over p in class c of Q_pi / sum over p of Q_pi, and a pixel gets back
    sum over i of Q_pi R_i[c], of which the class that it had counts::

        L = - mean over p of log(sum over i of Q_pi R_i[labels_p] + eps)

    That is `soft_pool` and `soft_unpool` of one-hot labels, of which there are none: memory does
    not depend on the number of classes.

    Parameters
    ----------
    association : Tensor, [B, 9, H, W]
        Floating point. Differentiable.
    labels : Tensor of int64, [B, H, W]
        Classes from 0 on; pixels below 0 are ignored.
    grid : (int, int)
        Rows and columns of superpixels.
    num_classes : int, optional
        Greater than every label; looked up when not given, for which CUDA must be waited for.
    eps : float, optional
        Added to probabilities.

    References
    ----------
    Jampani et al., "Superpixel Sampling Networks", ECCV 2018, equations 5 to 7.
    """
    losses, known = label_losses(association, labels, grid, num_classes, eps)
    return losses.sum() / known.sum().clamp(min=1)


def label_losses(
    association: Tensor,
    labels: Tensor,
    grid: tuple[int, int],
    num_classes: int | None,
    eps: float,
) -> tuple[Tensor, Tensor]:
    """Return -log of how much of its label each pixel gets back, and which have one; [B, H * W]."""
    batch, _, height, width = association.shape
    if num_classes is None:
        num_classes = max(1, int(labels.max()) + 1)
    cells, exist = _candidates(height, width, grid, str(association.device))
    # Sums over pixels are in float32 at least.
    shares = association.flatten(2).to(torch.promote_types(association.dtype, torch.float32))
    shares = shares * exist
    known = (labels >= 0).flatten(1)
    classes = labels.clamp(min=0).flatten(1)
    bins = cells * num_classes + classes[:, None]  # [B, 9, H * W]
    count = grid[0] * grid[1]
    sums = shares.new_zeros(batch, count * num_classes).scatter_add(
        1, bins.flatten(1), (shares * known[:, None]).flatten(1)
    )
    sums = sums.view(batch, count, num_classes)
    parts = sums / sums.sum(dim=2, keepdim=True).clamp(min=1e-12)
    given = parts.flatten(1).gather(1, bins.flatten(1)).view_as(shares)
    probability = (shares * given).sum(dim=1)
    return torch.where(known, -torch.log(probability + eps), 0.0), known


def reconstruction_l1(association: Tensor, values: Tensor, grid: tuple[int, int]) -> Tensor:
    """Mean absolute error of values, as optical flow, that went to superpixels and back.

    Parameters
    ----------
    association : Tensor, [B, 9, H, W]
        Differentiable.
    values : Tensor, [B, D, H, W]
        Its dtype. Pixels of which a value is NaN are ignored.
    grid : (int, int)
        Rows and columns of superpixels.

    References
    ----------
    Jampani et al., "Superpixel Sampling Networks", ECCV 2018, section 4.3, with L1 for L(.).
    """
    known = ~values.isnan().any(dim=1, keepdim=True)
    values = torch.where(known, values, 0.0)
    pooled = soft_pool(values, association * known, grid)
    errors = (soft_unpool(pooled, association, grid) - values).abs() * known
    return errors.sum() / (values.shape[1] * known.sum().clamp(min=1))


def compactness(centers: Tensor, labels: Tensor, positions: Tensor) -> Tensor:
    """Half the squared distances of pixels to the centres of their superpixels, summed.

    L = 1 / (2 B) sum over b, p of |positions_p - centers_labels_p|^2

    Parameters
    ----------
    centers : Tensor, [B, 2, K]
        Positions of superpixels. Differentiable.
    labels : Tensor of int64, [B, H, W]
        The superpixel of each pixel.
    positions : Tensor, [B, 2, H, W]
        Positions of pixels in the same units.

    References
    ----------
    Jampani et al., "Superpixel Sampling Networks", ECCV 2018, equation 8, as in the published code:
    a sum over pixels, in the units of the features.
    """
    offsets = positions - unpool(centers, labels)
    return offsets.square().sum() / (2 * positions.shape[0])


@functools.lru_cache(maxsize=8)
def _candidates(
    height: int, width: int, grid: tuple[int, int], device: str
) -> tuple[Tensor, Tensor]:
    """Return the superpixels [9, H * W] that pixels may belong to, and which of them exist."""
    from superpix.torch._plain import candidates

    return candidates(height, width, grid, torch.device(device))
