"""The data sets by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from superpix.data.big import BIG
from superpix.data.bsds import BSDS500
from superpix.data.cityscapes import Cityscapes
from superpix.data.dataset import Dataset
from superpix.data.folder import Folder
from superpix.data.layout import check_option
from superpix.data.mapillary import MapillaryVistas
from superpix.data.nyu import NYUv2
from superpix.data.sample import FlowSample, Sample
from superpix.data.sintel import Sintel
from superpix.data.voc import VOC2012

DATASETS: dict[str, Callable[..., Dataset[Sample] | Dataset[FlowSample]]] = {
    "bsds": BSDS500,
    "cityscapes": Cityscapes,
    "voc": VOC2012,
    "sintel": Sintel,
    "nyu": NYUv2,
    "mapillary": MapillaryVistas,
    "big": BIG,
    "folder": Folder,
}


def open_dataset(
    kind: str, root: Path | str, split: str | None = None, limit: int | None = None
) -> Dataset[Sample] | Dataset[FlowSample]:
    """Open a data set by name, with the defaults of its class.

    Parameters
    ----------
    kind : {"bsds", "cityscapes", "voc", "sintel", "nyu", "mapillary", "big", "folder"}
        Which one.
    root : Path or str
        Its folder.
    split : str, optional
        Which part, by the data set's own name for it. By default, what its class says.
    limit : int, optional
        Only the first so many images.

    Returns
    -------
    dataset : Dataset
        Of `FlowSample` for "sintel", else of `Sample`.

    Raises
    ------
    ValueError
        For an unknown name.
    DataError
        Where the folder does not hold the split.

    Examples
    --------
    >>> samples = open_dataset("voc", "VOCdevkit", "train")  # doctest: +SKIP
    >>> samples[0].image.shape  # doctest: +SKIP
    (281, 500, 3)
    """
    check_option("kind", kind, DATASETS)
    if split is None:
        return DATASETS[kind](root, limit=limit)
    return DATASETS[kind](root, split, limit)
