"""Tiny data sets in their official layouts: two images of 6 x 8 pixels each."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.io import savemat

HEIGHT, WIDTH = 6, 8


@dataclass(frozen=True)
class Layout:
    """Where the builders below put a data set, and the files of its first image."""

    root: Path
    split: str | None
    first_id: str
    image: Path
    truth: Path


def make_image(seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def make_labels(*values: int, dtype: type = np.uint8) -> NDArray[np.integer]:
    """Return columns that take turns with the values."""
    columns = np.resize(np.array(values, dtype), WIDTH)
    return np.tile(columns, (HEIGHT, 1))


def write_image(path: Path, image: NDArray[np.integer]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    return path


def write_palette(path: Path, labels: NDArray[np.integer]) -> Path:
    """Write labels as numbers of colours, among which are equal ones."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(labels)
    picture.putpalette([value // 2 for value in range(256) for _ in range(3)])
    picture.save(path)
    return path


def write_mat(path: Path, *annotations: NDArray[np.integer]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cell = np.empty((1, len(annotations)), dtype=object)
    for number, truth in enumerate(annotations):
        cell[0, number] = {"Segmentation": truth, "Boundaries": np.zeros_like(truth)}
    savemat(path, {"groundTruth": cell})
    return path


def write_text(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def write_csv(path: Path, labels: NDArray[np.integer]) -> Path:
    return write_text(path, "".join(",".join(map(str, row)) + "\n" for row in labels))


def write_flo(path: Path, flow: NDArray[np.floating]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width, _ = flow.shape
    header = np.array([202021.25], "<f4").tobytes() + np.array([width, height], "<i4").tobytes()
    path.write_bytes(header + flow.astype("<f4").tobytes())
    return path


def _build_bsds(root: Path) -> Layout:
    for number, stem in enumerate(("3096", "8023")):
        write_image(root / f"data/images/test/{stem}.jpg", make_image(number))
        truths = [make_labels(1, 2), make_labels(1, 2, 3)]
        write_mat(root / f"data/groundTruth/test/{stem}.mat", *truths)
    truth = root / "data/groundTruth/test/3096.mat"
    return Layout(root, "test", "3096", root / "data/images/test/3096.jpg", truth)


def _build_cityscapes(root: Path) -> Layout:
    images, truths = root / "leftImg8bit/val", root / "gtFine/val"
    for city, frame in (("lindau", "000000_000019"), ("munster", "000000_000019")):
        stem = f"{city}/{city}_{frame}"
        write_image(images / f"{stem}_leftImg8bit.png", make_image())
        write_image(truths / f"{stem}_gtFine_labelIds.png", make_labels(0, 7, 26, 33, 29))
        instances = make_labels(3, 7, 26, 26001, 33012, dtype=np.uint16)
        write_image(truths / f"{stem}_gtFine_instanceIds.png", instances)
    name = "lindau_000000_000019"
    image = images / f"lindau/{name}_leftImg8bit.png"
    return Layout(root, "val", name, image, truths / f"lindau/{name}_gtFine_labelIds.png")


def _build_voc(root: Path) -> Layout:
    folder = root / "VOCdevkit/VOC2012"
    for number, stem in enumerate(("2007_000033", "2007_000042")):
        write_image(folder / f"JPEGImages/{stem}.jpg", make_image(number))
        write_palette(folder / f"SegmentationClass/{stem}.png", make_labels(0, 255, 15, 20))
        write_palette(folder / f"SegmentationObject/{stem}.png", make_labels(0, 255, 1, 2))
    write_text(folder / "ImageSets/Segmentation/val.txt", "2007_000042\n2007_000033\n")
    write_text(folder / "ImageSets/Segmentation/test.txt", "2008_000006\n")
    image = folder / "JPEGImages/2007_000042.jpg"
    truth = folder / "SegmentationClass/2007_000042.png"
    return Layout(root, "val", "2007_000042", image, truth)


def _build_sintel(root: Path) -> Layout:
    folder = root / "training"
    for scene in ("alley_1", "market_2"):
        for render_pass, seed in (("clean", 0), ("final", 1)):
            for frame in ("frame_0001", "frame_0002"):
                write_image(folder / f"{render_pass}/{scene}/{frame}.png", make_image(seed))
        flow = np.random.default_rng(2).normal(0, 3, (HEIGHT, WIDTH, 2)).astype(np.float32)
        flow[0, 0, 1] = 1e10
        flow[0, 1, 0] = np.nan
        write_flo(folder / f"flow/{scene}/frame_0001.flo", flow)
        write_image(folder / f"invalid/{scene}/frame_0001.png", make_labels(0, 0, 0, 255))
        write_image(folder / f"occlusions/{scene}/frame_0001.png", make_labels(0, 0, 255, 0))
    image = folder / "clean/alley_1/frame_0001.png"
    truth = folder / "flow/alley_1/frame_0001.flo"
    return Layout(root, "training", "alley_1/frame_0001", image, truth)


def _build_nyu(root: Path) -> Layout:
    for stem in ("00000002", "00000004"):
        write_image(root / f"images/test/{stem}.png", make_image())
        write_csv(root / f"csv_groundTruth/test/{stem}.csv", make_labels(0, 1, 2))
        # As MATLAB has it before the border is cut off.
        whole = np.pad(make_labels(0, 1005, 2005, dtype=np.uint16), 16)
        write_mat(root / f"groundTruth/test/{stem}.mat", whole)
    truth = root / "csv_groundTruth/test/00000002.csv"
    return Layout(root, "test", "00000002", root / "images/test/00000002.png", truth)


def _build_mapillary(root: Path) -> Layout:
    labels = [
        {"name": "animal--bird", "readable": "Bird", "evaluate": True, "instances": True},
        {"name": "nature--sky", "readable": "Sky", "evaluate": True, "instances": False},
        {"name": "void--unlabeled", "readable": "Unlabeled", "evaluate": False, "instances": False},
    ]
    for version in ("v1.2", "v2.0"):
        write_text(root / f"config_{version}.json", json.dumps({"labels": labels}))
    folder = root / "validation"
    for stem in ("_1Gn", "aB-3"):
        write_image(folder / f"images/{stem}.jpg", make_image())
        write_palette(folder / f"v2.0/labels/{stem}.png", make_labels(0, 1, 2))
        write_palette(folder / f"v1.2/labels/{stem}.png", make_labels(1, 2))
        instances = make_labels(0, 1, 256, 512, dtype=np.uint16)
        write_image(folder / f"v2.0/instances/{stem}.png", instances)
    truth = folder / "v2.0/labels/_1Gn.png"
    return Layout(root, "validation", "_1Gn", folder / "images/_1Gn.jpg", truth)


def _build_big(root: Path) -> Layout:
    write_image(root / "test/2009_001_im.jpg", make_image())
    write_image(root / "test/2009_001_gt.png", make_labels(0, 128, 129, 255))
    write_image(root / "test/cat_im.png", make_image())
    write_image(root / "test/cat_gt.png", make_labels(0, 255).astype(bool))
    truth = root / "test/2009_001_gt.png"
    return Layout(root, "test", "2009_001", root / "test/2009_001_im.jpg", truth)


def _build_folder(root: Path) -> Layout:
    for stem in ("a", "b"):
        write_image(root / f"images/{stem}.png", make_image())
        write_image(root / f"labels/{stem}.png", make_labels(0, 7, 255))
    return Layout(root, None, "a", root / "images/a.png", root / "labels/a.png")


BUILDERS: dict[str, Callable[[Path], Layout]] = {
    "bsds": _build_bsds,
    "cityscapes": _build_cityscapes,
    "voc": _build_voc,
    "sintel": _build_sintel,
    "nyu": _build_nyu,
    "mapillary": _build_mapillary,
    "big": _build_big,
    "folder": _build_folder,
}
