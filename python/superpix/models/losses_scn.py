"""What SCN learns from: labels and positions that went to superpixels and back.

The published code's loss is, with m = 0.003 and cells of S = 16 pixels::

    L = 0.005 (semantic + m / S * position)

Both terms are sums over pixels, divided by the number of images.
"""

from __future__ import annotations

import torch
from torch import Tensor

from superpix.models.losses import label_losses
from superpix.torch import soft_pool, soft_unpool

# Added to a superpixel's weight: the published code adds 1e-8 to means over cells of 16x16 pixels.
_POOL_EPS = 256e-8


def semantic(
    association: Tensor,
    labels: Tensor,
    grid: tuple[int, int],
    *,
    num_classes: int | None = None,
    eps: float = 1e-8,
) -> Tensor:
    """Cross-entropy of labels that went to superpixels and back, summed over pixels.

    L = - 1 / B sum over b, p of log(sum over i of Q_pi R_i[labels_p] + eps), where R_i are the
    shares of the classes in superpixel i, as in `superpix.models.losses`.

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
    Yang et al., "Superpixel Segmentation with Fully Convolutional Networks", CVPR 2020, equation 3
    with cross-entropy, as in the published code.
    """
    losses, _ = label_losses(association, labels, grid, num_classes, eps)
    return losses.sum() / association.shape[0]


def position(association: Tensor, grid: tuple[int, int]) -> Tensor:
    """Distances in pixels of pixels to where they are after superpixels, summed over pixels.

    L = 1 / B sum over b, p of |sum over i of Q_pi X_i - x_p|_2, where X_i are the mean positions of
    superpixels.

    Parameters
    ----------
    association : Tensor, [B, 9, H, W]
        Floating point. Differentiable.
    grid : (int, int)
        Rows and columns of superpixels.

    References
    ----------
    Yang et al., CVPR 2020, equations 1 to 3; in the published code without weight and scale.
    """
    batch, _, height, width = association.shape
    # Half precision cannot tell neighbouring pixels far from 0 apart.
    association = association.to(torch.promote_types(association.dtype, torch.float32))
    axes = [torch.arange(n, device=association.device) for n in (height, width)]
    positions = torch.stack(torch.meshgrid(*axes, indexing="ij")).to(association.dtype)
    positions = positions.expand(batch, 2, height, width)
    centers = soft_pool(positions, association, grid, eps=_POOL_EPS)
    returned = soft_unpool(centers, association, grid, normalize=False)
    squares = (returned - positions).square().sum(dim=1)
    # Distances of 0 have the gradient 0. vector_norm of two planes is a hundred times slower.
    distances: Tensor = squares.clamp(min=torch.finfo(squares.dtype).tiny).sqrt()
    return distances.sum() / batch
