"""Joining superpixels until there are as many as wanted, against scikit-image's region graph.

`slic` is asked for twice as many superpixels as are wanted. Ours is
`enforce_connectivity(max_segments=...)`; the peer builds the graph (`rag_mean_color`) and joins its
nodes by `merge_hierarchical`, the least difference of mean colours first, with a threshold that
was found before and leaves about as many. Both begin with labels and CIELAB and end with labels;
that the peer joins by another rule, and one pair at a time, is part of what is compared. Times are
medians of calls in turns in one process.
"""

from __future__ import annotations

import argparse
import platform
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage import graph

import superpix
from pictures import mosaic, photographs
from timing import in_turns

Image = NDArray[np.float32]
Labels = NDArray[np.int32]


def _join(region_graph: Any, source: int, target: int) -> None:
    node = region_graph.nodes[target]
    node["total color"] += region_graph.nodes[source]["total color"]
    node["pixel count"] += region_graph.nodes[source]["pixel count"]
    node["mean color"] = node["total color"] / node["pixel count"]


def _weight(region_graph: Any, _source: int, target: int, neighbor: int) -> dict[str, float]:
    nodes = region_graph.nodes
    difference = nodes[target]["mean color"] - nodes[neighbor]["mean color"]
    return {"weight": float(np.linalg.norm(difference))}


def merged_by_skimage(labels: Labels, image: Image, threshold: float) -> NDArray[np.int64]:
    """Return labels of which neighbours are joined up to a difference."""
    merged: NDArray[np.int64] = graph.merge_hierarchical(
        labels,
        graph.rag_mean_color(image, labels),
        thresh=threshold,
        rag_copy=False,
        in_place_merge=True,
        merge_func=_join,
        weight_func=_weight,
    )
    return merged


def threshold_for(labels: Labels, image: Image, wanted: int) -> float:
    """Return the difference up to which joining leaves about as many labels as wanted."""
    low, high = 0.0, 100.0
    for _ in range(10):
        middle = (low + high) / 2
        found = len(np.unique(merged_by_skimage(labels, image, middle)))
        low, high = (middle, high) if found > wanted else (low, middle)
    return high


def compare(picture: NDArray[np.uint8], wanted: int, repeats: int) -> None:
    """Print the times of both."""
    image = superpix.rgb_to_lab(picture)
    labels = superpix.slic(picture, n_segments=2 * wanted)
    threshold = threshold_for(labels, image, wanted)

    def ours() -> Labels:
        return superpix.enforce_connectivity(labels, 0, max_segments=wanted, image=image)

    def peer() -> NDArray[np.int64]:
        return merged_by_skimage(labels, image, threshold)

    seconds = in_turns({"superpix": ours, "skimage": peer}, repeats)
    height, width = labels.shape
    print(
        f"  {height}x{width}, {labels.max()} to {ours().max()} (skimage {len(np.unique(peer()))}): "
        f"superpix {1e3 * seconds['superpix']:.2f} ms, skimage {1e3 * seconds['skimage']:.0f} ms, "
        f"{seconds['skimage'] / seconds['superpix']:.0f} times as fast"
    )


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    superpix.set_num_threads(options.threads)
    source, photos = photographs()
    print(f"{source}, {options.threads} threads, {platform.machine()}")
    for height, width, wanted in ((321, 481, 100), (321, 481, 600), (1024, 2048, 2000)):
        compare(mosaic(photos, height, width), wanted, options.repeats)


if __name__ == "__main__":
    main()
