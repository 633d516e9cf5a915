"""Learned superpixel models: SSN, SCN and PCNet, on PyTorch."""

from superpix.models.ssn import SSN, SSNOutput

__all__ = ["SSN", "SSNOutput"]
