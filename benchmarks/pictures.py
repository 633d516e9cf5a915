"""Photographs of any size for the benchmarks."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]


def bsds_folder() -> Path | None:
    """Return the folder of BSDS500 that SUPERPIX_BSDS500 names, or ../shared/data/BSDS500."""
    named = os.environ.get("SUPERPIX_BSDS500")
    folder = Path(named) if named else ROOT.parent / "shared" / "data" / "BSDS500"
    return folder if (folder / "data" / "images").is_dir() else None


def photographs() -> tuple[str, list[NDArray[np.uint8]]]:
    """Return the photographs that pictures are made of, and where they come from."""
    folder = bsds_folder()
    if folder is not None:
        files = sorted((folder / "data" / "images" / "train").glob("*.jpg"))
        source = f"{len(files)} training photographs of BSDS500"
    else:
        files = [ROOT / "examples" / "astronaut.png"]
        source = "examples/astronaut.png"
    return source, [np.asarray(Image.open(file).convert("RGB")) for file in files]


def mosaic(photos: list[NDArray[np.uint8]], height: int, width: int) -> NDArray[np.uint8]:
    """Return photographs side by side: large pictures, as detailed as photographs are."""
    tile_height, tile_width = 321, 481
    tiles = [p if p.shape[1] >= p.shape[0] else np.rot90(p) for p in photos]
    tiles = [t[:tile_height, :tile_width] for t in tiles if t.shape[0] >= tile_height]
    rows = -(-height // tile_height)
    columns = -(-width // tile_width)
    lines = [
        np.concatenate([tiles[(r * columns + c) % len(tiles)] for c in range(columns)], axis=1)
        for r in range(rows)
    ]
    return np.ascontiguousarray(np.concatenate(lines, axis=0)[:height, :width])
