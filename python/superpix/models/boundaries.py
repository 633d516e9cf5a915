"""Where the segments of annotations meet, and what PCNet's training makes of it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def boundaries(labels: Tensor) -> Tensor:
    """Return the pixels one of whose four neighbours has another label.

    Parameters
    ----------
    labels : Tensor of integers, [..., H, W]
        Pixels below 0 belong to no segment and bound none.

    Returns
    -------
    Tensor of bool, [..., H, W]
        As `skimage.segmentation.find_boundaries` in mode "thick".
    """
    found = torch.zeros_like(labels, dtype=torch.bool)
    known = labels >= 0
    for dim in (-2, -1):
        count = labels.shape[dim] - 1
        a, b = labels.narrow(dim, 0, count), labels.narrow(dim, 1, count)
        differ = (a != b) & known.narrow(dim, 0, count) & known.narrow(dim, 1, count)
        found.narrow(dim, 0, count).logical_or_(differ)
        found.narrow(dim, 1, count).logical_or_(differ)
    return found


def near_boundaries(labels: Tensor, side: int = 16) -> Tensor:
    """Return the pixels of `boundaries`, dilated once by a square.

    Parameters
    ----------
    labels : Tensor of integers, [B, H, W]
        Pixels below 0 belong to no segment.
    side : int, optional
        Of the square; even ones reach one pixel farther down and right, as in OpenCV.

    Returns
    -------
    Tensor of bool, [B, H, W]
    """
    before, after = side // 2, side - 1 - side // 2
    mask = boundaries(labels).to(torch.float32)
    mask = functional.pad(mask, (before, after, before, after))
    mask = functional.max_pool2d(mask, (1, side), stride=1)
    return functional.max_pool2d(mask, (side, 1), stride=1) > 0


def binary_mask(labels: Tensor) -> Tensor:
    """Return the segment with the longest boundary against all others.

    Parameters
    ----------
    labels : Tensor of int64, [B, H, W]
        Pixels below 0 belong to no segment.

    Returns
    -------
    Tensor of int64, [B, H, W]
        1 in the segment of each image that has the most pixels of `boundaries` (of several the
        first), 0 in others, and -1 where there is none.

    References
    ----------
    Wang et al., "Generating Superpixels for High-Resolution Images with Decoupled Patch
    Calibration", 2024, equation 4.
    """
    batch = labels.shape[0]
    num_classes = max(1, int(labels.max()) + 1)
    bins = labels + num_classes * torch.arange(batch, device=labels.device)[:, None, None]
    lengths = torch.bincount(bins[boundaries(labels)], minlength=batch * num_classes)
    longest = lengths.view(batch, num_classes).argmax(dim=1)
    return torch.where(labels < 0, -1, (labels == longest[:, None, None]).long())
