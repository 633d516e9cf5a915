"""The segmentation part of Pascal VOC 2012, in its original layout.

Everingham et al.: The Pascal Visual Object Classes Challenge: A Retrospective. IJCV 111(1), 2015.
Its images are from Flickr, under Flickr's terms of use; superpix does not ship it.
"""

from __future__ import annotations

from pathlib import Path

from superpix.data.dataset import Dataset
from superpix.data.images import read_annotation, read_image
from superpix.data.layout import check_option, check_split, find_root
from superpix.data.sample import DataError, Sample

# By the number that annotations have for them.
CLASSES = (
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)

# Where ImageSets/ lies below what people call the data set's folder.
_ROOTS = ("", "VOC2012", "VOCdevkit/VOC2012")

_TRUTH_FOLDERS = {
    "classes": "SegmentationClass",
    "objects": "SegmentationObject",
    "augmented": "SegmentationClassAug",
}

_VOID = 255


class VOC2012(Dataset[Sample]):
    """One split of the data set, read from disk image by image.

    An image has one annotation. Void, the seam around objects and what was too hard to tell, is -1.

    Parameters
    ----------
    root : Path or str
        The folder that holds ``JPEGImages``, ``SegmentationClass``, ``SegmentationObject`` and
        ``ImageSets/Segmentation/{split}.txt``, or ``VOCdevkit``, or what that lies in.
    split : str
        "train", "val", "trainval" or another list in ``ImageSets/Segmentation``: one id a line.
        The annotations of "test" are not published.
    limit : int, optional
        Only the first so many images, in the order of the list.
    labels : {"classes", "objects", "augmented"}
        What annotations hold: the classes of `CLASSES`; or objects numbered from 1, and 0 for
        background; or the classes of the larger training set of Hariharan et al. (ICCV 2011), from
        the folder ``SegmentationClassAug`` that it is commonly put in, with a list as "trainaug".

    Raises
    ------
    ValueError
        For other `labels`.
    DataError
        Where the folder does not hold the split; from indexing, where a file is missing or broken.
        The text names the folder or file.

    Examples
    --------
    >>> for sample in VOC2012("VOCdevkit", "val", limit=10):  # doctest: +SKIP
    ...     print(sample.id, sample.image.shape, sample.annotations[0].max())
    """

    def __init__(
        self,
        root: Path | str,
        split: str = "val",
        limit: int | None = None,
        *,
        labels: str = "classes",
    ) -> None:
        check_option("labels", labels, _TRUTH_FOLDERS)
        folder = find_root(
            Path(root),
            _ROOTS,
            "ImageSets/Segmentation",
            "Pascal VOC 2012 in its original layout, JPEGImages/*.jpg, "
            f"{_TRUTH_FOLDERS[labels]}/*.png and ImageSets/Segmentation/{split}.txt",
        )
        lists = folder / "ImageSets" / "Segmentation"
        check_split("Pascal VOC 2012", split, sorted(path.stem for path in lists.glob("*.txt")))
        self._truth_folder = folder / _TRUTH_FOLDERS[labels]
        ids = _read_ids(lists / f"{split}.txt")
        super().__init__([folder / "JPEGImages" / f"{name}.jpg" for name in ids[:limit]])

    def __getitem__(self, index: int) -> Sample:
        """Read one image and its annotation."""
        path = self._images[index]
        image = read_image(path)
        truth = read_annotation(self._truth_folder / f"{path.stem}.png", image, path)
        truth[truth == _VOID] = -1
        return Sample(path.stem, image, [truth])


def _read_ids(path: Path) -> list[str]:
    try:
        ids = path.read_text("utf-8").split()
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as a list of ids: {error}") from error
    if not ids:
        raise DataError(f"{path}: holds no id")
    return ids
