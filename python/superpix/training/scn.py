"""Training of SCN: labels and positions go to superpixels and back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from superpix.models import losses_scn
from superpix.models.cells import CELL
from superpix.models.scn import SCN
from superpix.training.crops import Augmentation
from superpix.training.task import RunConfig, Task


@dataclass(frozen=True)
class SuperpixelLossConfig(RunConfig):
    """Settings of the loss that SCN and PCNet share.

    Attributes
    ----------
    loss_scale : float
        What the semantic loss, a sum over pixels, is multiplied by.
    position_weight : float
        The paper's m: weight of positions over the side of cells, times ``loss_scale``.
    """

    loss_scale: float = 0.005
    position_weight: float = 0.003


@dataclass(frozen=True)
class SCNConfig(SuperpixelLossConfig):
    """Settings of SCN, by default the published code's.

    Attributes
    ----------
    crop : int
        Height and width of crops, a multiple of 16.
    """

    batch_size: int = 4
    learning_rate: float = 5e-5
    weight_decay: float = 4e-4
    max_steps: int = 300_000
    halve_at: tuple[int, ...] = (200_000,)
    crop: int = 208


class SCNTask(Task):
    """Trains SCN by cross-entropy and positions (section 3.2 of the paper)."""

    model: SCN
    config: SCNConfig

    def __init__(self, config: SCNConfig, folder: Path) -> None:
        super().__init__(SCN(), config, folder)

    @staticmethod
    def augmentation(config: SCNConfig) -> Augmentation:
        """Return how crops are taken."""
        return Augmentation(config.crop, flip_x=0.5, flip_y=0.5)

    def losses(self, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        """See `Task`."""
        pixels, segments = batch
        association, grid = self.model(pixels.float() / 255)
        return superpixel_loss(association, segments, grid, self.config)


def superpixel_loss(
    association: Tensor,
    labels: Tensor,
    grid: tuple[int, int],
    config: SuperpixelLossConfig,
    num_classes: int | None = None,
) -> dict[str, Tensor]:
    """Return the weighted terms of SCN's loss, of which PCNet has one for each branch."""
    semantic = losses_scn.semantic(association, labels, grid, num_classes=num_classes)
    position = losses_scn.position(association, grid)
    return {
        "semantic": config.loss_scale * semantic,
        "position": config.loss_scale * config.position_weight / CELL * position,
    }
