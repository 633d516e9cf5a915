"""What there is to learn on BSDS500: superpixels that know what the other annotators drew.

slic's superpixels are cut along the boundaries of all annotators of an image but one, the smallest
pieces are joined to neighbours, and the one who was left out is what they are measured against. How
much that gains over slic at the same number of superpixels tells how far annotators agree: a
network that learns from annotations can hardly be expected to gain more.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import superpix
from superpix.data import BSDS500
from superpix.metrics import achievable_segmentation_accuracy, boundary_recall

# Pieces below this part of the mean size are joined. Larger ones would be joined across boundaries,
# smaller ones add to the number of superpixels: 0.15 and 0.4 gain less.
MIN_SIZE_FACTOR = 0.05


def cut(labels: NDArray[np.int32], annotations: list[NDArray[np.int32]]) -> NDArray[np.int32]:
    """Return superpixels divided along the boundaries of annotations."""
    pieces = labels
    for annotation in annotations:
        pairs = pieces.astype(np.int64) * (int(annotation.max()) + 1) + annotation
        pieces = np.unique(pairs, return_inverse=True)[1].reshape(labels.shape).astype(np.int32)
    min_size = MIN_SIZE_FACTOR * labels.size / len(np.unique(labels))
    return superpix.enforce_connectivity(pieces, min_size=max(1, int(min_size)))


def scores(labels: NDArray[np.int32], annotation: NDArray[np.int32]) -> tuple[float, float, float]:
    """Return the number of superpixels, accuracy and boundary recall."""
    return (
        float(len(np.unique(labels))),
        achievable_segmentation_accuracy(labels, annotation),
        boundary_recall(labels, annotation),
    )


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bsds", type=Path, required=True)
    parser.add_argument("--split", default="test")
    parser.add_argument("--limit", type=int, help="only the first images")
    parser.add_argument("--counts", type=int, nargs="+", default=[50, 180, 400, 700])
    options = parser.parse_args()
    samples = BSDS500(options.bsds, options.split, options.limit)
    counts = sorted({round(f * n) for n in options.counts for f in (0.8, 1, 1.25)})
    plain: dict[int, list[tuple[float, float, float]]] = {count: [] for count in counts}
    informed: dict[int, list[tuple[float, float, float]]] = {n: [] for n in options.counts}
    for sample in samples:
        for count in counts:
            labels = superpix.slic(sample.image, n_segments=count)
            plain[count] += [scores(labels, annotation) for annotation in sample.annotations]
            for one in range(len(sample.annotations) if count in informed else 0):
                others = sample.annotations[:one] + sample.annotations[one + 1 :]
                informed[count].append(scores(cut(labels, others), sample.annotations[one]))
    curve = np.array([np.mean(plain[count], axis=0) for count in counts]).T
    print("superpixels     ASA  over slic  boundary recall  over slic")
    for rows in informed.values():
        number, accuracy, recall = np.mean(rows, axis=0)
        gains = [
            value - np.interp(number, curve[0], known)
            for value, known in zip((accuracy, recall), curve[1:], strict=True)
        ]
        print(f"{number:11.0f}  {accuracy:.4f}  {gains[0]:+9.4f}  {recall:15.4f}  {gains[1]:+9.4f}")


if __name__ == "__main__":
    main()
