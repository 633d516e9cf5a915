"""What joining gives `slic`: twice as many superpixels as are wanted, joined to as many as are.

They are measured on BSDS500 and compared with superpixels of `slic` that nobody joined, read at the
same number between counts just below and above. Beside this, a network's gain over `slic` tells
what it learned, as its superpixels are joined in the same way.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import superpix
from annotator_bound import scores
from superpix.data import BSDS500

# As models have it (superpix.models.base).
REFINE_ITER, POSITION_WEIGHT = 5, 25.0


def joined(image: NDArray[np.uint8], wanted: int) -> NDArray[np.int32]:
    """Return superpixels, joined by colour."""
    labels = superpix.slic(image, n_segments=2 * wanted)
    return superpix.enforce_connectivity(
        labels,
        0,
        max_segments=wanted,
        image=superpix.rgb_to_lab(image),
        refine_iter=REFINE_ITER,
        position_weight=POSITION_WEIGHT * wanted / labels.size,
    )


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bsds", type=Path, required=True)
    parser.add_argument("--split", default="test")
    parser.add_argument("--limit", type=int, help="only the first images")
    parser.add_argument("--counts", type=int, nargs="+", default=[100, 300, 600, 1000])
    options = parser.parse_args()
    samples = BSDS500(options.bsds, options.split, options.limit)
    print("superpixels     ASA  over slic  boundary recall  over slic")
    for wanted in options.counts:
        rows = [
            scores(joined(sample.image, wanted), annotation)
            for sample in samples
            for annotation in sample.annotations
        ]
        plain = [
            [
                scores(labels, annotation)
                for sample in samples
                for labels in [superpix.slic(sample.image, n_segments=round(factor * wanted))]
                for annotation in sample.annotations
            ]
            for factor in (0.85, 1, 1.25, 1.5)
        ]
        number, accuracy, recall = np.mean(rows, axis=0)
        curve = np.mean(plain, axis=1).T
        gains = [
            value - np.interp(number, curve[0], known)
            for value, known in zip((accuracy, recall), curve[1:], strict=True)
        ]
        print(f"{number:11.0f}  {accuracy:.4f}  {gains[0]:+9.4f}  {recall:15.4f}  {gains[1]:+9.4f}")


if __name__ == "__main__":
    main()
