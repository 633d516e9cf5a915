"""Training of SSN: labels of segments go to superpixels and back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from superpix.models import losses
from superpix.models.ssn import SSN, choose_grid
from superpix.training.crops import Augmentation
from superpix.training.task import RunConfig, Task


@dataclass(frozen=True)
class SSNConfig(RunConfig):
    """Settings of SSN, by default the paper's.

    Attributes
    ----------
    variant, num_features, gamma_color, gamma_pos, train_iter, sees_positions
        Of `superpix.models.SSN`.
    num_segments : int
        Superpixels of a crop.
    least_segments : int
        Where it is not 0, each step has its own number of superpixels, from this to
        ``num_segments``, even in the logarithm.
    crop : int
        Height and width of crops.
    scale_deviation, least_scale, greatest_scale : float
        Of `superpix.training.crops.Augmentation`.
    compactness : float
        Weight of the distances of pixels to their superpixels.
    """

    variant: str = "deep"
    num_features: int = 20
    gamma_color: float = 0.26
    gamma_pos: float = 2.5
    train_iter: int = 5
    sees_positions: bool = True
    num_segments: int = 100
    least_segments: int = 0
    crop: int = 201
    scale_deviation: float = 0.75
    least_scale: float = 0.75
    greatest_scale: float = 3.0
    compactness: float = 1e-5


class SSNTask(Task):
    """Trains SSN by cross-entropy, or L1 of flow, and compactness (section 4.3 of the paper)."""

    model: SSN
    config: SSNConfig

    def __init__(self, config: SSNConfig, folder: Path) -> None:
        super().__init__(
            SSN(
                config.variant,  # type: ignore[arg-type]  # which the model checks
                config.num_features,
                gamma_color=config.gamma_color,
                gamma_pos=config.gamma_pos,
                train_iter=config.train_iter,
                sees_positions=config.sees_positions,
            ),
            config,
            folder,
        )

    @staticmethod
    def augmentation(config: SSNConfig) -> Augmentation:
        """Return how crops are taken."""
        return Augmentation(
            config.crop,
            config.scale_deviation,
            config.least_scale,
            config.greatest_scale,
            flip_x=0.5,
        )

    def losses(self, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        """See `Task`."""
        pixels, target = batch
        grid = choose_grid(pixels.shape[-2:], self._num_segments())
        image = pixels.float() / 255
        association, centers, labels = self.model(image, grid)
        terms = {
            "reconstruction": losses.reconstruction_l1(association, target, grid)
            if target.is_floating_point()
            else losses.reconstruction_cross_entropy(association, target, grid)
        }
        if self.config.compactness > 0:
            positions = self.model.positions(image, grid)
            terms["compactness"] = self.config.compactness * losses.compactness(
                centers[:, 3:5], labels, positions
            )
        return terms

    def _num_segments(self) -> int:
        """Return how many superpixels this step has: the same in all processes."""
        least, greatest = self.config.least_segments, self.config.num_segments
        if not least:
            return greatest
        rng = np.random.default_rng((self.config.seed, self.global_step))
        return round(least * math.pow(greatest / least, rng.random()))
