"""`superpix evaluate` and what it stands on: the data set, the methods, the averages."""

import csv
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from scipy.io import savemat
from typer.testing import CliRunner, Result

import superpix
from superpix import metrics
from superpix.cli.app import app
from superpix.cli.reports import matches_table, means_table
from superpix.data import BSDS500, BSDSError, Sample
from superpix.evaluation import (
    ImageRow,
    MeanRow,
    bracketing_counts,
    evaluate,
    match_counts,
    summarize,
)
from superpix.peers import CLASSICAL, Method, MissingPackageError, load_method

HEIGHT, WIDTH = 48, 64

Run = Callable[..., Result]


def make_truth(kind: int) -> NDArray[np.uint16]:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    truth: NDArray[np.uint16] = (1 + (x > 20 + 5 * kind) + 2 * (y > 24 + kind)).astype(np.uint16)
    return truth


def make_image(seed: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    colors = rng.integers(0, 240, (5, 3))
    return (colors[make_truth(0)] + rng.integers(0, 15, (HEIGHT, WIDTH, 3))).astype(np.uint8)


def write_truth(path: Path, annotations: list[NDArray[np.uint16]]) -> None:
    cell = np.empty((1, len(annotations)), dtype=object)
    for number, truth in enumerate(annotations):
        cell[0, number] = {"Segmentation": truth, "Boundaries": np.zeros_like(truth, np.uint8)}
    savemat(path, {"groundTruth": cell})


@pytest.fixture
def bsds(tmp_path: Path) -> Path:
    """Two images with two and three annotators, in the original layout."""
    root = tmp_path / "BSDS500"
    images = root / "data" / "images" / "test"
    truths = root / "data" / "groundTruth" / "test"
    images.mkdir(parents=True)
    truths.mkdir(parents=True)
    (images / "Thumbs.db").write_text("the original archive has one")
    for number, annotators in enumerate((2, 3)):
        Image.fromarray(make_image(number)).save(images / f"{number}00.jpg", quality=95)
        write_truth(truths / f"{number}00.mat", [make_truth(kind) for kind in range(annotators)])
    return root


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `superpix evaluate ARGUMENTS` in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SUPERPIX_BSDS500", raising=False)

    def run_app(*arguments: object) -> Result:
        return CliRunner().invoke(app, ["evaluate", *map(str, arguments)])

    return run_app


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


# the data set


@pytest.mark.parametrize("root", [".", "BSDS500", "BSDS500/data"])
def test_bsds_yields_images_and_annotations(bsds: Path, root: str) -> None:
    samples = BSDS500(bsds.parent / root, "test")
    assert len(samples) == 2
    first, second = samples
    assert (first.id, second.id) == ("000", "100")
    assert first.image.shape == (HEIGHT, WIDTH, 3)
    assert first.image.dtype == np.uint8
    assert [len(sample.annotations) for sample in samples] == [2, 3]
    for kind, annotation in enumerate(second.annotations):
        assert annotation.dtype == np.int32
        np.testing.assert_array_equal(annotation, make_truth(kind))
    assert len(BSDS500(bsds, "test", limit=1)) == 1


def test_bsds_says_what_is_wrong_with_a_folder(bsds: Path, tmp_path: Path) -> None:
    with pytest.raises(BSDSError, match=r"nowhere: no such folder"):
        BSDS500(tmp_path / "nowhere", "test")
    with pytest.raises(BSDSError, match=r"images/val/\*\.jpg"):
        BSDS500(bsds, "val")
    with pytest.raises(BSDSError, match="train, val, test"):
        BSDS500(bsds, "tset")
    (bsds / "data" / "images" / "val").mkdir()
    with pytest.raises(BSDSError, match=r"holds no \.jpg"):
        BSDS500(bsds, "val")


def test_bsds_names_a_file_that_is_missing_or_broken(bsds: Path) -> None:
    truth = bsds / "data" / "groundTruth" / "test" / "000.mat"
    whole = truth.read_bytes()
    samples = BSDS500(bsds, "test")

    def message() -> str:
        with pytest.raises(BSDSError) as caught:
            samples[0]
        return str(caught.value)

    truth.write_bytes(whole[: len(whole) // 3])
    assert "000.mat: not a ground truth file" in message()
    truth.write_bytes(b"")
    assert "000.mat: not a ground truth file" in message()
    savemat(truth, {"something": np.zeros(3)})
    assert "000.mat: not a ground truth file" in message()
    savemat(truth, {"groundTruth": np.empty((1, 0), dtype=object)})
    assert "000.mat: holds no annotation" in message()
    write_truth(truth, [make_truth(0)[:-1]])
    assert "000.mat: an annotation is (47, 64)" in message()
    truth.unlink()
    assert "000.mat: missing" in message()
    (bsds / "data" / "images" / "test" / "000.jpg").write_text("no picture")
    assert "000.jpg: cannot be read" in message()


# the methods


@pytest.mark.parametrize("name", CLASSICAL)
def test_methods_give_labels(name: str) -> None:
    try:
        method = load_method(name, num_threads=2)
    except MissingPackageError as error:
        pytest.skip(str(error))
    labels = method.segment(make_image(0), 40)
    assert labels.dtype == np.int32
    assert labels.shape == (HEIGHT, WIDTH)
    assert labels.min() >= 0
    assert 15 <= len(np.unique(labels)) <= 80
    compact = load_method(name, compactness=80, num_threads=1)
    assert metrics.compactness(compact.segment(make_image(0), 40)) > metrics.compactness(labels)


def test_superpix_method_is_slic() -> None:
    image = make_image(0)
    labels = load_method("superpix").segment(image, 40)
    np.testing.assert_array_equal(labels, superpix.slic(image, 40))


def test_fast_slic_labels_above_32767_are_not_negative(monkeypatch: pytest.MonkeyPatch) -> None:
    module = pytest.importorskip("fast_slic")

    class Slic:
        def __init__(self, **_options: Any) -> None:
            pass

        def iterate(self, _image: NDArray[np.uint8]) -> NDArray[np.int16]:
            return np.array([[1, 40000]], dtype=np.uint16).view(np.int16)

    monkeypatch.setitem(sys.modules, "fast_slic.avx2", None)
    monkeypatch.setattr(module, "Slic", Slic)
    labels = load_method("fast-slic").segment(make_image(0), 50000)
    assert labels.tolist() == [[1, 40000]]


@pytest.mark.parametrize(
    ("name", "module"),
    [("skimage", "skimage.segmentation"), ("fast-slic", "fast_slic"), ("opencv", "cv2")],
)
def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, name: str, module: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, f"{module}.avx2", None)
    with pytest.raises(MissingPackageError, match=f"pip install {CLASSICAL[name][1]}"):
        load_method(name)


def test_unknown_method() -> None:
    with pytest.raises(ValueError, match="superpix, skimage, fast-slic, opencv, ssn, scn, pcnet"):
        load_method("slick")
    with pytest.raises(ValueError, match="no method is called 'skimage:w'"):
        load_method("skimage:w")


def test_learned_method_has_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = pytest.importorskip("superpix.models")
    weights = tmp_path / "weights.safetensors"
    model = models.SSN("pix")
    model.save(weights)
    method = load_method(f"ssn:{weights}")
    np.testing.assert_array_equal(
        method.segment(make_image(0), 40), model.segment(make_image(0), 40)
    )
    with pytest.raises(ValueError, match="SSN has no weights 'nowhere'"):
        load_method("ssn:nowhere")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'superpix\[models\]'"):
        load_method(f"ssn:{weights}")


# averages and comparison


def make_row(image: str, annotators: int, value: float, **changes: Any) -> ImageRow:
    row: dict[str, Any] = {
        "method": "superpix",
        "image": image,
        "requested": 100,
        "superpixels": round(100 * value),
        "annotators": annotators,
        "milliseconds": 10 * value,
    }
    row |= dict.fromkeys(("asa", "br", "bp", "ue", "ev", "co"), value)
    return ImageRow(**(row | changes))


def test_means_weight_images_by_annotators_and_times_are_medians() -> None:
    rows = [
        make_row("a", 1, 0.2),
        make_row("b", 3, 0.6),
        make_row("c", 1, 0.2, milliseconds=900),
        make_row("a", 1, 0.9, requested=50),
    ]
    fifty, hundred = summarize(rows)
    assert (fifty.requested, fifty.images, fifty.asa) == (50, 1, 0.9)
    assert (hundred.requested, hundred.images, hundred.pairs) == (100, 3, 5)
    for score in ("asa", "br", "bp", "ue", "ev", "co"):
        assert getattr(hundred, score) == pytest.approx((2 * 0.2 + 3 * 0.6) / 5)
    assert hundred.superpixels == pytest.approx((2 * 20 + 3 * 60) / 5)
    assert hundred.milliseconds == pytest.approx(6)


def make_mean(method: str, superpixels: float, asa: float, br: float) -> MeanRow:
    return MeanRow(
        method=method,
        requested=100,
        images=1,
        pairs=1,
        superpixels=superpixels,
        asa=asa,
        br=br,
        bp=0,
        ue=0,
        ev=0,
        co=0,
        milliseconds=0,
    )


def test_match_interpolates_at_the_peers_count() -> None:
    means = [
        make_mean("superpix", 120, 0.94, 0.80),
        make_mean("superpix", 80, 0.90, 0.70),
        make_mean("peer", 90, 0.905, 0.75),
        make_mean("peer", 130, 0.95, 0.9),
    ]
    between, outside = match_counts(means)
    assert between.reference_asa == pytest.approx(0.91)
    assert between.asa_gain == pytest.approx(0.005)
    assert between.br_gain == pytest.approx(-0.025)
    assert math.isnan(outside.asa_gain)
    assert math.isnan(match_counts(means[2:])[0].br_gain)


def test_tables_show_whole_numbers_beside_long_names_in_80_columns() -> None:
    means = [
        make_mean("superpix", 9999.9, 0.1234, 0.5678),
        make_mean("scn:" + "weights/" * 8 + "scn.safetensors", 5000.5, 0.8765, 0.4321),
    ]
    for table, expected in (
        (means_table(means, "title"), ("9999.9", "5000.5", "0.1234", "0.8765")),
        (matches_table(match_counts(means)), ("5000.5", "0.8765", "0.4321")),
    ):
        console = Console(width=80)
        with console.capture() as captured:
            console.print(table)
        for number in expected:
            assert number in captured.get(), captured.get()


def test_bracketing_counts() -> None:
    assert bracketing_counts([100, 300], [92, 287]) == [80, 125, 240, 375]
    assert bracketing_counts([100], [50, 200]) == [40, 80, 125, 250]
    assert bracketing_counts([1], []) == []


def test_evaluate_times_the_method_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100))
    monkeypatch.setattr("superpix.evaluation.time.perf_counter", lambda: next(clock) / 1e3)
    labels = make_truth(0).astype(np.int32)
    calls = []

    def segment(_image: NDArray[np.uint8], n_segments: int) -> NDArray[np.int32]:
        calls.append(n_segments)
        return labels

    sample = Sample("a", make_image(0), [labels, labels])
    seen: list[ImageRow] = []
    rows = evaluate([sample, sample], [Method("truth", segment)], [10, 20], seen.append)
    assert rows == seen
    assert calls == [10, 10, 20, 10, 20]  # once untimed
    assert [row.milliseconds for row in rows] == pytest.approx([1, 1, 1, 1])
    assert {(row.superpixels, row.asa, row.br, row.ue) for row in rows} == {(4, 1, 1, 0)}


# the command


def test_command_prints_and_writes(bsds: Path, run: Run, tmp_path: Path) -> None:
    result = run("--bsds", bsds, "--methods", "superpix,skimage", "--counts", "20,40", "-o", "out")
    assert result.exit_code == 0, result.output
    out = tmp_path / "out"
    assert {path.name for path in out.iterdir()} == {"scores.csv", "images.csv", "scores.png"}
    with Image.open(out / "scores.png") as figure:
        assert figure.size == (1500, 1200)

    means = read_csv(out / "scores.csv")
    assert [(row["method"], row["requested"]) for row in means] == [
        ("superpix", "20"),
        ("superpix", "40"),
        ("skimage", "20"),
        ("skimage", "40"),
    ]
    assert {(row["images"], row["pairs"]) for row in means} == {("2", "5")}
    images = read_csv(out / "images.csv")
    assert len(images) == 8

    samples = list(BSDS500(bsds, "test"))
    scores = [
        metrics.boundary_recall(superpix.slic(sample.image, 20), truth)
        for sample in samples
        for truth in sample.annotations
    ]
    assert float(means[0]["br"]) == pytest.approx(np.mean(scores), abs=1e-6)
    assert f"{np.mean(scores):.4f}" in result.stdout
    count = len(np.unique(superpix.slic(samples[0].image, 20)))
    assert images[0]["superpixels"] == str(count)


def test_command_matches_counts(bsds: Path, run: Run, tmp_path: Path) -> None:
    result = run("--bsds", bsds, "--methods", "superpix,skimage", "--counts", "40", "--match")
    assert result.exit_code == 0, result.output
    assert "at equal actual counts" in result.stdout
    (row,) = read_csv(tmp_path / "matched.csv")
    assert (row["method"], row["reference"]) == ("skimage", "superpix")
    gain = float(row["reference_asa"]) - float(row["asa"])
    assert float(row["asa_gain"]) == pytest.approx(gain, abs=2e-6)
    counts = [
        float(mean["superpixels"])
        for mean in read_csv(tmp_path / "scores.csv")
        if mean["method"] == "superpix"
    ]
    assert min(counts) <= float(row["superpixels"]) <= max(counts)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--methods", "superpix,slick"], "slick"),
        (["--counts", "100,many"], "100,300,600"),
        (["--counts", "0"], "100,300,600"),
        (["--methods", "skimage", "--match"], "--match"),
        (["--compactness", "-1"], "above 0"),
        (["--limit", "0"], "--limit"),
    ],
)
def test_command_refuses_wrong_options(
    bsds: Path, run: Run, arguments: list[str], message: str
) -> None:
    result = run("--bsds", bsds, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_command_says_what_failed_in_one_line(
    bsds: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "--bsds" in run().stderr
    result = run("--bsds", bsds, "--split", "val")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert len(result.stderr.splitlines()) == 1
    monkeypatch.setitem(sys.modules, "cv2", None)
    result = run("--bsds", bsds, "--methods", "opencv")
    assert result.exit_code == 1
    assert "pip install opencv-contrib-python-headless" in result.stderr


def find_bsds() -> Path | None:
    named = os.environ.get("SUPERPIX_BSDS500")
    shared = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "BSDS500"
    return Path(named) if named else shared if shared.is_dir() else None


def test_command_on_bsds500(run: Run, tmp_path: Path) -> None:
    root = find_bsds()
    if root is None:
        pytest.skip("no BSDS500: neither ../shared/data/BSDS500 nor SUPERPIX_BSDS500")
    result = run("--bsds", root, "--limit", 2, "--methods", "superpix", "--counts", "100,300")
    assert result.exit_code == 0, result.output
    hundred, three_hundred = read_csv(tmp_path / "scores.csv")
    assert int(hundred["pairs"]) >= 8
    assert 0.8 < float(hundred["asa"]) < float(three_hundred["asa"]) < 1
    assert 0.3 < float(hundred["br"]) < float(three_hundred["br"]) < 1
