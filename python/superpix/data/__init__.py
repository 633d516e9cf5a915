"""Data sets. Importing this package imports none of the packages that read them."""

from superpix.data.big import BIG
from superpix.data.bsds import BSDS500, BSDSError
from superpix.data.catalog import DATASETS, open_dataset
from superpix.data.cityscapes import Cityscapes
from superpix.data.dataset import Dataset
from superpix.data.folder import Folder
from superpix.data.mapillary import MapillaryVistas
from superpix.data.nyu import NYUv2
from superpix.data.sample import DataError, FlowSample, Sample
from superpix.data.sintel import Sintel
from superpix.data.voc import VOC2012

__all__ = [
    "BIG",
    "BSDS500",
    "DATASETS",
    "VOC2012",
    "BSDSError",
    "Cityscapes",
    "DataError",
    "Dataset",
    "FlowSample",
    "Folder",
    "MapillaryVistas",
    "NYUv2",
    "Sample",
    "Sintel",
    "open_dataset",
]
