"""MPI-Sintel and its .flo files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from superpix.data import DataError, Sintel
from superpix.data.flo import read_flo
from support.datasets import BUILDERS, HEIGHT, WIDTH, make_image, make_labels, write_flo


def test_flow_is_x_and_y(tmp_path: Path) -> None:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    path = write_flo(tmp_path / "a.flo", np.stack([x + 0.5, -y], axis=2))
    flow = read_flo(path)
    assert flow.dtype == np.float32
    np.testing.assert_array_equal(flow[..., 0], x + 0.5)
    np.testing.assert_array_equal(flow[..., 1], -y)


def test_flo_of_known_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.flo"
    # "PIEH", 2 x 1 pixels, (1, -2) and (0.5, 0).
    path.write_bytes(
        b"PIEH"
        + bytes([2, 0, 0, 0, 1, 0, 0, 0])
        + bytes.fromhex("0000803f000000c00000003f00000000")
    )
    assert read_flo(path).tolist() == [[[1, -2], [0.5, 0]]]


def test_validity(tmp_path: Path) -> None:
    BUILDERS["sintel"](tmp_path)
    sample = Sintel(tmp_path)[0]
    known = np.ones((HEIGHT, WIDTH), bool)
    known[0, :2] = False
    invalid = make_labels(0, 0, 0, 1).astype(bool)
    occluded = make_labels(0, 0, 1, 0).astype(bool)
    np.testing.assert_array_equal(sample.valid, known & ~invalid)
    visible = Sintel(tmp_path, occluded=False)[0]
    np.testing.assert_array_equal(visible.valid, known & ~invalid & ~occluded)
    np.testing.assert_array_equal(visible.flow, sample.flow)


def test_passes(tmp_path: Path) -> None:
    BUILDERS["sintel"](tmp_path / "MPI-Sintel-complete")
    np.testing.assert_array_equal(Sintel(tmp_path)[0].image, make_image(0))
    np.testing.assert_array_equal(Sintel(tmp_path, render_pass="final")[0].image, make_image(1))
    with pytest.raises(ValueError, match="render_pass must be one of clean, final, got 'albedo'"):
        Sintel(tmp_path, render_pass="albedo")


def test_last_frame_of_a_scene_has_no_flow(tmp_path: Path) -> None:
    BUILDERS["sintel"](tmp_path)
    assert [sample.id for sample in Sintel(tmp_path)] == [
        "alley_1/frame_0001",
        "market_2/frame_0001",
    ]
    for scene in ("alley_1", "market_2"):
        (tmp_path / "training" / "clean" / scene / "frame_0002.png").unlink()
    with pytest.raises(DataError, match="clean: holds no scene of two frames"):
        Sintel(tmp_path)


@pytest.mark.parametrize("mask", ["invalid", "occlusions"])
def test_missing_mask(tmp_path: Path, mask: str) -> None:
    BUILDERS["sintel"](tmp_path)
    (tmp_path / "training" / mask / "alley_1" / "frame_0001.png").unlink()
    with pytest.raises(DataError, match=rf"{mask}/alley_1/frame_0001\.png: missing"):
        Sintel(tmp_path, occluded=False)[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:11], "expected a .flo file, which begins with 202021.25"),
        (lambda data: b"PNG!" + data[4:], "expected a .flo file"),
        (lambda data: data[:-1], "expected 8 x 6 pixels of 8 bytes after 12 bytes, it has 395"),
        (lambda data: data + b"\0", "it has 397 bytes"),
        (lambda data: data[:4] + bytes(8), "expected 0 x 0 pixels"),
        (lambda data: data[:4] + b"\xff" * 8 + data[12:20], "expected -1 x -1 pixels"),
    ],
)
def test_broken_flo(tmp_path: Path, change: object, message: str) -> None:
    path = BUILDERS["sintel"](tmp_path).truth
    assert callable(change)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DataError, match=rf"frame_0001\.flo: .*{message}"):
        Sintel(tmp_path)[0]
