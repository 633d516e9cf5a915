"""What PCNet learns from beside SCN's losses, all of it near the boundaries of segments.

Wang, Wei, Qian, Zhu: "Generating Superpixels for High-Resolution Images with Decoupled Patch
Calibration", Chinese Journal of Computers 47(11), 2024.
"""

from __future__ import annotations

import torch
from torch import Tensor


def masked_l1(restored: Tensor, image: Tensor, mask: Tensor) -> Tensor:
    """Absolute error of a restored image where a mask says so.

    L = sum over b, c, p of |B_p (restored - image)| / sum over b, p of B_p

    Parameters
    ----------
    restored : Tensor, [B, C, H, W]
        Differentiable.
    image : Tensor, [B, C, H, W]
        What it should be.
    mask : Tensor of bool, [B, H, W]
        The paper's: `superpix.models.boundaries.near_boundaries`.

    References
    ----------
    Equation 5 of the paper. As in the published code it is a sum over channels, and the mask's size
    is that of all images together.
    """
    errors = (restored - image).abs().sum(dim=1)
    return torch.where(mask, errors, 0.0).sum() / mask.sum().clamp(min=1)


def local_discrimination(
    embedding: Tensor, labels: Tensor, centers: Tensor, *, side: int = 5, eps: float = 1e-10
) -> Tensor:
    """How little the features of two segments differ where these meet.

    With mu_f and mu_g the mean features of the two segments in a patch of side x side pixels::

        J = |mu_f - mu_g|^2 / (sum over f of |f - mu_f|^2 + sum over g of |g - mu_g|^2 + eps)

    L is minus the mean J of the patches of an image, averaged over images.

    Parameters
    ----------
    embedding : Tensor, [B, C, H, W]
        Features of pixels. Differentiable.
    labels : Tensor of int64, [B, H, W]
        Segments; pixels below 0 belong to none.
    centers : Tensor of int64, [B, P, 2]
        Rows and columns of the pixels in the middle of patches. Those that reach beyond the image
        or do not see exactly two segments and nothing else are left out, so that (-1, -1) can stand
        for no patch.
    side : int, optional
        Odd.
    eps : float, optional
        Added to the denominator.

    References
    ----------
    Equations 6 to 8 of the paper as in the published code: there is a minus, without which the
    segments were made alike, and the distance is squared, without which features that tend to 0
    were best. The halves of segments that the paper speaks of are in neither.
    """
    batch, channels, height, width = embedding.shape
    reach = side // 2
    limits = torch.tensor([height, width], device=centers.device) - 1 - reach
    inside = ((centers >= reach) & (centers <= limits)).all(dim=2)
    middle = centers.clamp(min=reach).minimum(limits)
    steps = torch.arange(-reach, reach + 1, device=centers.device)
    offsets = (steps[:, None] * width + steps).flatten()
    pixels = (middle[..., 0] * width + middle[..., 1])[..., None] + offsets  # [B, P, side^2]

    around = labels.flatten(1).gather(1, pixels.flatten(1)).view_as(pixels)
    least, greatest = around.amin(dim=2, keepdim=True), around.amax(dim=2, keepdim=True)
    is_first = around == least
    two = (is_first | (around == greatest)).all(dim=2) & (least < greatest)[..., 0]
    counts = inside & two & (least >= 0)[..., 0]

    # Sums over squares want more than half precision.
    features = embedding.to(torch.promote_types(embedding.dtype, torch.float32)).flatten(2)
    index = pixels.flatten(1)[:, None].expand(batch, channels, -1)
    features = features.gather(2, index).view(batch, channels, *pixels.shape[1:])
    in_first = is_first[:, None].to(features.dtype)
    first = _mean(features, in_first)
    second = _mean(features, 1 - in_first)
    spread = (features - torch.where(is_first[:, None], first, second)).square().sum(dim=(1, 3))
    distance = (first - second).square().sum(dim=(1, 3))
    contrast = torch.where(counts, distance / (spread + eps), 0.0)
    return -(contrast.sum(dim=1) / counts.sum(dim=1).clamp(min=1)).mean()


def _mean(features: Tensor, weights: Tensor) -> Tensor:
    """Return the means [B, C, P, 1] over the last dimension of [B, C, P, N], for [B, 1, P, N]."""
    sums = (features * weights).sum(dim=3, keepdim=True)
    return sums / weights.sum(dim=3, keepdim=True).clamp(min=1)
