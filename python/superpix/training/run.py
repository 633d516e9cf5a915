"""One training run: data, model, Lightning's trainer, checkpoints, logs, weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from lightning import LightningDataModule, Trainer, seed_everything
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from torch.utils.data import DataLoader, Subset

from superpix.data import Dataset, FlowSample, Sample
from superpix.training.config import write_config
from superpix.training.crops import RandomCrops, Steps
from superpix.training.task import RunConfig, Task

Validation = Dataset[Sample | FlowSample]


@dataclass(frozen=True)
class Hardware:
    """Where a run computes; as Lightning's Trainer names it."""

    accelerator: str = "auto"
    devices: int = 1
    num_nodes: int = 1
    precision: str = "32-true"


class Data(LightningDataModule):
    """Crops to train on, from one validation to the next, and images to validate with."""

    def __init__(self, crops: RandomCrops, validation: Validation, config: RunConfig) -> None:
        super().__init__()
        self._crops = crops
        self._validation = validation
        self._config = config

    def train_dataloader(self) -> DataLoader[Any]:
        """Return the batches up to the next validation."""
        trainer = self._trainer()
        config = self._config
        first = trainer.global_step
        steps = Steps(
            first,
            min(config.max_steps, first + config.validate_every),
            config.batch_size,
            trainer.global_rank,
            trainer.world_size,
        )
        return DataLoader(
            self._crops,
            batch_size=config.batch_size // trainer.world_size,
            sampler=steps,
            num_workers=config.num_workers,
            pin_memory=torch.cuda.is_available(),
        )

    def val_dataloader(self) -> DataLoader[Any]:
        """Return whole images, of which each process has some."""
        trainer = self._trainer()
        count = len(self._validation)
        if self._config.validation_images:
            count = min(count, self._config.validation_images)
        mine = range(trainer.global_rank, count, trainer.world_size)
        images: Any = Subset(self._validation, list(mine))  # type: ignore[arg-type]
        return DataLoader(images, batch_size=None)

    def _trainer(self) -> Trainer:
        trainer = self.trainer
        if trainer is None:
            raise RuntimeError("the data are for a Trainer")
        return trainer


@dataclass(frozen=True)
class Run:
    """What `train` needs beside the model."""

    folder: Path
    hardware: Hardware = field(default_factory=Hardware)
    resume: Path | None = None
    callbacks: Sequence[Any] = ()
    show_progress: bool = False


def train(task: Task, crops: RandomCrops, validation: Validation, run: Run) -> Path:
    """Train a model and return the file with its best weights.

    ``run.folder`` gets config.yaml, TensorBoard's logs and metrics.csv, the checkpoints best.ckpt
    (by accuracy in validation, or the error of flow) and last.ckpt, and the weights of the best as
    weights.safetensors. A run that goes on from last.ckpt gives what it would have given without
    the break; what was logged before is in metrics_1.csv and so on.
    """
    config = task.config
    run.folder.mkdir(parents=True, exist_ok=True)
    write_config(config, run.folder / "config.yaml")
    has_flow = isinstance(validation[0], FlowSample)
    monitor, mode = ("val/epe", "min") if has_flow else ("val/asa", "max")
    best = _checkpoint(run.folder, "best", monitor=monitor, mode=mode)
    last = _checkpoint(run.folder, "last")
    trainer = Trainer(
        accelerator=run.hardware.accelerator,
        devices=run.hardware.devices,
        num_nodes=run.hardware.num_nodes,
        precision=run.hardware.precision,  # type: ignore[arg-type]  # which the trainer checks
        max_steps=config.max_steps,
        gradient_clip_val=config.clip_gradient,
        use_distributed_sampler=False,  # the crops know their process
        reload_dataloaders_every_n_epochs=1,
        num_sanity_val_steps=0,
        log_every_n_steps=10,
        callbacks=[best, last, LearningRateMonitor("step"), *run.callbacks],
        logger=[
            TensorBoardLogger(run.folder, name="", version="logs"),
            CSVLogger(run.folder, name="", version=""),
        ],
        enable_progress_bar=run.show_progress,
        enable_model_summary=False,
    )
    if run.resume is not None and trainer.is_global_zero:
        _keep_metrics(run.folder)
    if config.num_workers > 0:
        crops.fill_cache()
    trainer.fit(task, datamodule=Data(crops, validation, config), ckpt_path=run.resume)
    weights = run.folder / "weights.safetensors"
    if trainer.is_global_zero:
        if best.best_model_path:
            state = torch.load(best.best_model_path, map_location="cpu", weights_only=True)
            task.load_state_dict(state["state_dict"])
        task.model.save(weights)
    return weights


def _keep_metrics(folder: Path) -> None:
    """Rename metrics.csv, which the logger starts anew."""
    metrics = folder / "metrics.csv"
    if metrics.is_file():
        number = 1 + sum(1 for _ in folder.glob("metrics_*.csv"))
        metrics.rename(folder / f"metrics_{number}.csv")


def _checkpoint(folder: Path, name: str, **options: Any) -> ModelCheckpoint:
    """Return what writes a checkpoint after validation, over the one before."""
    return ModelCheckpoint(
        folder,
        filename=name,
        save_on_train_epoch_end=False,
        enable_version_counter=False,
        **options,
    )


def seed_all(seed: int) -> None:
    """Make weights, and all that is drawn, follow from a number."""
    seed_everything(seed, workers=True, verbose=False)
