"""PCNet's training data: much of a whole image, and a patch of the same at its own resolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from superpix.models.boundaries import boundaries
from superpix.training.crops import consecutive, flipped, resampled, to_tensor


@dataclass(frozen=True)
class PairAugmentation:
    """How a crop of the whole and a patch are taken of one image.

    Labels are those of the nearest pixels, unlike in the published code, which interpolates them.

    Attributes
    ----------
    size : int
        Height and width of both, in pixels.
    resized : int
        Height and width that the whole image is resized to, whatever its shape, of which the first
        is a random crop. Only what ends up in the crop is resampled.
    flip_x, flip_y : float
        Probability that both are mirror images.
    num_patches, patch_side : int
        Of `superpix.models.losses_pcnet.local_discrimination`.

    References
    ----------
    Wang et al., "Generating Superpixels for High-Resolution Images with Decoupled Patch
    Calibration", 2024, Algorithm 1 and section 4.2.
    """

    size: int = 512
    resized: int = 768
    flip_x: float = 0.5
    flip_y: float = 0.5
    num_patches: int = 500
    patch_side: int = 5

    def item(
        self, image: NDArray[np.uint8], annotation: NDArray[Any], rng: np.random.Generator
    ) -> tuple[Tensor, ...]:
        """Return the whole [3, S, S], its labels [S, S], the patch, its labels, and centres.

        Images are uint8. Labels are int64, from 0 on without gaps; -1 is ignored. The centres
        [num_patches, 2] are pixels of the whole at random boundaries, and (-1, -1) behind these.
        """
        crops = [self._whole(image, annotation, rng), self._patch(image, annotation, rng)]
        crops = flipped(crops, rng.random() < self.flip_x, rng.random() < self.flip_y)
        (whole, whole_labels), (patch, patch_labels) = (
            (to_tensor(pixels), consecutive(labels)) for pixels, labels in crops
        )
        return whole, whole_labels, patch, patch_labels, self._centers(whole_labels, rng)

    def _whole(
        self, image: NDArray[np.uint8], annotation: NDArray[Any], rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[Any]]:
        height, width = annotation.shape
        top, left = rng.integers(0, self.resized - self.size, 2, endpoint=True)
        y, x = height / self.resized, width / self.resized
        box = (top * y, left * x, self.size * y, self.size * x)
        return resampled(image, annotation, box, self.size)

    def _patch(
        self, image: NDArray[np.uint8], annotation: NDArray[Any], rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[Any]]:
        """Return pixels around one at a boundary, enlarged if there are too few of them."""
        height, width = annotation.shape
        side = min(self.size, height, width)
        anchors = np.flatnonzero(boundaries(torch.from_numpy(annotation)).numpy())
        anchor = rng.choice(anchors) if anchors.size else rng.integers(annotation.size)
        row, column = divmod(int(anchor), width)
        top = min(max(row - side // 2, 0), height - side)
        left = min(max(column - side // 2, 0), width - side)
        return resampled(image, annotation, (top, left, side, side), self.size)

    def _centers(self, labels: Tensor, rng: np.random.Generator) -> Tensor:
        """Return at most one pixel of five at boundaries, none of which is near the border."""
        found = boundaries(labels)
        count = min(self.num_patches, int(found.sum()) // 5)
        margin = self.patch_side
        inner = found[margin:-margin, margin:-margin].nonzero() + margin
        count = min(count, len(inner))
        centers = torch.full((self.num_patches, 2), -1)
        centers[:count] = inner[torch.from_numpy(rng.permutation(len(inner))[:count])]
        return centers
