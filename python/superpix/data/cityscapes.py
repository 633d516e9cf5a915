"""Cityscapes with its fine annotations, in its original layout.

Cordts, Omran, Ramos, Rehfeld, Enzweiler, Benenson, Franke, Roth, Schiele: The Cityscapes Dataset
for Semantic Urban Scene Understanding. CVPR 2016. After registration, for non-commercial use;
superpix does not ship it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from superpix.data.dataset import Dataset
from superpix.data.images import read_annotation, read_image
from superpix.data.layout import check_option, check_split, find_root, list_files
from superpix.data.sample import DataError, Sample

SPLITS = ("train", "val", "test")

# The 19 classes that are trained and evaluated, by the number that labelIds.png has for them.
# Their place in this table is what Cityscapes calls the train id.
CLASSES = {
    7: "road",
    8: "sidewalk",
    11: "building",
    12: "wall",
    13: "fence",
    17: "pole",
    19: "traffic light",
    20: "traffic sign",
    21: "vegetation",
    22: "terrain",
    23: "sky",
    24: "person",
    25: "rider",
    26: "car",
    27: "truck",
    28: "bus",
    31: "train",
    32: "motorcycle",
    33: "bicycle",
}

_NUM_IDS = 34
# Unlabeled, ego vehicle, rectification border, out of roi, static, dynamic, ground.
_NUM_VOID_IDS = 7
_INSTANCES_OF_A_CLASS = 1000

_IMAGE_ENDING = "_leftImg8bit.png"
_TRUTH_ENDINGS = {
    "train": "_gtFine_labelIds.png",
    "ids": "_gtFine_labelIds.png",
    "instances": "_gtFine_instanceIds.png",
}


class Cityscapes(Dataset[Sample]):
    """One split of the data set, read from disk image by image.

    An image has one annotation. Its id is that of the frame, as "aachen_000000_000019".

    Parameters
    ----------
    root : Path or str
        The folder that holds ``leftImg8bit/{split}/{city}/*_leftImg8bit.png`` and
        ``gtFine/{split}/{city}/*_gtFine_labelIds.png``.
    split : {"train", "val", "test"}
        Which part. What is published of "test" says which pixels are void, and no more.
    limit : int, optional
        Only the first so many images, in the order of cities and ids.
    labels : {"train", "ids", "instances"}
        What annotations hold: the 19 classes of `CLASSES` numbered from 0, and -1 elsewhere; or
        the numbers of all classes as in labelIds.png; or those of instances as in
        ``*_gtFine_instanceIds.png``, 1000 times the class plus the number of the instance where
        instances are told apart, else the class. In the latter two, -1 is void.

    Raises
    ------
    ValueError
        For other `labels`.
    DataError
        Where the folder does not hold the split; from indexing, where a file is missing or broken.
        The text names the folder or file.

    Examples
    --------
    >>> for sample in Cityscapes("cityscapes", "val", limit=10):  # doctest: +SKIP
    ...     print(sample.id, sample.image.shape, sample.annotations[0].max())
    """

    def __init__(
        self,
        root: Path | str,
        split: str = "val",
        limit: int | None = None,
        *,
        labels: str = "train",
    ) -> None:
        check_split("Cityscapes", split, SPLITS)
        check_option("labels", labels, _TRUTH_ENDINGS)
        folder = find_root(
            Path(root),
            ("",),
            f"leftImg8bit/{split}",
            f"Cityscapes in its original layout, leftImg8bit/{split}/CITY/*{_IMAGE_ENDING} and "
            f"gtFine/{split}/CITY/*{_TRUTH_ENDINGS[labels]}",
        )
        self._labels = labels
        self._truth_folder = folder / "gtFine" / split
        images = list_files(folder / "leftImg8bit" / split, _IMAGE_ENDING, below="*/")
        super().__init__(images[:limit])

    def __getitem__(self, index: int) -> Sample:
        """Read one image and its annotation."""
        path = self._images[index]
        image = read_image(path)
        name = path.name.removesuffix(_IMAGE_ENDING)
        truth_path = self._truth_folder / path.parent.name / (name + _TRUTH_ENDINGS[self._labels])
        truth = read_annotation(truth_path, image, path)
        return Sample(name, image, [self._choose(truth, truth_path)])

    def _choose(self, truth: NDArray[np.int32], path: Path) -> NDArray[np.int32]:
        classes = truth
        if self._labels == "instances":
            classes = np.where(truth < _INSTANCES_OF_A_CLASS, truth, truth // _INSTANCES_OF_A_CLASS)
        if classes.max() >= _NUM_IDS:
            raise DataError(
                f"{path}: expected the classes of Cityscapes, 0 to {_NUM_IDS - 1}, "
                f"it has {classes.max()}"
            )
        if self._labels == "train":
            return _train_ids()[classes]
        truth[classes < _NUM_VOID_IDS] = -1
        return truth


def _train_ids() -> NDArray[np.int32]:
    table = np.full(_NUM_IDS, -1, np.int32)
    table[list(CLASSES)] = np.arange(len(CLASSES))
    return table
