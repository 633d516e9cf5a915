"""What README.md shows runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)


def test_readme_has_examples() -> None:
    assert len(BLOCKS) >= 2


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_example_runs(block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if "torch" in block or "superpix.models" in block:
        pytest.importorskip("torch")
    monkeypatch.chdir(ROOT)
    exec(compile(block, "README.md", "exec"), {})
