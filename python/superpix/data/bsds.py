"""The Berkeley Segmentation Data Set 500 in its original layout.

Arbelaez, Maire, Fowlkes, Malik: Contour Detection and Hierarchical Image Segmentation. IEEE TPAMI
33(5), 2011. For research and educational use; superpix does not ship it.
"""

from __future__ import annotations

from pathlib import Path

from superpix.data.dataset import Dataset
from superpix.data.ground_truth_mat import count_annotations, read_ground_truth_mat
from superpix.data.images import check_size, read_image
from superpix.data.layout import check_split, find_root, list_files
from superpix.data.sample import DataError, Sample

__all__ = ["BSDS500", "SPLITS", "BSDSError", "Sample"]

SPLITS = ("train", "val", "test")

# Where images/ and groundTruth/ lie below what people call the data set's folder.
_ROOTS = ("", "data", "BSDS500/data", "BSR/BSDS500/data")


class BSDSError(DataError):
    """A folder that does not hold the data set, or a file of it that is missing or broken."""


class BSDS500(Dataset[Sample]):
    """One split of the data set, read from disk image by image.

    Every annotator gives an annotation, segments numbered from 1. No pixel is ignored.

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
        check_split("BSDS500", split, SPLITS, BSDSError)
        folder = find_root(
            Path(root),
            _ROOTS,
            f"images/{split}",
            f"BSDS500 in its original layout, images/{split}/*.jpg and groundTruth/{split}/*.mat",
            BSDSError,
        )
        self._truth_folder = folder / "groundTruth" / split
        images = list_files(folder / "images" / split, ".jpg", raises=BSDSError)
        super().__init__(images[:limit])

    def annotation_counts(self) -> list[int]:
        """Return how many people annotated each image."""
        return [count_annotations(self._truth(path), "BSDS500", BSDSError) for path in self._images]

    def _truth(self, image: Path) -> Path:
        return self._truth_folder / f"{image.stem}.mat"

    def __getitem__(self, index: int) -> Sample:
        """Read one image and its annotations."""
        path = self._images[index]
        image = read_image(path, BSDSError)
        truth_path = self._truth(path)
        annotations = read_ground_truth_mat(truth_path, "BSDS500", BSDSError)
        for annotation in annotations:
            check_size(annotation, truth_path, image, path, BSDSError)
        return Sample(path.stem, image, annotations)
