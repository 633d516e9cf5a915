"""Pictures whose segments are known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def noisy_regions() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return four regions of similar colours in noise, [120, 160, 3], and which is where."""
    y, x = np.mgrid[:120, :160]
    truth = (x > 60 + 10 * np.sin(y / 15)) + 2 * (y > 70)
    rng = np.random.default_rng(0)
    colors = np.array([[90, 110, 90], [110, 90, 100], [130, 130, 90], [150, 120, 140]])
    image = np.clip(colors[truth] + rng.normal(0, 12, (120, 160, 3)), 0, 255).astype(np.uint8)
    return image, truth
