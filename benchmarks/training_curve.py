"""The curves of a training run, from the metrics.csv (and metrics_1.csv ...) that it left."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

# Rows of the log that a point of the loss is the mean of.
WINDOW = 50


def read(folder: Path) -> dict[str, NDArray[np.float64]]:
    """Return [n, 2] of step and value for each column of the logs; later logs count."""
    logs = [*sorted(folder.glob("metrics_*.csv")), folder / "metrics.csv"]
    columns: dict[str, dict[int, float]] = {}
    for log in logs:
        with log.open(newline="") as file:
            for row in csv.DictReader(file):
                for name, value in row.items():
                    if value and name not in ("epoch", "step"):
                        columns.setdefault(name, {})[int(row["step"])] = float(value)
    return {name: np.array(sorted(column.items())) for name, column in columns.items()}


def plot(curves: dict[str, NDArray[np.float64]], terms: Sequence[str], path: Path) -> None:
    """Draw the terms of the loss, smoothed, and the accuracy of validation over the steps."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    for term in terms:
        steps, values = curves[f"train/{term}"].T
        kernel = np.ones(min(WINDOW, len(values))) / min(WINDOW, len(values))
        left.plot(
            np.convolve(steps, kernel, "valid"), np.convolve(values, kernel, "valid"), label=term
        )
    left.set(xlabel="step", title="loss in training")
    left.legend(frameon=False)
    right.plot(*curves["val/asa"].T, "o-", markersize=3)
    right.set(xlabel="step", title="achievable segmentation accuracy")
    for axis in (left, right):
        axis.grid(color="#dddddd")
    figure.savefig(path, dpi=150)


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="of the run")
    parser.add_argument("--terms", nargs="+", default=["reconstruction", "compactness"])
    parser.add_argument("--plot", type=Path, required=True)
    parser.add_argument("--csv", type=Path, help="write step, terms and scores, a line a step")
    options = parser.parse_args()
    curves = read(options.folder)
    plot(curves, options.terms, options.plot)
    if options.csv:
        names = [name for name in curves if name.startswith(("train/", "val/"))]
        rows: dict[int, dict[str, str]] = {}
        for name in names:
            for step, value in curves[name]:
                rows.setdefault(int(step), {})[name] = f"{value:.5g}"
        with options.csv.open("w", newline="") as file:
            writer = csv.DictWriter(file, ["step", *names], lineterminator="\n")
            writer.writeheader()
            writer.writerows({"step": step, **rows[step]} for step in sorted(rows))


if __name__ == "__main__":
    main()
