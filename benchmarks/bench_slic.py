"""Speed and memory of `superpix.slic` against its peers, all with the same number of threads.

Times are medians of calls in turns in one process. An entry is the whole way from the array to
connected labels; the lines `colour` to `connectivity` take our own time apart, as differences of
calls with and without the step. Peers that are not installed are left out, and said to be.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import memory
import superpix
from pictures import mosaic, photographs
from timing import in_turns

UINT8_CASES = [(321, 481, 300), (512, 1024, 1000), (1080, 1920, 2000), (2160, 3840, 4000)]
FLOAT_CASES: list[tuple[tuple[int, ...], int | None, int]] = [
    ((512, 512, 3), -1, 400),
    ((512, 512, 16), -1, 400),
    ((100, 256, 256), None, 1000),
]

Run = Callable[[], object]


def uint8_peers(image: NDArray[np.uint8], k: int, threads: int) -> dict[str, Run]:
    """Return the peers that are installed, as functions of nothing."""
    peers: dict[str, Run] = {}
    if importlib.util.find_spec("fast_slic"):
        from fast_slic.avx2 import SlicAvx2

        peers["fast-slic"] = lambda: SlicAvx2(num_components=k, num_threads=threads).iterate(image)
    if importlib.util.find_spec("cv2"):
        import cv2

        cv2.setNumThreads(threads)
        size = round((image.shape[0] * image.shape[1] / k) ** 0.5)

        def opencv() -> object:
            lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
            method = cv2.ximgproc.createSuperpixelSLIC(lab, cv2.ximgproc.SLIC, size, 10.0)
            method.iterate(10)
            method.enforceLabelConnectivity(25)
            return method.getLabels()

        peers["opencv"] = opencv
    if importlib.util.find_spec("skimage"):
        from skimage.segmentation import slic

        peers["scikit-image"] = lambda: slic(image, k)
    return peers


def bench_uint8(threads: int, repeats: int, slow_peers: bool) -> None:
    """Print the times for uint8 RGB at several sizes."""
    source, photos = photographs()
    print(f"\nuint8 RGB -> connected labels, 10 iterations, {threads} threads; {source}")
    for height, width, k in UINT8_CASES:
        image = mosaic(photos, height, width)

        def ours(image: NDArray[np.uint8] = image, k: int = k, **options: Any) -> object:
            return superpix.slic(image, k, **options)

        peers = uint8_peers(image, k, threads)
        if not slow_peers:
            peers = {name: run for name, run in peers.items() if name == "fast-slic"}
        stages: dict[str, Run] = {
            "colour": lambda: ours(max_num_iter=0, enforce_connectivity=False),
            "iterations": lambda: ours(enforce_connectivity=False),
            "connectivity": ours,  # with smoothing before and refinement after it
        }
        seconds = in_turns({**peers, **stages}, repeats)
        total = seconds["connectivity"]
        print(f"  {width}x{height}, K={k}: superpix {1e3 * total:.2f} ms")
        previous = 0.0
        for name in stages:
            print(f"    {name:14s} {1e3 * (seconds[name] - previous):8.2f} ms")
            previous = seconds[name]
        for name in peers:
            ratio = seconds[name] / total
            print(f"    {name:14s} {1e3 * seconds[name]:8.2f} ms   ratio {ratio:6.2f}")


def bench_float(repeats: int) -> None:
    """Print the times for float images and volumes against scikit-image."""
    if not importlib.util.find_spec("skimage"):
        print("\nfloat: scikit-image is not installed")
        return
    from skimage.segmentation import slic

    print("\nfloat32 -> connected labels, 10 iterations, against scikit-image (one thread)")
    _, photos = photographs()
    for shape, channel_axis, k in FLOAT_CASES:
        image = float_image(photos, shape)
        options: dict[str, Any] = {"n_segments": k, "channel_axis": channel_axis}
        if shape[-1] != 3:
            options["compactness"] = 0.1
        seconds = in_turns(
            {
                "superpix": lambda i=image, o=options: superpix.slic(i, **o),
                "scikit-image": lambda i=image, o=options: slic(i, **o),
            },
            repeats,
        )
        ours, theirs = seconds["superpix"], seconds["scikit-image"]
        print(
            f"  {shape}, K={k}: superpix {1e3 * ours:.1f} ms, scikit-image {1e3 * theirs:.0f} ms, "
            f"ratio {theirs / ours:.1f}"
        )


def float_image(photos: list[NDArray[np.uint8]], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return photographs as channels, or as a volume that changes slowly along z."""
    if len(shape) == 3 and shape[-1] <= 16:
        planes = [mosaic(photos[c:] + photos[:c], shape[0], shape[1]) for c in range(shape[2])]
        if shape[2] == 3:
            return (planes[0] / 255.0).astype(np.float32)
        return np.stack([p[..., 0] for p in planes], axis=-1).astype(np.float32)
    plane = mosaic(photos, shape[1] + shape[0], shape[2])[..., 1].astype(np.float32)
    return np.stack([plane[z : z + shape[1]] for z in range(shape[0])])


def bench_memory() -> None:
    """Print the most memory that a call takes beyond its input and output, in a new process."""
    print("\nmemory beyond input and output, uint8 RGB 3840x2160, K=4000")
    for kind in ("photographs", "noise"):
        peak = subprocess.run(
            [sys.executable, __file__, "--measure-memory", kind],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        print(f"  {kind}: {float(peak):.1f} bytes a pixel")


def measure_memory(kind: str) -> None:
    """Print the bytes a pixel that one call adds to the process, but for its labels."""
    height, width = 2160, 3840
    if kind == "noise":
        image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    else:
        image = mosaic(photographs()[1], height, width)
    superpix.slic(image[:64, :64].copy(), 20)  # code, tables and threads are not counted
    image.sum()
    memory.reset_peak()
    before = memory.resident()
    labels = superpix.slic(image, 4000)
    print((memory.peak() - before - labels.nbytes) / (height * width))


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--only", choices=["uint8", "float", "memory"])
    parser.add_argument("--slow-peers", action="store_true", help="also OpenCV and scikit-image")
    parser.add_argument("--measure-memory", choices=["photographs", "noise"], help="internal")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    superpix.set_num_threads(options.threads)
    if options.measure_memory:
        measure_memory(options.measure_memory)
        return
    info = superpix.build_info()
    print(f"superpix {info['version']}, {info['simd']}, {info['compiler']}, {platform.machine()}")
    if options.only in (None, "uint8"):
        bench_uint8(options.threads, options.repeats, options.slow_peers)
    if options.only in (None, "float"):
        bench_float(max(3, options.repeats // 5))
    if options.only in (None, "memory"):
        bench_memory()


if __name__ == "__main__":
    main()
