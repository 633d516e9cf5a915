"""Mapillary Vistas in its original layout.

Neuhold, Ollmann, Rota Bulo, Kontschieder: The Mapillary Vistas Dataset for Semantic Understanding
of Street Scenes. ICCV 2017. After registration, the research edition for non-commercial use;
superpix does not ship it.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from superpix.data.dataset import Dataset
from superpix.data.images import read_annotation, read_image
from superpix.data.layout import check_option, check_split, find_root, list_files
from superpix.data.sample import DataError, Sample

SPLITS = ("training", "validation")

# Releases 1.0 and 1.1 have no folder of their own.
_VERSION_FOLDERS = {"v2.0": "v2.0/", "v1.2": "v1.2/", "v1.1": ""}
_CONFIGS = {"v2.0": "config_v2.0.json", "v1.2": "config_v1.2.json", "v1.1": "config.json"}

_KINDS = ("labels", "instances")
_INSTANCES_OF_A_CLASS = 256


class MapillaryVistas(Dataset[Sample]):
    """One split of the data set, read from disk image by image.

    An image has one annotation. Pixels of classes that are not evaluated are -1.

    Parameters
    ----------
    root : Path or str
        The folder that holds ``config_v2.0.json`` or another one, ``{split}/images/*.jpg`` and
        ``{split}/v2.0/labels/*.png`` or those of another version.
    split : {"training", "validation"}
        Which part. The annotations of "testing" are not published.
    limit : int, optional
        Only the first so many images, in the order of their ids.
    labels : {"labels", "instances"}
        What annotations hold: the number of the class in `class_names`; or, from
        ``{split}/v2.0/instances/*.png``, 256 times that plus the number of the instance.
    version : {"v2.0", "v1.2", "v1.1"}, optional
        Which annotations, "v1.1" for those without a folder of their own. By default, the newest
        that are there.

    Attributes
    ----------
    class_names : tuple of str
        As the configuration calls them, by number.
    evaluated : tuple of bool
        For every class, whether it is evaluated.

    Raises
    ------
    ValueError
        For other `labels` and another `version`.
    DataError
        Where the folder does not hold the split; from indexing, where a file is missing or broken.
        The text names the folder or file.

    Examples
    --------
    >>> for sample in MapillaryVistas("mapillary", "validation", limit=10):  # doctest: +SKIP
    ...     print(sample.id, sample.image.shape, sample.annotations[0].max())
    """

    class_names: tuple[str, ...]
    evaluated: tuple[bool, ...]

    def __init__(
        self,
        root: Path | str,
        split: str = "validation",
        limit: int | None = None,
        *,
        labels: str = "labels",
        version: str | None = None,
    ) -> None:
        check_split("Mapillary Vistas", split, SPLITS)
        check_option("labels", labels, _KINDS)
        if version is not None:
            check_option("version", version, _CONFIGS)
        folder = find_root(
            Path(root),
            ("",),
            f"{split}/images",
            f"Mapillary Vistas in its original layout, {split}/images/*.jpg and "
            f"{split}/{version or 'v2.0'}/{labels}/*.png",
        )
        version = version or _newest(folder / split, labels)
        self.class_names, self.evaluated = _read_config(folder / _CONFIGS[version])
        self._labels = labels
        self._truth_folder = folder / split / _VERSION_FOLDERS[version] / labels
        super().__init__(list_files(folder / split / "images", ".jpg")[:limit])

    def __getitem__(self, index: int) -> Sample:
        """Read one image and its annotation."""
        path = self._images[index]
        image = read_image(path)
        truth_path = self._truth_folder / f"{path.stem}.png"
        truth = read_annotation(truth_path, image, path)
        classes = truth // _INSTANCES_OF_A_CLASS if self._labels == "instances" else truth
        if classes.max() >= len(self.evaluated):
            raise DataError(
                f"{truth_path}: expected classes from 0 to {len(self.evaluated) - 1}, as in the "
                f"configuration, it has {classes.max()}"
            )
        truth[~np.array(self.evaluated)[classes]] = -1
        return Sample(path.stem, image, [truth])


def _newest(folder: Path, labels: str) -> str:
    for version, below in _VERSION_FOLDERS.items():
        if (folder / below / labels).is_dir():
            return version
    looked = ", ".join(f"{below}{labels}" for below in _VERSION_FOLDERS.values())
    raise DataError(f"{folder}: holds no annotations (looked in {looked})")


def _read_config(path: Path) -> tuple[tuple[str, ...], tuple[bool, ...]]:
    try:
        labels = json.loads(path.read_text("utf-8"))["labels"]
        return (
            tuple(str(label["readable"]) for label in labels),
            tuple(bool(label["evaluate"]) for label in labels),
        )
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise DataError(
            f"{path}: expected a configuration of Mapillary Vistas, a list of labels with "
            f"'readable' and 'evaluate': {type(error).__name__}: {error}"
        ) from error
