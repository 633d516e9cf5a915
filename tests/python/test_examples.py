"""The examples run, and what they train gets better."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("learn_superpixels", r"colours ([0-9.]+)"),
        ("pool_superpixels", r"loss ([0-9.]+)"),
        ("pool_pyramid", r"loss ([0-9.]+)"),
    ],
)
def test_example_trains(name: str, number: str) -> None:
    script = ROOT / "examples" / "python" / f"{name}.py"
    result = subprocess.run(
        [sys.executable, script, "--steps", "11"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    first, last = [float(n) for n in re.findall(number, result.stdout)]
    assert last < first
