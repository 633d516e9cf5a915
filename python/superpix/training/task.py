"""What the training of every model has in common, for Lightning."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning import LightningModule
from numpy.typing import NDArray
from torch import Tensor

from superpix import metrics
from superpix.data import FlowSample, Sample
from superpix.models.base import SuperpixelModel


class TrainingError(Exception):
    """A run that cannot go on."""


@dataclass(frozen=True)
class RunConfig:
    """Settings of every run.

    Attributes
    ----------
    batch_size : int
        Of all devices together.
    learning_rate : float
        Of Adam.
    weight_decay : float
        Of weights, not of biases.
    max_steps : int
        When training ends.
    decay_steps : int
        Over how many of the last steps the learning rate falls to 0, along a line.
    halve_at : tuple of int
        Steps at which the learning rate is halved.
    tenth_at : tuple of int
        Steps at which the learning rate falls to a tenth.
    validate_every : int
        Steps from one validation and checkpoint to the next.
    validation_images : int
        How many at most; 0 is all.
    validation_segments : int
        How many superpixels are asked for in validation.
    clip_gradient : float, optional
        Greatest norm of the gradient.
    seed : int
        Of weights and crops.
    num_workers : int
        Processes that make crops; 0 makes them where the model is trained.
    """

    batch_size: int = 8
    learning_rate: float = 1e-4
    weight_decay: float = 0.0
    max_steps: int = 500_000
    decay_steps: int = 0
    halve_at: tuple[int, ...] = ()
    tenth_at: tuple[int, ...] = ()
    validate_every: int = 1000
    validation_images: int = 0
    validation_segments: int = 100
    clip_gradient: float | None = None
    seed: int = 0
    num_workers: int = 2


class Task(LightningModule):
    """Trains a model by one of its losses.

    Parameters
    ----------
    model : SuperpixelModel
        What is trained.
    config : RunConfig
        How.
    folder : Path
        Where a batch is left that made the loss NaN or infinite.
    """

    def __init__(self, model: SuperpixelModel, config: RunConfig, folder: Path) -> None:
        super().__init__()
        # The layout that convolutions are fastest in, on CPUs and on GPUs.
        self.model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.config = config
        self.folder = folder

    def start_from(self, weights: Path | str) -> None:
        """Take weights that `SuperpixelModel.from_pretrained` knows.

        Raises
        ------
        ValueError
            There are no such weights, they are another model's, or the model has other arguments.
        """
        trained = type(self.model).from_pretrained(weights)
        given, wanted = trained.options, self.model.options
        different = [
            f"{key} is {given[key]}, not {wanted[key]}"
            for key in wanted
            if given[key] != wanted[key]
        ]
        if different:
            raise ValueError(f"weights {str(weights)!r}: {', '.join(different)}")
        self.model.load_state_dict(trained.state_dict())

    def losses(self, batch: Any) -> dict[str, Tensor]:
        """Return the terms of the loss, which is their sum."""
        raise NotImplementedError

    def training_step(self, batch: Any, _index: int) -> Tensor:
        """Return the loss, logged with its terms."""
        terms = self.losses(batch)
        loss = torch.stack(list(terms.values())).sum()
        if not torch.isfinite(loss):
            self._fail(batch, terms)
        shown = {f"train/{name}": term.detach() for name, term in terms.items()}
        self.log("train/loss", loss.detach(), prog_bar=True)
        self.log_dict(shown)
        return loss

    def validation_step(self, sample: Sample | FlowSample, _index: int) -> None:
        """Log how well superpixels fit the annotations, the mean over all of these, or the flow."""
        labels = self.model.segment(sample.image, self.config.validation_segments)
        options: dict[str, Any] = {"batch_size": 1, "on_epoch": True, "sync_dist": True}
        if isinstance(sample, FlowSample):
            error = end_point_error(labels, sample.flow, sample.valid)
            self.log("val/epe", error, prog_bar=True, **options)
        else:
            self._log_accuracy(labels, sample, options)
        self.log("val/superpixels", float(len(np.unique(labels))), **options)

    def _log_accuracy(self, labels: NDArray[Any], sample: Sample, options: dict[str, Any]) -> None:
        scores = [
            (
                metrics.achievable_segmentation_accuracy(labels, annotation),
                metrics.boundary_recall(labels, annotation),
            )
            for annotation in sample.annotations
        ]
        asa, recall = np.mean(scores, axis=0)
        options["batch_size"] = len(scores)
        self.log("val/asa", float(asa), prog_bar=True, **options)
        self.log("val/br", float(recall), **options)

    def transfer_batch_to_device(
        self, batch: Any, device: torch.device, dataloader_idx: int
    ) -> Any:
        """Leave images to `segment`."""
        if isinstance(batch, Sample | FlowSample):
            return batch
        return super().transfer_batch_to_device(batch, device, dataloader_idx)

    def configure_optimizers(self) -> Any:
        """Return Adam and the schedule of its learning rate."""
        decayed = [p for name, p in self.model.named_parameters() if name.endswith("weight")]
        rest = [p for name, p in self.model.named_parameters() if not name.endswith("weight")]
        optimizer = torch.optim.Adam(
            [
                {"params": decayed, "weight_decay": self.config.weight_decay},
                {"params": rest, "weight_decay": 0.0},
            ],
            lr=self.config.learning_rate,
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def _rate(self, step: int) -> float:
        rate = 0.5 ** sum(step >= at for at in self.config.halve_at)
        rate *= 0.1 ** sum(step >= at for at in self.config.tenth_at)
        left = self.config.max_steps - step
        return float(rate * min(1.0, left / (self.config.decay_steps + 1)))

    def _fail(self, batch: Any, terms: dict[str, Tensor]) -> None:
        path = self.folder / f"bad_batch_{self.global_step}.pt"
        torch.save(batch, path)
        values = ", ".join(f"{name} {term.item():g}" for name, term in terms.items())
        raise TrainingError(
            f"the loss of step {self.global_step} is not finite ({values}); its batch is in {path}"
        )


def end_point_error(
    labels: NDArray[Any], flow: NDArray[np.float32], valid: NDArray[np.bool_]
) -> float:
    """Return how far the means of flow [H, W, 2] over superpixels are off, in pixels.

    Only valid pixels count. The mean of none is 0.
    """
    labels, vectors = labels[valid], flow[valid].astype(np.float64)
    if not labels.size:
        return 0.0
    counts = np.maximum(np.bincount(labels), 1)
    means = np.stack([np.bincount(labels, part) / counts for part in vectors.T], axis=-1)
    return float(np.linalg.norm(means[labels] - vectors, axis=-1).mean())
