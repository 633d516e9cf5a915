"""NYUv2 as superpixels are measured on it: the subset and layout of Stutz's benchmark.

Silberman, Hoiem, Kohli, Fergus: Indoor Segmentation and Support Inference from RGBD Images. ECCV
2012. Stutz, Hermans, Leibe: Superpixels: An Evaluation of the State-of-the-Art. CVIU 166, 2018: 199
images for training and 399 for testing, their borders of 16 pixels cut off, which leaves 448 x 608;
small regions without a label are filled. SCN and PCNet are tested on the latter 399. superpix does
not ship it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from superpix.data.dataset import Dataset
from superpix.data.ground_truth_mat import read_ground_truth_mat
from superpix.data.images import check_exists, check_size, read_image
from superpix.data.layout import check_split, find_root, list_files
from superpix.data.sample import DataError, Sample

SPLITS = ("train", "test")

# Where images/ lies below what people call the data set's folder.
_ROOTS = ("", "NYUV2")

# What the benchmark cuts off images and .csv files at each side, but not off .mat files.
_BORDER = 16


class NYUv2(Dataset[Sample]):
    """One split of the subset, read from disk image by image.

    An image has one annotation, of instances. In .mat files, pixels without a label are -1; in .csv
    files, which scores in print stand on, they are a segment as any other.

    Parameters
    ----------
    root : Path or str
        The folder that the benchmark's conversion writes, or the folder with ``NYUV2``. It holds
        ``images/{split}/*.png`` (or .jpg) and ``csv_groundTruth/{split}/*.csv``, or else
        ``groundTruth/{split}/*.mat``.
    split : {"train", "test"}
        Which part.
    limit : int, optional
        Only the first so many images, in the order of their ids.

    Raises
    ------
    DataError
        Where the folder does not hold the split; from indexing, where a file is missing or broken.
        The text names the folder or file.

    Examples
    --------
    >>> for sample in NYUv2("NYUV2", "test", limit=10):  # doctest: +SKIP
    ...     print(sample.id, sample.image.shape, sample.annotations[0].max())
    """

    def __init__(self, root: Path | str, split: str = "test", limit: int | None = None) -> None:
        check_split("NYUv2", split, SPLITS)
        layout = (
            f"NYUv2 in the layout of Stutz's benchmark, images/{split}/*.png and "
            f"csv_groundTruth/{split}/*.csv or groundTruth/{split}/*.mat"
        )
        folder = find_root(Path(root), _ROOTS, f"images/{split}", layout)
        self._csv_folder = folder / "csv_groundTruth" / split
        self._mat_folder = folder / "groundTruth" / split
        if not self._csv_folder.is_dir() and not self._mat_folder.is_dir():
            raise DataError(f"{folder}: not {layout}: there is no ground truth")
        super().__init__(list_files(folder / "images" / split, ".png", ".jpg")[:limit])

    def __getitem__(self, index: int) -> Sample:
        """Read one image and its annotation."""
        path = self._images[index]
        image = read_image(path)
        if self._csv_folder.is_dir():
            truth_path = self._csv_folder / f"{path.stem}.csv"
            check_exists(truth_path, path)
            annotations = [_read_csv(truth_path)]
        else:
            truth_path = self._mat_folder / f"{path.stem}.mat"
            annotations = [
                _without_border(truth, image)
                for truth in read_ground_truth_mat(truth_path, "NYUv2")
            ]
        for annotation in annotations:
            check_size(annotation, truth_path, image, path)
        return Sample(path.stem, image, annotations)


def _read_csv(path: Path) -> NDArray[np.int32]:
    try:
        lines = path.read_text("ascii").splitlines()
        if not lines:
            raise DataError(f"{path}: holds no annotation")
        return np.loadtxt(lines, np.int32, delimiter=",", ndmin=2)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: expected rows of integers with commas: {error}") from error


def _without_border(truth: NDArray[np.int32], image: NDArray[np.uint8]) -> NDArray[np.int32]:
    height, width = image.shape[:2]
    if truth.shape == (height + 2 * _BORDER, width + 2 * _BORDER):
        truth = truth[_BORDER:-_BORDER, _BORDER:-_BORDER]
    return np.where(truth == 0, np.int32(-1), truth)
