"""PCNet against SCN at the same output size: time and memory of a picture's labels.

Pictures are square, and the models are asked for one superpixel to 16x16 pixels, so that both give
labels of about the picture's own size: its sides rounded to multiples of 64. Weights are random,
which costs what trained ones cost; connectivity, which is the same for both, is left out.

Every measurement is in a process of its own, whose peak memory is that of the model with PyTorch
and the picture. The models take turns, so that noise hits both alike; times are medians.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import time
from statistics import median

import numpy as np
import torch

import superpix
from superpix.models import SCN, PCNet

MODELS = {"SCN": SCN, "PCNet": PCNet}


def measure(name: str, side: int, threads: int) -> None:
    """Print what labels of a picture take: seconds, seconds of processors, bytes at the peak."""
    torch.set_num_threads(threads)
    superpix.set_num_threads(threads)
    torch.manual_seed(0)
    model = MODELS[name]().eval()
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    # Code and threads are there before.
    model.segment(image[:256, :256], 256, enforce_connectivity=False)
    cells = (4 * round(side / 64)) ** 2
    start, start_cpu = time.perf_counter(), time.process_time()
    labels = model.segment(image, cells, enforce_connectivity=False)
    seconds = time.perf_counter() - start
    assert labels.shape == (side, side)
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps([seconds, time.process_time() - start_cpu, peak]))


def in_a_process(name: str, side: int, threads: int) -> list[float]:
    """Return what `measure` prints."""
    arguments = [sys.executable, __file__, "--measure", name, str(side), "--threads", str(threads)]
    done = subprocess.run(arguments, check=True, capture_output=True, text=True)
    numbers: list[float] = json.loads(done.stdout)
    return numbers


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sides", type=int, nargs="+", default=[1000, 2000, 3000, 4000, 5000])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--plot", help="draw both curves into this file")
    parser.add_argument("--measure", nargs=2, help="internal")
    options = parser.parse_args()
    if options.measure:
        measure(options.measure[0], int(options.measure[1]), options.threads)
        return
    print(f"torch {torch.__version__}, {options.threads} threads, {platform.machine()}")
    results: dict[str, list[list[float]]] = {name: [] for name in MODELS}
    for side in options.sides:
        turns = [
            {name: in_a_process(name, side, options.threads) for name in MODELS}
            for _ in range(options.repeats)
        ]
        middle = {
            name: [median(turn[name][i] for turn in turns) for i in range(3)] for name in MODELS
        }
        for name, (seconds, cpu, peak) in middle.items():
            results[name].append([side, seconds, peak / 1e9])
            print(
                f"  {side}x{side} {name:6s} {seconds:6.2f} s, of processors {cpu:6.2f} s, "
                f"peak {peak / 1e9:5.2f} GB"
            )
        ratio, of_cpu = (middle["SCN"][i] / middle["PCNet"][i] for i in range(2))
        print(f"  {side}x{side} PCNet is {ratio:.2f} times as fast, of processors {of_cpu:.2f}")
    if options.plot:
        plot(results, options.plot)


def plot(results: dict[str, list[list[float]]], path: str) -> None:
    """Draw seconds and gigabytes over the side of pictures."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 2)
    for i, (axis, label) in enumerate(zip(axes, ["seconds", "peak memory, GB"], strict=True)):
        for name, rows in results.items():
            axis.plot([row[0] for row in rows], [row[1 + i] for row in rows], "o-", label=name)
        axis.set(xlabel="pixels a side", ylabel=label, ylim=(0, None))
        axis.grid(color="#dddddd")
    axes[0].legend(frameon=False)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
