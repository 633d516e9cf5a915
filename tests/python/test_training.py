"""Training: settings, crops, and runs that stop, go on, spread over processes, or fail."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")
pytest.importorskip("safetensors")

from superpix.cli.app import app  # noqa: E402
from superpix.data import BSDS500, Sample  # noqa: E402
from superpix.models import SSN  # noqa: E402
from superpix.training.config import (  # noqa: E402
    ConfigError,
    parse_changes,
    read_config,
    write_config,
)
from superpix.training.crops import Augmentation, RandomCrops, Steps, consecutive  # noqa: E402
from superpix.training.run import Hardware, Run, seed_all, train  # noqa: E402
from superpix.training.ssn import SSNConfig, SSNTask  # noqa: E402
from superpix.training.task import TrainingError, end_point_error  # noqa: E402
from support.datasets import BUILDERS, write_mat  # noqa: E402

HEIGHT, WIDTH = 64, 80

pytestmark = pytest.mark.filterwarnings(
    "ignore::lightning.pytorch.utilities.warnings.PossibleUserWarning",
    "ignore:.*LeafSpec",
    "ignore:.*transfer_batch_to_device",
    "ignore:.*exists and is not empty",
    "ignore:.*Previous log files",
)


def make_sample(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """Make regions under noise that is stronger than they differ: neighbours are to be asked."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    regions = (x + 8 * np.sin(y / 9 + seed) > 30) + 2 * (y + 5 * np.sin(x / 7) > 30)
    image = 80 + 30 * regions + rng.uniform(-70, 70, regions.shape)
    pixels = np.clip(np.repeat(image[..., None], 3, -1), 0, 255).astype(np.uint8)
    return pixels, (1 + regions).astype(np.uint16)


@pytest.fixture
def bsds(tmp_path: Path) -> Path:
    """Four images to train on, two to validate with, and two annotators each."""
    root = tmp_path / "bsds"
    for split, count in (("train", 4), ("val", 2)):
        for number in range(count):
            image, truth = make_sample(number + 10 * (split == "val"))
            path = root / "images" / split / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path, quality=95)
            write_mat(root / "groundTruth" / split / f"{number}.mat", truth, np.ones_like(truth))
    return root


def small(**changes: Any) -> SSNConfig:
    settings: dict[str, Any] = {
        "variant": "linear",
        "batch_size": 4,
        "crop": 32,
        "num_segments": 9,
        "max_steps": 6,
        "validate_every": 3,
        "validation_segments": 20,
        "num_workers": 0,
        "learning_rate": 1e-2,
    }
    return SSNConfig(**settings | changes)


def run_ssn(
    config: SSNConfig, bsds: Path, folder: Path, resume: bool = False, **hardware: Any
) -> SSNTask:
    folder.mkdir(exist_ok=True)
    seed_all(config.seed)
    task = SSNTask(config, folder)
    crops = RandomCrops([BSDS500(bsds, "train")], SSNTask.augmentation(config), config.seed)
    last = folder / "last.ckpt" if resume else None
    options = Hardware(**{"accelerator": "cpu", **hardware})
    train(task, crops, BSDS500(bsds, "val"), Run(folder, options, last))
    return task


def state_of(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return loaded


# settings


def test_settings_come_from_a_file_and_from_changes(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("learning_rate: 1e-3\nhalve_at: [10, 20]\nmax_steps: 30\n")
    config = read_config(SSNConfig, path, parse_changes(["max_steps=40", "clip_gradient=2"]))
    assert (config.learning_rate, config.halve_at, config.max_steps) == (1e-3, (10, 20), 40)
    assert config.clip_gradient == 2.0
    assert read_config(SSNConfig, None) == SSNConfig()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lerning_rate: 1", "no such setting: lerning_rate; there are batch_size"),
        ("batch_size: 1.5", "batch_size must be int, got 1.5"),
        ("batch_size: true", "batch_size must be int, got True"),
        ("learning_rate: fast", "learning_rate must be float, got 'fast'"),
        ("halve_at: 3", "halve_at must be a list"),
        ("[1, 2]", "must hold KEY: VALUE lines, got list"),
        ("a: [", "no YAML"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_config(SSNConfig, path)


def test_missing_settings_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: cannot be read"):
        read_config(SSNConfig, tmp_path / "nowhere.yaml")
    with pytest.raises(ConfigError, match="must be KEY=VALUE"):
        parse_changes(["batch_size 3"])


# crops


def test_crops_go_over_all_annotations_in_passes(bsds: Path) -> None:
    whole = Augmentation(HEIGHT, flip_x=0.0)
    crops = RandomCrops([BSDS500(bsds, "train")], whole, seed=3)
    assert crops.num_annotations == 8
    for turn in range(2):
        counts = [len(crops[8 * turn + i][1].unique()) for i in range(8)]
        assert sorted(counts)[:4] == [1, 1, 1, 1]  # the annotators who drew nothing
        assert min(sorted(counts)[4:]) > 1


def test_a_crop_is_a_function_of_its_number(bsds: Path) -> None:
    augmentation = Augmentation(24, 0.75, 0.75, 3.0, flip_y=0.5)
    samples = BSDS500(bsds, "train")
    one = RandomCrops([samples], augmentation, seed=5)
    other = RandomCrops([samples], augmentation, seed=5, cache_bytes=0)
    for number in (11, 3, 11, 0):
        for a, b in zip(one[number], other[number], strict=True):
            assert torch.equal(a, b)
    assert not torch.equal(one[0][0], RandomCrops([samples], augmentation, seed=6)[0][0])


def test_crops_keep_image_and_annotation_together() -> None:
    annotation = np.arange(60 * 80).reshape(60, 80) % 251
    image = np.repeat(annotation[..., None], 3, -1).astype(np.uint8)
    augmentation = Augmentation(20, flip_x=0.5, flip_y=0.5)
    for seed in range(20):
        pixels, labels = augmentation(image, annotation, np.random.default_rng(seed))
        assert pixels.shape == (20, 20, 3)
        np.testing.assert_array_equal(pixels[..., 0], labels)


def test_scaled_crops_are_parts_of_scaled_images() -> None:
    y, x = np.mgrid[:100, :120]
    image = np.stack([x, y, x], -1).astype(np.uint8)
    for scale in (0.8, 1.0, 2.5):
        augmentation = Augmentation(40, 0.0, scale, scale, flip_x=0.0)
        pixels, labels = augmentation(image, x + 1000 * y, np.random.default_rng(1))
        np.testing.assert_allclose(pixels[..., 0], labels % 1000, atol=1.6)
        np.testing.assert_allclose(pixels[..., 1], labels // 1000, atol=1.6)
        span = float(pixels[0, -1, 0]) - float(pixels[0, 0, 0])
        assert span == pytest.approx(39 / scale, abs=2)


def test_a_step_may_have_its_own_number_of_superpixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = SSNTask(small(num_segments=36, least_segments=4), tmp_path)
    grids: list[tuple[int, int]] = []
    forward = task.model.forward
    monkeypatch.setattr(
        task.model, "forward", lambda x, grid: grids.append(grid) or forward(x, grid)
    )
    batch = torch.zeros(1, 3, 32, 32, dtype=torch.uint8), torch.zeros(1, 32, 32, dtype=torch.int64)
    for step in (*range(60), 0):
        monkeypatch.setattr(SSNTask, "global_step", step)
        task.losses(batch)
    counts = [rows * columns for rows, columns in grids]
    assert grids[0] == grids[-1]
    assert min(counts) == 4
    assert max(counts) == 36
    assert np.median(counts) == pytest.approx(12, abs=4)  # even in the logarithm


def test_flow_is_in_pixels_of_the_crop() -> None:
    image, _ = make_sample(0)
    flow = np.broadcast_to(np.float32([3, -2]), (HEIGHT, WIDTH, 2)).copy()
    flow[10:20, 30:] = np.nan
    rng = np.random.default_rng(0)
    twice = Augmentation(40, least_scale=2, greatest_scale=2, flip_x=0)
    pixels, crop = twice.item(image, flow, rng)
    assert pixels.shape == (3, 40, 40)
    assert crop.dtype == torch.float32
    assert crop.shape == (2, 40, 40)
    known = ~crop.isnan()
    assert crop[0][known[0]].unique().tolist() == [6]
    assert crop[1][known[1]].unique().tolist() == [-4]
    mirrored = Augmentation(HEIGHT, flip_x=1, flip_y=1).item(image, flow, rng)[1]
    assert mirrored.nan_to_num(-3).unique().tolist() == [-3, 2]
    assert 0 < mirrored.isnan().float().mean() < 1


def test_ssn_learns_from_flow(tmp_path: Path) -> None:
    BUILDERS["sintel"](tmp_path)
    write_config(small(crop=20, num_segments=4), tmp_path / "small.yaml")
    command = f"train ssn --data sintel={tmp_path} --splits training --validation training"
    command += f" --accelerator cpu --config {tmp_path}/small.yaml -o {tmp_path}/run"
    result = CliRunner().invoke(app, command.split())
    assert result.exit_code == 0, result.output
    with (tmp_path / "run" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    errors = [float(row["val/epe"]) for row in rows if row["val/epe"]]
    assert len(errors) == 2
    assert all(0 < error < 10 for error in errors)
    assert state_of(tmp_path / "run" / "best.ckpt")["global_step"] in (3, 6)


def test_end_point_error_is_that_of_means() -> None:
    labels = np.array([[1, 1, 2], [1, 1, 2]])
    flow = np.zeros((2, 3, 2), np.float32)
    flow[0, 0] = 3, 4
    flow[:, 2] = 7, np.nan
    valid = np.array([[True, True, False], [False, False, False]])
    assert end_point_error(labels, flow, valid) == pytest.approx(2.5)
    assert end_point_error(labels, flow, np.zeros_like(valid)) == 0


def test_small_images_are_enlarged() -> None:
    image = np.zeros((10, 30, 3), np.uint8)
    pixels, labels = Augmentation(25)(image, np.zeros((10, 30), int), np.random.default_rng(0))
    assert pixels.shape == (25, 25, 3)
    assert labels.shape == (25, 25)


def test_labels_become_consecutive() -> None:
    assert consecutive(np.array([[7, -3], [9, 7]])).tolist() == [[0, -1], [1, 0]]
    assert consecutive(np.array([[4]])).tolist() == [[0]]
    assert consecutive(np.array([[-1, -2]])).tolist() == [[-1, -1]]


def test_processes_share_the_crops_of_a_step() -> None:
    alone = list(Steps(2, 5, 4))
    shared = [list(Steps(2, 5, 4, rank, 2)) for rank in range(2)]
    assert alone == list(range(8, 20))
    assert sorted(shared[0] + shared[1]) == alone
    assert set(shared[0][:2] + shared[1][:2]) == set(alone[:4])
    assert len(Steps(2, 5, 4, 0, 2)) == 6
    with pytest.raises(ValueError, match="batch_size must be a multiple of the 3 processes"):
        Steps(0, 1, 4, 0, 3)


# runs


def test_a_run_leaves_weights_checkpoints_and_logs(bsds: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run_ssn(small(), bsds, folder)
    assert read_config(SSNConfig, folder / "config.yaml") == small()
    for name in ("best.ckpt", "last.ckpt", "weights.safetensors"):
        assert (folder / name).is_file()
    assert list((folder / "logs").glob("events.out.tfevents.*"))
    with (folder / "metrics.csv").open() as file:
        scores = [float(row["val/asa"]) for row in csv.DictReader(file) if row["val/asa"]]
    assert len(scores) == 2
    assert 0.5 < scores[-1] <= 1
    model = SSN.from_pretrained(folder / "weights.safetensors")
    assert model.options["variant"] == "linear"
    assert state_of(folder / "last.ckpt")["global_step"] == 6


def test_a_resumed_run_is_the_unbroken_one(bsds: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "variant": "deep",
        "max_steps": 9,
        "decay_steps": 4,
        "least_segments": 4,
    }
    run_ssn(small(**options), bsds, tmp_path / "whole")
    # The learning rate follows from the last step, so the first half is stopped from outside.
    folder = tmp_path / "broken"
    with pytest.raises(KeyboardInterrupt):
        run_interrupted(small(**options), bsds, folder, at=5)
    assert state_of(folder / "last.ckpt")["global_step"] == 3
    run_ssn(small(**options), bsds, folder, resume=True)
    assert (folder / "metrics_1.csv").is_file()
    whole = state_of(tmp_path / "whole" / "last.ckpt")
    again = state_of(folder / "last.ckpt")
    assert whole["global_step"] == again["global_step"] == 9
    for name, value in whole["state_dict"].items():
        assert torch.equal(value, again["state_dict"][name]), name


def run_interrupted(config: SSNConfig, bsds: Path, folder: Path, at: int) -> None:
    folder.mkdir()
    seed_all(config.seed)

    class Interrupted(SSNTask):
        def losses(self, batch: Any) -> dict[str, Any]:
            if self.global_step == at:
                raise KeyboardInterrupt
            return super().losses(batch)

    task = Interrupted(config, folder)
    crops = RandomCrops([BSDS500(bsds, "train")], SSNTask.augmentation(config), config.seed)
    try:
        train(task, crops, BSDS500(bsds, "val"), Run(folder, Hardware("cpu")))
    except SystemExit:  # Lightning's way out
        raise KeyboardInterrupt from None


SHARED_RUN = """
import sys
from pathlib import Path

import torch
from lightning import Callback
from superpix.data import BSDS500
from superpix.training.config import read_config
from superpix.training.crops import RandomCrops
from superpix.training.run import Hardware, Run, seed_all, train
from superpix.training.ssn import SSNConfig, SSNTask


class Keep(Callback):
    def on_train_end(self, trainer, task):
        torch.save(task.state_dict(), folder / f"rank{trainer.global_rank}.pt")


bsds, folder, devices = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
config = read_config(SSNConfig, folder / "config.yaml")
seed_all(config.seed)
crops = RandomCrops([BSDS500(bsds, "train")], SSNTask.augmentation(config), config.seed)
run = Run(folder, Hardware("cpu", devices), callbacks=[Keep()])
train(SSNTask(config, folder), crops, BSDS500(bsds, "val"), run)
"""


def test_two_processes_train_as_one(bsds: Path, tmp_path: Path) -> None:
    config = small(max_steps=4, validate_every=2, learning_rate=1e-3)
    script = tmp_path / "run.py"
    script.write_text(SHARED_RUN)
    for devices in (1, 2):
        folder = tmp_path / str(devices)
        folder.mkdir()
        write_config(config, folder / "config.yaml")
        command = [sys.executable, str(script), str(bsds), str(folder), str(devices)]
        # Two processes with a thread for every core would wait for each other.
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=300, check=False, env=environment
        )
        assert done.returncode == 0, done.stderr
    alone = state_of(tmp_path / "1" / "rank0.pt")
    first, second = (state_of(tmp_path / "2" / f"rank{rank}.pt") for rank in range(2))
    start = SSNTask(config, tmp_path).state_dict()
    for name, value in alone.items():
        assert torch.equal(first[name], second[name])
        # Adam makes much of gradients that are nearly 0, whose sums are rounded elsewhere.
        torch.testing.assert_close(first[name], value, rtol=1e-3, atol=1e-4)
        if name.endswith("weight"):
            assert not torch.allclose(start[name], value, atol=1e-3)


def test_mixed_precision_trains(bsds: Path, tmp_path: Path) -> None:
    # The first steps of Adam go by the signs of gradients, so only small ones are comparable.
    config = small(variant="deep", max_steps=3, learning_rate=1e-4)
    crops = RandomCrops([BSDS500(bsds, "train")], SSNTask.augmentation(config), config.seed)
    batch = torch.utils.data.default_collate([crops[i] for i in range(100, 104)])
    losses = []
    for precision in ("32-true", "bf16-mixed"):
        task = run_ssn(config, bsds, tmp_path / precision, precision=precision)
        assert {p.dtype for p in task.parameters()} == {torch.float32}
        losses.append(sum(term.item() for term in task.losses(batch).values()))
    assert losses[1] == pytest.approx(losses[0], rel=0.01)


def test_training_starts_from_weights(bsds: Path, tmp_path: Path) -> None:
    start = SSN("linear", 8)
    start.save(tmp_path / "start.safetensors")
    write_config(small(num_features=8, learning_rate=1e-9), tmp_path / "small.yaml")
    command = f"train ssn --bsds {bsds} -o {tmp_path}/run --accelerator cpu"
    command += f" --config {tmp_path}/small.yaml --weights {tmp_path}/start.safetensors"
    result = CliRunner().invoke(app, command.split())
    assert result.exit_code == 0, result.output
    trained = SSN.from_pretrained(tmp_path / "run" / "weights.safetensors")
    for name, value in start.state_dict().items():
        torch.testing.assert_close(trained.state_dict()[name], value, atol=1e-6, rtol=0)


def test_weights_to_start_from_fit_the_model(tmp_path: Path) -> None:
    SSN("linear", 8).save(tmp_path / "start.safetensors")
    task = SSNTask(small(num_features=9), tmp_path)
    with pytest.raises(ValueError, match=r"start.safetensors': num_features is 8, not 9"):
        task.start_from(tmp_path / "start.safetensors")
    with pytest.raises(ValueError, match="SSN has no weights 'nowhere'"):
        task.start_from("nowhere")


def test_a_loss_that_is_not_finite_ends_the_run(bsds: Path, tmp_path: Path) -> None:
    config = small()
    seed_all(0)
    task = SSNTask(config, tmp_path)
    with torch.no_grad():
        task.model.network.bias[0] = float("nan")  # type: ignore[union-attr,index]
    crops = RandomCrops([BSDS500(bsds, "train")], SSNTask.augmentation(config), config.seed)
    with pytest.raises(TrainingError, match=r"the loss of step 0 is not finite \(reconstruction"):
        train(task, crops, BSDS500(bsds, "val"), Run(tmp_path, Hardware("cpu")))
    pixels, labels = torch.load(tmp_path / "bad_batch_0.pt", weights_only=True)
    assert pixels.shape == (4, 3, 32, 32)
    assert labels.shape == (4, 32, 32)


def test_broken_data_are_named(bsds: Path, tmp_path: Path) -> None:
    (bsds / "groundTruth" / "train" / "2.mat").write_bytes(b"nothing")
    arguments = ["train", "ssn", "--bsds", str(bsds), "-o", str(tmp_path / "run")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert "2.mat: not a ground truth file of BSDS500" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["slic"], "no model is called 'slic'; choose from ssn, scn, pcnet"),
        (["ssn", "--set", "colour=3"], "no such setting: colour"),
        (["ssn", "--weights", "nowhere"], "SSN has no weights 'nowhere'"),
        (["ssn", "--weights", "bsds500", "--resume"], "a run that goes on has its own weights"),
        (["ssn", "--resume"], "there is no checkpoint to resume from"),
        (["ssn", "--splits", "training"], "BSDS500 has no split 'training'"),
        (["ssn", "--data", "coco=x"], "must be KIND=DIR, KIND being one of bsds, cityscapes"),
        (["scn", "--data", "sintel=x"], "scn learns from segments, and sintel has optical flow"),
        (["ssn", "--data", "voc=nowhere"], "nowhere: no such folder"),
    ],
)
def test_wrong_arguments_are_refused(
    bsds: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    command = ["train", *arguments, "--bsds", str(bsds), "-o", str(tmp_path / "run")]
    result = CliRunner().invoke(app, command, env={"COLUMNS": "200"})
    assert result.exit_code != 0
    assert message in result.stderr


def test_training_pays(bsds: Path, tmp_path: Path) -> None:
    config = small(variant="deep", max_steps=200, validate_every=100, learning_rate=2e-3)
    before = accuracy(SSNTask(config, tmp_path).model, bsds)
    after = accuracy(run_ssn(config, bsds, tmp_path / "run").model, bsds)
    assert after > before + 0.02


def accuracy(model: SSN, bsds: Path) -> float:
    from superpix.metrics import achievable_segmentation_accuracy

    def score(sample: Sample) -> float:
        return achievable_segmentation_accuracy(
            model.segment(sample.image, 20), sample.annotations[0]
        )

    return float(np.mean([score(sample) for sample in BSDS500(bsds, "val")]))
