"""Learned superpixel models: SSN, SCN and PCNet, on PyTorch."""

from superpix.models.pcnet import PCNet, PCNetOutput
from superpix.models.scn import SCN, SCNOutput
from superpix.models.ssn import SSN, SSNOutput

__all__ = ["SCN", "SSN", "PCNet", "PCNetOutput", "SCNOutput", "SSNOutput"]
