"""What annotations mean: Cityscapes, Pascal VOC, Mapillary Vistas, BIG, NYUv2 and plain folders."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from superpix.data import (
    BIG,
    VOC2012,
    Cityscapes,
    DataError,
    Dataset,
    Folder,
    MapillaryVistas,
    NYUv2,
    Sample,
)
from superpix.data.cityscapes import CLASSES
from support.datasets import (
    BUILDERS,
    HEIGHT,
    WIDTH,
    make_image,
    make_labels,
    write_image,
    write_mat,
    write_palette,
    write_text,
)


def assert_columns(dataset: Dataset[Sample], *values: int) -> None:
    (annotation,) = dataset[0].annotations
    np.testing.assert_array_equal(annotation, make_labels(*values, dtype=np.int32))


# Cityscapes


def test_cityscapes_labels(tmp_path: Path) -> None:
    BUILDERS["cityscapes"](tmp_path)
    assert_columns(Cityscapes(tmp_path), -1, 0, 13, 18, -1)
    assert_columns(Cityscapes(tmp_path, labels="ids"), -1, 7, 26, 33, 29)
    assert_columns(Cityscapes(tmp_path, labels="instances"), -1, 7, 26, 26001, 33012)
    assert list(CLASSES.values())[13] == "car"
    assert len(CLASSES) == 19
    with pytest.raises(ValueError, match="labels must be one of train, ids, instances, got 'all'"):
        Cityscapes(tmp_path, labels="all")


def test_cityscapes_refuses_other_classes(tmp_path: Path) -> None:
    layout = BUILDERS["cityscapes"](tmp_path)
    write_image(layout.truth, make_labels(0, 255))
    for labels in ("train", "ids"):
        with pytest.raises(DataError, match=r"labelIds\.png: expected the classes .* it has 255"):
            Cityscapes(tmp_path, labels=labels)[0]


def test_cityscapes_without_images(tmp_path: Path) -> None:
    (tmp_path / "leftImg8bit" / "test" / "berlin").mkdir(parents=True)
    with pytest.raises(DataError, match=r"holds no _leftImg8bit\.png files"):
        Cityscapes(tmp_path, "test")


# Pascal VOC


def test_voc_labels(tmp_path: Path) -> None:
    layout = BUILDERS["voc"](tmp_path)
    assert_columns(VOC2012(tmp_path), 0, -1, 15, 20)
    assert_columns(VOC2012(tmp_path, labels="objects"), 0, -1, 1, 2)
    augmented = layout.truth.parents[1] / "SegmentationClassAug" / layout.truth.name
    write_image(augmented, make_labels(0, 255, 3))
    assert_columns(VOC2012(tmp_path, labels="augmented"), 0, -1, 3)
    with pytest.raises(ValueError, match="labels must be one of classes, objects, augmented"):
        VOC2012(tmp_path, labels="boxes")


@pytest.mark.parametrize("root", [".", "VOCdevkit", "VOCdevkit/VOC2012"])
def test_voc_is_in_the_order_of_its_list(tmp_path: Path, root: str) -> None:
    BUILDERS["voc"](tmp_path)
    samples = VOC2012(tmp_path / root, "val")
    assert [sample.id for sample in samples] == ["2007_000042", "2007_000033"]


def test_voc_lists(tmp_path: Path) -> None:
    lists = BUILDERS["voc"](tmp_path).truth.parents[1] / "ImageSets" / "Segmentation"
    with pytest.raises(DataError, match="no split 'train'; choose one of test, val"):
        VOC2012(tmp_path, "train")
    write_text(lists / "val.txt", "\n")
    with pytest.raises(DataError, match=r"val\.txt: holds no id"):
        VOC2012(tmp_path, "val")
    (lists / "val.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match=r"val\.txt: cannot be read as a list of ids"):
        VOC2012(tmp_path, "val")


# Mapillary Vistas


def test_mapillary_labels(tmp_path: Path) -> None:
    BUILDERS["mapillary"](tmp_path)
    vistas = MapillaryVistas(tmp_path)
    assert_columns(vistas, 0, 1, -1)
    assert vistas.class_names == ("Bird", "Sky", "Unlabeled")
    assert vistas.evaluated == (True, True, False)
    assert_columns(MapillaryVistas(tmp_path, labels="instances"), 0, 1, 256, -1)
    with pytest.raises(ValueError, match="labels must be one of labels, instances, got 'panoptic'"):
        MapillaryVistas(tmp_path, labels="panoptic")


def test_mapillary_versions(tmp_path: Path) -> None:
    BUILDERS["mapillary"](tmp_path)
    assert_columns(MapillaryVistas(tmp_path, version="v1.2"), 1, -1)
    shutil.rmtree(tmp_path / "validation" / "v2.0")
    assert_columns(MapillaryVistas(tmp_path), 1, -1)
    # As before version 1.2.
    (tmp_path / "validation" / "v1.2" / "labels").rename(tmp_path / "validation" / "labels")
    (tmp_path / "config_v1.2.json").rename(tmp_path / "config.json")
    assert_columns(MapillaryVistas(tmp_path), 1, -1)
    assert_columns(MapillaryVistas(tmp_path, version="v1.1"), 1, -1)
    shutil.rmtree(tmp_path / "validation" / "labels")
    with pytest.raises(DataError, match=r"validation: holds no annotations \(looked in v2\.0/lab"):
        MapillaryVistas(tmp_path)
    with pytest.raises(ValueError, match=r"version must be one of v2\.0, v1\.2, v1\.1, got 'v3'"):
        MapillaryVistas(tmp_path, version="v3")


@pytest.mark.parametrize("text", ["", "[]", '{"labels": [{"readable": "Sky"}]}', '{"labels": 3}'])
def test_mapillary_broken_configuration(tmp_path: Path, text: str) -> None:
    BUILDERS["mapillary"](tmp_path)
    write_text(tmp_path / "config_v2.0.json", text)
    with pytest.raises(DataError, match=r"config_v2\.0\.json: expected a configuration"):
        MapillaryVistas(tmp_path)


def test_mapillary_missing_configuration(tmp_path: Path) -> None:
    BUILDERS["mapillary"](tmp_path)
    (tmp_path / "config_v2.0.json").unlink()
    with pytest.raises(DataError, match=r"config_v2\.0\.json: expected a configuration"):
        MapillaryVistas(tmp_path)


def test_mapillary_refuses_other_classes(tmp_path: Path) -> None:
    write_palette(BUILDERS["mapillary"](tmp_path).truth, make_labels(0, 3))
    with pytest.raises(DataError, match=r"_1Gn\.png: expected classes from 0 to 2.*, it has 3"):
        MapillaryVistas(tmp_path)[0]


# BIG


def test_big_masks(tmp_path: Path) -> None:
    BUILDERS["big"](tmp_path / "BIG")
    assert_columns(BIG(tmp_path), 0, 0, 1, 1)
    (binary,) = BIG(tmp_path / "BIG")[1].annotations
    np.testing.assert_array_equal(binary, make_labels(0, 1))


def test_big_without_images(tmp_path: Path) -> None:
    (tmp_path / "val").mkdir()
    with pytest.raises(DataError, match=r"val: holds no _im\.jpg or _im\.png files"):
        BIG(tmp_path, "val")


# NYUv2


def test_nyu_annotations(tmp_path: Path) -> None:
    BUILDERS["nyu"](tmp_path / "NYUV2")
    assert_columns(NYUv2(tmp_path), 0, 1, 2)
    shutil.rmtree(tmp_path / "NYUV2" / "csv_groundTruth")
    nyu = NYUv2(tmp_path)
    assert_columns(nyu, -1, 1005, 2005)
    truths = tmp_path / "NYUV2" / "groundTruth" / "test"
    write_mat(truths / "00000002.mat", make_labels(0, 5))
    assert_columns(nyu, -1, 5)
    (truths / "00000002.mat").unlink()
    with pytest.raises(DataError, match=r"00000002\.mat: missing"):
        nyu[0]
    shutil.rmtree(tmp_path / "NYUV2" / "groundTruth")
    with pytest.raises(DataError, match=r"NYUV2: not NYUv2 .* there is no ground truth"):
        NYUv2(tmp_path)


@pytest.mark.parametrize("text", ["1,2\n3\n", "1,a\n", "1;2\n", "1.5,2\n", "9999999999,1\n", "é"])
def test_nyu_broken_csv(tmp_path: Path, text: str) -> None:
    write_text(BUILDERS["nyu"](tmp_path).truth, text)
    with pytest.raises(DataError, match=r"00000002\.csv: expected rows of integers with commas"):
        NYUv2(tmp_path)[0]


# Plain folders


@pytest.mark.parametrize(
    ("ending", "dtype", "top"),
    [
        ("png", np.uint8, 255),
        ("png", np.uint16, 65535),
        ("tif", np.uint8, 255),
        ("tiff", np.uint16, 65535),
        ("tif", np.int32, 70000),
        ("npy", np.uint8, 255),
        ("npy", np.int64, 2**31 - 1),
    ],
)
def test_folder_labels(tmp_path: Path, ending: str, dtype: type, top: int) -> None:
    layout = BUILDERS["folder"](tmp_path)
    layout.truth.unlink()
    path = layout.truth.with_suffix(f".{ending}")
    labels = make_labels(0, 7, top, dtype=dtype)
    if ending == "npy":
        np.save(path, labels)
    else:
        write_image(path, labels)
    assert_columns(Folder(tmp_path), 0, 7, top)
    assert_columns(Folder(tmp_path, ignore=7), 0, -1, top)


def test_folder_labels_of_other_kinds(tmp_path: Path) -> None:
    layout = BUILDERS["folder"](tmp_path)
    write_palette(layout.truth, make_labels(0, 1, 2, 255))
    assert_columns(Folder(tmp_path), 0, 1, 2, 255)
    write_image(layout.truth, make_labels(0, 1).astype(bool))
    assert_columns(Folder(tmp_path), 0, 1)
    layout.truth.unlink()
    np.save(tmp_path / "labels" / "a.npy", make_labels(-5, 3, dtype=np.int64))
    assert_columns(Folder(tmp_path), -5, 3)


def test_folder_splits_and_images(tmp_path: Path) -> None:
    BUILDERS["folder"](tmp_path / "train")
    write_image(tmp_path / "train" / "images" / "c.TIF", make_image())
    write_image(tmp_path / "train" / "labels" / "c.png", make_labels(4))
    samples = list(Folder(tmp_path, "train"))
    assert [sample.id for sample in samples] == ["a", "b", "c"]
    with pytest.raises(DataError, match="not a folder of images and labels, images/"):
        Folder(tmp_path)
    (tmp_path / "val" / "images").mkdir(parents=True)
    with pytest.raises(DataError, match=r"images: holds no \.jpg or \.jpeg or"):
        Folder(tmp_path, "val")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (make_labels(0, 1).astype(np.float32), "an array .* of integers, it is float32"),
        (np.zeros((HEIGHT, WIDTH, 1), np.int32), r"it is int32 \[6, 8, 1\]"),
        (make_labels(2**31, dtype=np.int64), "fit int32, the highest is 2147483648"),
    ],
)
def test_folder_refuses_arrays(tmp_path: Path, array: NDArray[np.generic], message: str) -> None:
    BUILDERS["folder"](tmp_path).truth.unlink()
    np.save(tmp_path / "labels" / "a.npy", array)
    with pytest.raises(DataError, match=rf"a\.npy: expected .*{message}"):
        Folder(tmp_path)[0]


def test_folder_refuses_broken_arrays(tmp_path: Path) -> None:
    BUILDERS["folder"](tmp_path).truth.unlink()
    path = tmp_path / "labels" / "a.npy"
    np.save(path, make_labels(0, 1))
    whole = path.read_bytes()
    for length in (0, 5, 60, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"a\.npy: cannot be read as an array"):
            Folder(tmp_path)[0]
    with path.open("wb") as file:
        np.savez(file, labels=make_labels(0, 1))
    with pytest.raises(DataError, match=r"a\.npy: expected .* it is an archive"):
        Folder(tmp_path)[0]


def test_folder_refuses_other_images(tmp_path: Path) -> None:
    layout = BUILDERS["folder"](tmp_path)
    write_image(layout.truth, make_image())
    with pytest.raises(DataError, match=r"labels/a\.png: expected labels in one .* mode RGB"):
        Folder(tmp_path)[0]
    write_image(layout.image, make_labels(0, 1000, dtype=np.uint16))
    with pytest.raises(DataError, match=r"images/a\.png: expected an image of 8 bits .* mode I;16"):
        Folder(tmp_path)[0]


def test_folder_refuses_two_label_files(tmp_path: Path) -> None:
    layout = BUILDERS["folder"](tmp_path)
    Image.open(layout.truth).save(layout.truth.with_suffix(".tif"))
    with pytest.raises(DataError, match=r"expected the labels of .* in one file, .* there are 2"):
        Folder(tmp_path)[0]
