"""PyTorch is optional: only `superpix.torch` and `superpix.models` need it, and say so."""

from __future__ import annotations

import subprocess
import sys

import pytest

WITHOUT_TORCH = "import sys; sys.modules['torch'] = None; "


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_superpix_works_without_torch() -> None:
    code = "import numpy as np, superpix; superpix.slic(np.zeros((20, 30, 3), np.uint8), 6)"
    result = python(WITHOUT_TORCH + code)
    assert result.returncode == 0, result.stderr


def test_superpix_does_not_import_torch() -> None:
    result = python("import sys, superpix; assert 'torch' not in sys.modules")
    assert result.returncode == 0, result.stderr


def test_superpix_torch_says_what_to_install() -> None:
    result = python(WITHOUT_TORCH + "import superpix.torch")
    assert result.returncode != 0
    assert "ImportError: superpix.torch needs PyTorch" in result.stderr
    assert "pip install 'superpix[torch]'" in result.stderr


@pytest.mark.parametrize("missing", ["torch", "safetensors"])
def test_superpix_models_says_what_to_install(missing: str) -> None:
    result = python(f"import sys; sys.modules['{missing}'] = None; import superpix.models")
    assert result.returncode != 0
    assert "ImportError: superpix.models needs PyTorch" in result.stderr
    assert "pip install 'superpix[models]'" in result.stderr
