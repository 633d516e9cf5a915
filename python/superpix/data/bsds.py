"""The Berkeley Segmentation Data Set 500 in its original layout.

Arbelaez, Maire, Fowlkes, Malik: Contour Detection and Hierarchical Image Segmentation. IEEE TPAMI
33(5), 2011. For research and educational use; superpix does not ship it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SPLITS = ("train", "val", "test")

# Where images/ and groundTruth/ lie below what people call the data set's folder.
_ROOTS = ("", "data", "BSDS500/data", "BSR/BSDS500/data")


class BSDSError(Exception):
    """A folder that does not hold the data set, or a file of it that is missing or broken."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One image and what people drew on it.

    Attributes
    ----------
    id : str
        The file's stem.
    image : ndarray
        [H, W, 3] uint8, RGB.
    annotations : list of ndarray
        One [H, W] int32 for each annotator, segments numbered from 1.
    """

    id: str
    image: NDArray[np.uint8]
    annotations: list[NDArray[np.int32]]


class BSDS500:
    """One split of the data set, read from disk image by image.

    Parameters
    ----------
    root : Path or str
        The folder that holds ``images/{split}/*.jpg`` and ``groundTruth/{split}/*.mat``, or the
        ``BSDS500`` or ``BSR`` folder of the original archive around it.
    split : {"train", "val", "test"}
        Which part.
    limit : int, optional
        Only the first so many images, in the order of their ids.

    Raises
    ------
    BSDSError
        Where the folder does not hold the split; from indexing, where a file is missing or broken.
        The text names the folder or file.

    Examples
    --------
    >>> for sample in BSDS500("BSDS500", "test", limit=10):  # doctest: +SKIP
    ...     print(sample.id, sample.image.shape, len(sample.annotations))
    """

    def __init__(self, root: Path | str, split: str = "test", limit: int | None = None) -> None:
        if split not in SPLITS:
            raise BSDSError(f"BSDS500 has no split {split!r}; choose one of {', '.join(SPLITS)}")
        folder = _find_root(Path(root), split)
        self._truth_folder = folder / "groundTruth" / split
        self._images = sorted((folder / "images" / split).glob("*.jpg"))[:limit]
        if not self._images:
            raise BSDSError(f"{folder / 'images' / split}: holds no .jpg files")

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._images)

    def _truth(self, image: Path) -> Path:
        return self._truth_folder / f"{image.stem}.mat"

    def _count(self, image: Path) -> int:
        from scipy.io import whosmat

        path = self._truth(image)
        try:
            shapes = {name: shape for name, shape, _ in whosmat(path)}
            return int(np.prod(shapes["groundTruth"]))
        except Exception:  # to have it named by what reads it
            return len(_read_annotations(path))

    def __getitem__(self, index: int) -> Sample:
        """Read one image and its annotations."""
        path = self._images[index]
        image = _read_image(path)
        truth_path = self._truth(path)
        annotations = _read_annotations(truth_path)
        for annotation in annotations:
            if annotation.shape != image.shape[:2]:
                raise BSDSError(
                    f"{truth_path}: an annotation is {annotation.shape}, its image {path.name} "
                    f"is {image.shape[:2]}"
                )
        return Sample(path.stem, image, annotations)

    def annotation_counts(self) -> list[int]:
        """Return how many annotations each image has, without reading them."""
        return [self._count(path) for path in self._images]

    def __iter__(self) -> Iterator[Sample]:
        """Read all images, one after the other."""
        return (self[index] for index in range(len(self)))


def _find_root(root: Path, split: str) -> Path:
    if not root.is_dir():
        raise BSDSError(f"{root}: no such folder")
    for below in _ROOTS:
        if (root / below / "images" / split).is_dir():
            return root / below
    raise BSDSError(
        f"{root}: not BSDS500 in its original layout, images/{split}/*.jpg and "
        f"groundTruth/{split}/*.mat (looked in {', '.join(below or '.' for below in _ROOTS)})"
    )


def _read_image(path: Path) -> NDArray[np.uint8]:
    from PIL import Image

    try:
        with Image.open(path) as picture:
            return np.array(picture.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:
        raise BSDSError(f"{path}: cannot be read as an image: {error}") from error


def _read_annotations(path: Path) -> list[NDArray[np.int32]]:
    try:
        from scipy.io import loadmat
    except ModuleNotFoundError as error:
        raise BSDSError("reading BSDS500's .mat files needs scipy: pip install scipy") from error

    if not path.is_file():
        raise BSDSError(f"{path}: missing, the ground truth of an image in images/")
    try:
        cell = loadmat(path)["groundTruth"]
        # MATLAB has no scalars: the cell is [1, A], each struct and each field in it [1, 1].
        annotations = [
            np.ascontiguousarray(struct["Segmentation"][0, 0], dtype=np.int32)
            for struct in cell.ravel()
        ]
    except Exception as error:  # what loadmat raises on a broken file has no common base class
        raise BSDSError(
            f"{path}: not a ground truth file of BSDS500: {type(error).__name__}: {error}"
        ) from error
    if not annotations:
        raise BSDSError(f"{path}: holds no annotation")
    return annotations
