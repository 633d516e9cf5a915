"""Images and label maps of one's own, in two folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from superpix.data.dataset import Dataset
from superpix.data.images import check_size, read_image, read_labels
from superpix.data.layout import find_root, list_files
from superpix.data.sample import DataError, Sample

_IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp", ".ppm")
_LABEL_ENDINGS = (".png", ".tif", ".tiff", ".npy")


class Folder(Dataset[Sample]):
    """Images in ``images/`` and label maps with equal stems in ``labels/``.

    An image has one annotation, with the numbers that its file has; negative ones are to be
    ignored.

    Parameters
    ----------
    root : Path or str
        The folder that holds ``images/`` (JPEG, PNG, TIFF, BMP, WebP or PPM) and ``labels/`` (PNG
        and TIFF with one channel of integers or a palette, ``.npy`` with an array [H, W] of
        integers).
    split : str, optional
        The folder below `root` that holds these two instead. By default, `root` itself.
    limit : int, optional
        Only the first so many images, in the order of their stems.
    ignore : int, optional
        A value that becomes -1, as 255 often should.

    Raises
    ------
    DataError
        Where there are no such folders; from indexing, where a file is missing or broken. The text
        names the folder or file.

    Examples
    --------
    >>> for sample in Folder("photographs", ignore=255):  # doctest: +SKIP
    ...     print(sample.id, sample.image.shape, sample.annotations[0].max())
    """

    def __init__(
        self,
        root: Path | str,
        split: str | None = None,
        limit: int | None = None,
        *,
        ignore: int | None = None,
    ) -> None:
        folder = find_root(
            Path(root, split or ""),
            ("",),
            "images",
            "a folder of images and labels, images/*.jpg and labels/*.png with equal stems",
        )
        self._label_folder = folder / "labels"
        self._ignore = ignore
        super().__init__(list_files(folder / "images", *_IMAGE_ENDINGS)[:limit])

    def __getitem__(self, index: int) -> Sample:
        """Read one image and its annotation."""
        path = self._images[index]
        image = read_image(path)
        label_path = self._find_labels(path)
        read = _read_array if label_path.suffix == ".npy" else read_labels
        labels = read(label_path)
        check_size(labels, label_path, image, path)
        if self._ignore is not None:
            labels[labels == self._ignore] = -1
        return Sample(path.stem, image, [labels])

    def _find_labels(self, image_path: Path) -> Path:
        paths = [self._label_folder / (image_path.stem + ending) for ending in _LABEL_ENDINGS]
        there = [path for path in paths if path.is_file()]
        if len(there) != 1:
            raise DataError(
                f"{self._label_folder / image_path.stem}: expected the labels of {image_path} in "
                f"one file, {', '.join(_LABEL_ENDINGS)}; there are {len(there)}"
            )
        return there[0]


def _read_array(path: Path) -> NDArray[np.int32]:
    try:
        array = np.load(path, allow_pickle=False)
    except Exception as error:  # what NumPy raises on a broken header has no common base class
        raise DataError(f"{path}: cannot be read as an array: {error}") from error
    if not isinstance(array, np.ndarray) or array.ndim != 2 or array.dtype.kind not in "biu":
        raise DataError(f"{path}: expected an array [H, W] of integers, it is {_describe(array)}")
    limits = np.iinfo(np.int32)
    if array.size and (array.min() < limits.min or array.max() > limits.max):
        raise DataError(f"{path}: expected labels that fit int32, the highest is {array.max()}")
    return array.astype(np.int32)


def _describe(array: object) -> str:
    if isinstance(array, np.ndarray):
        return f"{array.dtype} {list(array.shape)}"
    return "an archive of arrays"
