"""BIG, the high-resolution data set of CascadePSP, in its original layout.

Cheng, Chung, Tai, Tang: CascadePSP: Toward Class-Agnostic and Very High-Resolution Segmentation via
Global and Local Refinement. CVPR 2020. For non-commercial use; superpix does not ship it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from superpix.data.dataset import Dataset
from superpix.data.images import check_exists, check_size, open_image, read_image
from superpix.data.layout import check_split, find_root, list_files
from superpix.data.sample import Sample

SPLITS = ("val", "test")

# Where the splits lie below what people call the data set's folder.
_ROOTS = ("", "BIG")

# Masks are grey; the evaluation of CascadePSP takes what is brighter as the object.
_THRESHOLD = 128


class BIG(Dataset[Sample]):
    """One split of the data set, read from disk image by image.

    An image has one annotation: 1 is the object, 0 the background. No pixel is ignored.

    Parameters
    ----------
    root : Path or str
        The folder that holds ``{split}/*_im.jpg`` (or .png) and ``{split}/*_gt.png``, or the folder
        with ``BIG``.
    split : {"val", "test"}
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
    >>> for sample in BIG("BIG", "test", limit=10):  # doctest: +SKIP
    ...     print(sample.id, sample.image.shape, sample.annotations[0].mean())
    """

    def __init__(self, root: Path | str, split: str = "test", limit: int | None = None) -> None:
        check_split("BIG", split, SPLITS)
        folder = find_root(
            Path(root),
            _ROOTS,
            split,
            f"BIG in its original layout, {split}/*_im.jpg and {split}/*_gt.png",
        )
        super().__init__(list_files(folder / split, "_im.jpg", "_im.png")[:limit])

    def __getitem__(self, index: int) -> Sample:
        """Read one image and its annotation."""
        path = self._images[index]
        image = read_image(path)
        name = path.stem[: -len("_im")]
        truth_path = path.with_name(f"{name}_gt.png")
        check_exists(truth_path, path)
        with open_image(truth_path) as picture:
            mask = np.array(picture.convert("L")) > _THRESHOLD
        check_size(mask, truth_path, image, path)
        return Sample(name, image, [mask.astype(np.int32)])
