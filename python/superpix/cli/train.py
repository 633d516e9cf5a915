"""`superpix train`: a model learns from annotated images."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from superpix.cli import console
from superpix.data import DATASETS, DataError, Dataset, FlowSample, Sample, open_dataset

MODELS = ("ssn", "scn", "pcnet")


def train(
    model: Annotated[str, typer.Argument(help=f"One of {', '.join(MODELS)}.", metavar="MODEL")],
    bsds: Annotated[
        Path | None,
        typer.Option(
            envvar="SUPERPIX_BSDS500",
            metavar="DIR",
            help="BSDS500 in its original layout; the same as --data bsds=DIR.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="KIND=DIR",
            help=f"A data set in its official layout: {', '.join(DATASETS)} (docs/data.md).",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Folder of the run.", show_default="runs/MODEL"),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="YAML file of settings that are not to be the paper's."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="One such setting; comes after --config."),
    ] = None,
    splits: Annotated[
        str, typer.Option(metavar="LIST", help="The data set's splits to train on.")
    ] = "train",
    validation: Annotated[
        str, typer.Option(metavar="SPLIT", help="The split that the best weights are chosen by.")
    ] = "val",
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Weights to start from: some that come with superpix, or a safetensors file.",
            show_default="random ones",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the folder's last checkpoint.")
    ] = False,
    accelerator: Annotated[str, typer.Option(help="auto, cpu, gpu ...")] = "auto",
    devices: Annotated[int, typer.Option(min=1, help="Devices of each node.")] = 1,
    num_nodes: Annotated[int, typer.Option(min=1, help="Nodes.")] = 1,
    precision: Annotated[
        str, typer.Option(help="32-true, bf16-mixed or 16-mixed, as Lightning names them.")
    ] = "32-true",
) -> None:
    """Train a model on annotated images.

    The folder of the run gets config.yaml, metrics.csv, TensorBoard's logs, the checkpoints
    best.ckpt (by accuracy in validation, or the error of flow) and last.ckpt, and
    weights.safetensors, which `superpix evaluate --methods MODEL:FILE` takes. Over several devices,
    every step is that of one device with the same batch size, but for batch normalisation.
    """
    if model not in MODELS:
        raise typer.BadParameter(
            f"no model is called {model!r}; choose from {', '.join(MODELS)}", param_hint="MODEL"
        )
    try:
        from superpix.training import config as configs
        from superpix.training import run as runs
        from superpix.training.crops import RandomCrops
        from superpix.training.task import TrainingError
        from superpix.training.tasks import TASKS
    except ImportError as error:
        console.error(f"training needs more packages ({error}): pip install 'superpix[train]'")
        raise typer.Exit(1) from None

    if model != "ssn" and data is not None and data.startswith("sintel="):
        raise typer.BadParameter(
            f"{model} learns from segments, and sintel has optical flow", param_hint="--data"
        )
    if resume and weights is not None:
        raise typer.BadParameter(
            "a run that goes on has its own weights: not with --resume", param_hint="--weights"
        )
    folder = output if output is not None else Path("runs") / model
    last = folder / "last.ckpt"
    if resume and not last.is_file():
        console.error(f"{last}: there is no checkpoint to resume from")
        raise typer.Exit(1)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        read = _reader(bsds, data)
        settings_of, task_of = TASKS[model]
        chosen = configs.read_config(settings_of, config, configs.parse_changes(settings or []))
        runs.seed_all(chosen.seed)
        task = task_of(chosen, folder)
        if weights is not None:
            task.start_from(weights)
        sources = [read(split.strip()) for split in splits.split(",")]
        crops = RandomCrops(sources, task_of.augmentation(chosen), chosen.seed)
        console.line(f"training {model} on {crops.num_annotations} annotations, in {folder}")
        with warnings.catch_warnings():
            _quieten()
            written = runs.train(
                task,
                crops,
                read(validation),
                runs.Run(
                    folder,
                    runs.Hardware(accelerator, devices, num_nodes, precision),
                    last if resume else None,
                    show_progress=True,
                ),
            )
    except (DataError, configs.ConfigError, TrainingError, OSError, ValueError) as error:
        console.error(str(error))
        raise typer.Exit(1) from None
    console.line(f"written: {written}")


def _reader(bsds: Path | None, data: str | None) -> Callable[[str], Dataset[Sample | FlowSample]]:
    """Return what opens a split of the data set that was asked for."""
    if data is None and bsds is None:
        raise typer.BadParameter("give --bsds DIR or --data KIND=DIR")
    kind, equals, root = (data or f"bsds={bsds}").partition("=")
    if not equals or kind not in DATASETS:
        raise typer.BadParameter(
            f"{data!r} must be KIND=DIR, KIND being one of {', '.join(DATASETS)}",
            param_hint="--data",
        )
    return lambda split: open_dataset(kind, root, split)


def _quieten() -> None:
    """Leave out what Lightning says of settings that are chosen here."""
    for text in (
        ".*does not have many workers.*",
        ".*exists and is not empty.*",
        ".*LeafSpec.*",
        ".*overridden `transfer_batch_to_device`.*",
        ".*logging interval.*",
        ".*Previous log files.*",
    ):
        warnings.filterwarnings("ignore", text)
