"""Training of PCNet: whole images for the layout of boundaries, patches for their details."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from superpix.models import losses_pcnet
from superpix.models.boundaries import binary_mask, near_boundaries
from superpix.models.pcnet import PCNet
from superpix.training.pairs import PairAugmentation
from superpix.training.scn import SuperpixelLossConfig, superpixel_loss
from superpix.training.task import Task

EMBEDDINGS = ("sub_pixel", "features")


@dataclass(frozen=True)
class PCNetConfig(SuperpixelLossConfig):
    """Settings of PCNet, by default those of the paper (Algorithm 1 and section 4.2).

    The paper says nothing of weight decay, of the scale of its superpixel loss and of the weight of
    positions in it: these are the published code's. Where that departs from the paper, it has
    loss_weights (1, 0.5, 0.005), embedding "features", learning_rate 8e-5, tenth_at () and no
    max_steps.

    Attributes
    ----------
    crop : int
        Height and width of what the network gives, for both branches; a multiple of 64.
    resized : int
        Height and width that whole images are resized to, of which the global crop is taken.
    loss_weights : (float, float, float)
        Of the global branch, of the local branch (alpha), and of local discrimination (beta).
    embedding : {"sub_pixel", "features"}
        What local discrimination tells apart: the output of the sub-pixel layer, or of the
        convolution behind it.
    num_patches, patch_side : int
        Of local discrimination: how many at most in an image, and pixels a side.
    """

    batch_size: int = 8
    learning_rate: float = 5e-5
    weight_decay: float = 4e-4
    max_steps: int = 4000
    tenth_at: tuple[int, ...] = (2000,)
    crop: int = 512
    resized: int = 768
    loss_weights: tuple[float, float, float] = (1.0, 0.1, 0.5)
    embedding: str = "sub_pixel"
    num_patches: int = 500
    patch_side: int = 5

    def __post_init__(self) -> None:
        if self.embedding not in EMBEDDINGS:
            raise ValueError(
                f"embedding must be one of {', '.join(EMBEDDINGS)}, got {self.embedding!r}"
            )


class PCNetTask(Task):
    """Trains PCNet by Algorithm 1 of the paper."""

    model: PCNet
    config: PCNetConfig

    def __init__(self, config: PCNetConfig, folder: Path) -> None:
        super().__init__(PCNet(), config, folder)

    @staticmethod
    def augmentation(config: PCNetConfig) -> PairAugmentation:
        """Return how pairs of crops are taken."""
        return PairAugmentation(
            config.crop,
            config.resized,
            num_patches=config.num_patches,
            patch_side=config.patch_side,
        )

    def losses(self, batch: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """See `Task`: L_G + alpha L_L + beta L_D, the paper's equation 9."""
        whole, whole_segments, patch, patch_segments, centers = batch
        of_whole, of_patch, of_contrast = self.config.loss_weights
        terms, embedding = self._branch(whole, whole_segments, whole_segments)
        # Part of an object does not tell what it is, so patches only tell one segment from others.
        local_terms, _ = self._branch(patch, patch_segments, binary_mask(patch_segments), 2)
        contrast = losses_pcnet.local_discrimination(
            embedding, whole_segments, centers, side=self.config.patch_side
        )
        return {
            **{f"global_{name}": of_whole * term for name, term in terms.items()},
            **{f"local_{name}": of_patch * term for name, term in local_terms.items()},
            "discrimination": of_contrast * contrast,
        }

    def _branch(
        self, pixels: Tensor, segments: Tensor, guide: Tensor, num_classes: int | None = None
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Return the terms of a branch that is guided by labels, and the embedding."""
        image = pixels.float() / 255
        output = self.model(image)
        terms = superpixel_loss(output.association, guide, output.grid, self.config, num_classes)
        terms["restoration"] = losses_pcnet.masked_l1(
            output.restored, image, near_boundaries(segments)
        )
        return terms, getattr(output, self.config.embedding)
