"""Learned superpixel models: SSN, SCN and PCNet, on PyTorch."""

from __future__ import annotations

try:
    import safetensors as _safetensors  # noqa: F401
    import torch as _torch  # noqa: F401
except ImportError as error:
    raise ImportError(
        "superpix.models needs PyTorch 2.6 or newer and safetensors: pip install 'superpix[models]'"
    ) from error

from superpix.models.pcnet import PCNet, PCNetOutput
from superpix.models.scn import SCN, SCNOutput
from superpix.models.ssn import SSN, SSNOutput

__all__ = ["SCN", "SSN", "PCNet", "PCNetOutput", "SCNOutput", "SSNOutput"]
