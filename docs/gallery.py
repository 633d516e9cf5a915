"""Draw the pictures of the gallery: python docs/gallery.py, from the root of the repository.

Needs `[cli]` and, for the learned ones, `[models]`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import superpix
from superpix.cli import pictures

ROOT = Path(__file__).resolve().parents[1]
TO = ROOT / "docs" / "images" / "gallery"


def row(name: str, drawn: list[NDArray[np.uint8]]) -> None:
    """Write pictures of one height beside each other."""
    gap = np.full((drawn[0].shape[0], 8, 3), 255, np.uint8)
    parts = [part for picture in drawn for part in (gap, picture)][1:]
    Image.fromarray(np.concatenate(parts, axis=1)).quantize(255).save(
        TO / f"{name}.png", optimize=True
    )


def overlay(image: NDArray[np.uint8], labels: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Draw borders of one pixel."""
    return pictures.overlay(image, labels, (255, 255, 0), 1)


def main() -> None:
    """Draw all of them."""
    TO.mkdir(parents=True, exist_ok=True)
    with Image.open(ROOT / "examples" / "astronaut.png") as file:
        image = np.asarray(file.convert("RGB").resize((320, 320), Image.Resampling.LANCZOS))

    row("number", [overlay(image, superpix.slic(image, n)) for n in (50, 200, 800)])
    row("mean", [pictures.mean_color(image, superpix.slic(image, n)) for n in (50, 200, 800)])
    row("compactness", [overlay(image, superpix.slic(image, 200, c)) for c in (1, 10, 60)])

    y, x = np.mgrid[:320, :320]
    mask = (y - 150) ** 2 + (x - 150) ** 2 < 130**2
    masked = superpix.slic(image, 100, mask=mask)
    zero = superpix.slic(image, 200, slic_zero=True)
    row("mask", [overlay(image, masked), overlay(image, zero)])

    noise = np.random.default_rng(0).integers(0, 3, (320, 320))
    lab = superpix.rgb_to_lab(image)
    blocks = (y // 40 * 8 + x // 40) * 3 + noise
    connected = superpix.enforce_connectivity(blocks, image=lab, min_size=150)
    colors = np.random.default_rng(1).integers(40, 256, (blocks.max() + 1, 3), dtype=np.uint8)
    row("connectivity", [colors[blocks], overlay(image, connected)])

    try:
        from superpix.models import SSN
    except ImportError:
        return
    model = SSN.from_pretrained("bsds500")
    labels = superpix.slic(image, 80)
    learned = model.segment(image, int(labels.max()))
    row("learned", [overlay(image, m) for m in (labels, learned)])


if __name__ == "__main__":
    main()
