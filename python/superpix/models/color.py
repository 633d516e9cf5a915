"""sRGB to CIELAB on tensors, as the networks take it."""

from __future__ import annotations

import torch
from torch import Tensor

# sRGB primaries and the white D65 for 2 degrees, as scikit-image has them.
_XYZ_FROM_RGB = (
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)
_WHITE = (0.95047, 1.0, 1.08883)


def rgb_to_lab(image: Tensor) -> Tensor:
    """Convert sRGB to CIELAB.

    Parameters
    ----------
    image : Tensor, [B, 3, H, W]
        sRGB from 0 to 1, floating point.

    Returns
    -------
    Tensor, [B, 3, H, W]
        L* from 0 to 100, a* and b*, in the dtype of ``image``.
    """
    linear = torch.where(image <= 0.04045, image / 12.92, ((image + 0.055) / 1.055) ** 2.4)
    matrix = image.new_tensor(_XYZ_FROM_RGB) / image.new_tensor(_WHITE)[:, None]
    xyz = torch.einsum("ij,bjhw->bihw", matrix, linear)
    f = torch.where(xyz > 0.008856, xyz.clamp(min=1e-6) ** (1 / 3), 7.787 * xyz + 16 / 116)
    x, y, z = f.unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=1)
