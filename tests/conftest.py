"""Which core is tested, which tests have a CUDA device, and what hypothesis does."""

from __future__ import annotations

import importlib.util
import os
import sys

import pytest
from hypothesis import HealthCheck, settings

# The same examples each time, however busy the machine is.
settings.register_profile(
    "superpix", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("superpix")

# A core whose CUDA kernels the CPU executes (tests/cuda), in place of the installed one.
if path := os.environ.get("SUPERPIX_TEST_CORE"):
    spec = importlib.util.spec_from_file_location("superpix._core", path)
    assert spec is not None
    assert spec.loader is not None
    sys.modules["superpix._core"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["superpix._core"])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    import superpix

    if superpix.cuda_available():
        return
    no_device = pytest.mark.skip(reason="there is no CUDA device")
    for item in items:
        if "cuda" in item.keywords:
            item.add_marker(no_device)
