"""Data sets. Importing this package imports none of the packages that read them."""

from superpix.data.bsds import BSDS500, BSDSError
from superpix.data.dataset import Dataset
from superpix.data.sample import DataError, FlowSample, Sample
from superpix.data.sintel import Sintel

__all__ = ["BSDS500", "BSDSError", "DataError", "Dataset", "FlowSample", "Sample", "Sintel"]
