"""The models that can be trained, by name."""

from __future__ import annotations

from typing import Any

from superpix.training.pcnet import PCNetConfig, PCNetTask
from superpix.training.scn import SCNConfig, SCNTask
from superpix.training.ssn import SSNConfig, SSNTask
from superpix.training.task import RunConfig

# Name -> (settings, task). A task has augmentation(settings), which makes its items.
TASKS: dict[str, tuple[type[RunConfig], Any]] = {
    "ssn": (SSNConfig, SSNTask),
    "scn": (SCNConfig, SCNTask),
    "pcnet": (PCNetConfig, PCNetTask),
}
