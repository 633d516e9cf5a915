"""Reading the .mat files in which BSDS500, and NYUv2 after it, keep annotations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from superpix.data.sample import DataError


def read_ground_truth_mat(
    path: Path, name: str, raises: type[DataError] = DataError
) -> list[NDArray[np.int32]]:
    """Read the annotations of one image.

    Parameters
    ----------
    path : Path
        The .mat file: a cell ``groundTruth`` of structs, each with a ``Segmentation``.
    name : str
        What the data set is called, for errors.
    raises : type of DataError
        The error to raise.

    Returns
    -------
    annotations : list of ndarray
        [H, W] int32 for each annotator, with the numbers that the file has.

    Raises
    ------
    DataError
        If SciPy or the file is missing, or the file is another or broken.
    """
    try:
        from scipy.io import loadmat
    except ModuleNotFoundError as error:
        raise raises(f"reading {name}'s .mat files needs scipy: pip install scipy") from error

    if not path.is_file():
        raise raises(f"{path}: missing, the ground truth of an image in images/")
    try:
        cell = loadmat(path)["groundTruth"]
        # MATLAB has no scalars: the cell is [1, A], each struct and each field in it [1, 1].
        annotations = [
            np.ascontiguousarray(struct["Segmentation"][0, 0], dtype=np.int32)
            for struct in cell.ravel()
        ]
    except Exception as error:  # what loadmat raises on a broken file has no common base class
        raise raises(
            f"{path}: not a ground truth file of {name}: {type(error).__name__}: {error}"
        ) from error
    if not annotations:
        raise raises(f"{path}: holds no annotation")
    return annotations


def count_annotations(path: Path, name: str, raises: type[DataError] = DataError) -> int:
    """Return how many annotations a file has, of which only the head is read.

    Parameters and errors are those of `read_ground_truth_mat`.
    """
    try:
        from scipy.io import whosmat

        shapes = {variable: shape for variable, shape, _ in whosmat(path)}
        return int(np.prod(shapes["groundTruth"]))
    except Exception:  # reading it says what is wrong
        return len(read_ground_truth_mat(path, name, raises))
