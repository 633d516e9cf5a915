"""What README.md and the tutorials show runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def blocks_of(path: str) -> list[str]:
    text = (ROOT / path).read_text("utf-8")
    found = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(found) >= 2, path
    return found


def run(code: str, path: str, names: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    if "torch" in code or "superpix.models" in code:
        pytest.importorskip("torch")
    monkeypatch.chdir(ROOT)
    exec(compile(code, path, "exec"), names)


@pytest.mark.parametrize("block", blocks_of("README.md"))
def test_every_example_of_the_readme_runs(block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run(block, "README.md", {}, monkeypatch)


@pytest.mark.parametrize("path", ["docs/tutorials/numpy.md", "docs/tutorials/torch.md"])
def test_tutorials_run_from_top_to_bottom(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names: dict[str, Any] = {}
    for block in blocks_of(path):
        run(block, path, names, monkeypatch)
