"""Data sets. Importing this package imports none of the packages that read them."""

from superpix.data.bsds import BSDS500, BSDSError, Sample

__all__ = ["BSDS500", "BSDSError", "Sample"]
