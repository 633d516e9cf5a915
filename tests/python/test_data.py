"""What holds for all data sets: by name, lazily, and with errors that name the file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from superpix.data import BSDSError, DataError, Dataset, FlowSample, Sample, open_dataset
from support.datasets import (
    BUILDERS,
    HEIGHT,
    WIDTH,
    Layout,
    make_image,
    make_labels,
    write_csv,
    write_flo,
    write_image,
    write_mat,
)

WRITERS = {".png": write_image, ".csv": write_csv, ".mat": write_mat}


@pytest.fixture(params=BUILDERS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def layout(kind: str, tmp_path: Path) -> Layout:
    return BUILDERS[kind](tmp_path / "data")


def open_layout(kind: str, layout: Layout) -> Dataset[Sample] | Dataset[FlowSample]:
    return open_dataset(kind, layout.root, layout.split)


def test_samples_keep_the_convention(kind: str, layout: Layout) -> None:
    dataset = open_layout(kind, layout)
    assert len(dataset) == 2
    samples = list(dataset)
    assert samples[0].id == layout.first_id
    assert samples[1].id == dataset[1].id == dataset[-1].id != layout.first_id
    for sample in samples:
        assert sample.image.shape == (HEIGHT, WIDTH, 3)
        assert sample.image.dtype == np.uint8
        if isinstance(sample, FlowSample):
            assert sample.flow.shape == (HEIGHT, WIDTH, 2)
            assert sample.flow.dtype == np.float32
            assert sample.valid.shape == (HEIGHT, WIDTH)
            assert sample.valid.dtype == bool
            continue
        assert sample.annotations
        for annotation in sample.annotations:
            assert annotation.shape == (HEIGHT, WIDTH)
            assert annotation.dtype == np.int32
            assert annotation.min() >= -1
            assert annotation.flags.c_contiguous


def test_images_are_rgb(kind: str, layout: Layout) -> None:
    if layout.image.suffix == ".jpg":
        write_image(layout.image, np.full((HEIGHT, WIDTH, 3), (200, 90, 20), np.uint8))
        expected, tolerance = np.broadcast_to((200, 90, 20), (HEIGHT, WIDTH, 3)), 3
    else:
        expected, tolerance = make_image(), 0
    np.testing.assert_allclose(open_layout(kind, layout)[0].image, expected, atol=tolerance)


def test_limit_and_end(kind: str, layout: Layout) -> None:
    dataset = open_dataset(kind, layout.root, layout.split, limit=1)
    assert len(dataset) == 1
    with pytest.raises(IndexError):
        dataset[1]


def test_nothing_but_the_asked_image_is_read(kind: str, layout: Layout) -> None:
    layout.image.write_text("no picture")
    layout.truth.write_text("no labels")
    assert open_layout(kind, layout)[1].image.shape == (HEIGHT, WIDTH, 3)


def test_hidden_files_are_no_images(kind: str, layout: Layout) -> None:
    layout.image.with_name("._" + layout.image.name).write_text("what macOS leaves behind")
    assert len(open_layout(kind, layout)) == 2


def test_folder_that_is_not_there(kind: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere.*: no such folder"):
        open_dataset(kind, tmp_path / "nowhere")


def test_folder_of_something_else(kind: str, tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    with pytest.raises(DataError, match=r"not .* \(looked in ") as caught:
        open_dataset(kind, tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_split_that_is_not_there(kind: str, layout: Layout) -> None:
    with pytest.raises(DataError, match=r"tset.*: no such folder|no split 'tset'; choose one of"):
        open_dataset(kind, layout.root, "tset")


def test_missing_image(kind: str, layout: Layout) -> None:
    dataset = open_layout(kind, layout)
    layout.image.unlink()
    with pytest.raises(DataError) as caught:
        dataset[0]
    assert str(layout.image) in str(caught.value)


def test_missing_annotation(kind: str, layout: Layout) -> None:
    layout.truth.unlink()
    with pytest.raises(DataError) as caught:
        open_layout(kind, layout)[0]
    assert str(layout.truth.with_suffix("")) in str(caught.value)


@pytest.mark.parametrize("share", [0, 0.6])
@pytest.mark.parametrize("what", ["image", "truth"])
def test_broken_file(kind: str, layout: Layout, what: str, share: float) -> None:
    path: Path = getattr(layout, what)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(DataError) as caught:
        open_layout(kind, layout)[0]
    assert str(path) in str(caught.value)


def test_sizes_that_differ(kind: str, layout: Layout) -> None:
    if layout.truth.suffix == ".flo":
        write_flo(layout.truth, np.zeros((HEIGHT - 1, WIDTH, 2)))
    else:
        WRITERS[layout.truth.suffix](layout.truth, make_labels(0, 1)[:-1])
    with pytest.raises(DataError) as caught:
        open_layout(kind, layout)[0]
    assert str(caught.value) == (
        f"{layout.truth}: an annotation is {(HEIGHT - 1, WIDTH)}, its image {layout.image.name} "
        f"is {(HEIGHT, WIDTH)}"
    )


def test_errors_of_bsds_are_its_own(tmp_path: Path) -> None:
    layout = BUILDERS["bsds"](tmp_path)
    layout.image.write_text("no picture")
    with pytest.raises(BSDSError):
        open_layout("bsds", layout)[0]


def test_unknown_name(tmp_path: Path) -> None:
    names = "bsds, cityscapes, voc, sintel, nyu, mapillary, big, folder"
    with pytest.raises(ValueError, match=f"kind must be one of {names}, got 'coco'"):
        open_dataset("coco", tmp_path)


@pytest.mark.parametrize(("kind", "package"), [("folder", "PIL"), ("bsds", "scipy.io")])
def test_missing_package_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, package: str
) -> None:
    layout = BUILDERS[kind](tmp_path)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(DataError, match=r"needs .*: pip install"):
        open_layout(kind, layout)[0]


def test_import_is_cheap() -> None:
    code = (
        "import sys; known = set(sys.modules); import superpix.data; "
        "new = {name.split('.')[0] for name in set(sys.modules) - known}; "
        "assert not new & {'PIL', 'scipy', 'torch', 'matplotlib'}, new"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
