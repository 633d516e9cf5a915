"""`superpix.torch.pool` against what PyTorch users write, on the same number of threads.

Times are medians of calls in turns in one process. A call is the forward pass and the gradient of
the features, for an incoming gradient that is given, with the allocation of what is returned.
Everything that depends on the labels (counts, offsets, one-hot vectors) is part of it, as labels
differ from batch to batch.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

import superpix
from superpix.torch import pool as ours
from timing import in_turns

Run = Callable[[], object]
Pool = Callable[[torch.Tensor, torch.Tensor, int, str], torch.Tensor]


def label_maps(kind: str, batch: int, height: int, width: int, k: int) -> NDArray[np.int64]:
    """Return [B, H, W] labels: superpixels with ragged borders, rectangles, or noise."""
    random = np.random.default_rng(0)
    if kind == "noise":
        return random.integers(0, k, (batch, height, width))
    rows = int((k * height / width) ** 0.5)
    columns = k // rows
    y, x = np.mgrid[:height, :width]
    maps = []
    for _ in range(batch):
        shift = (0, 0)
        if kind == "superpixels":  # smooth waves, and borders that are ragged by a pixel
            phase = random.uniform(0, 6.28, 2)
            waves = 3 * np.sin(x / 9 + phase[0]), 3 * np.sin(y / 7 + phase[1])
            noise = random.integers(0, 2, (2, height, width))
            shift = (waves[0] + noise[0], waves[1] + noise[1])
        row = np.clip(y + shift[0], 0, height - 1).astype(int) * rows // height
        column = np.clip(x + shift[1], 0, width - 1).astype(int) * columns // width
        maps.append(row * columns + column)
    return np.stack(maps)


def scatter_reduce(x: torch.Tensor, labels: torch.Tensor, k: int, reduce: str) -> torch.Tensor:
    """Reduce the whole batch in one call."""
    index = labels.flatten(1)[:, None].expand(-1, x.shape[1], -1)
    out = x.new_zeros(*x.shape[:2], k)
    name = {"max": "amax", "min": "amin"}.get(reduce, reduce)
    return out.scatter_reduce(2, index, x.flatten(2), name, include_self=False)


def scatter_add(x: torch.Tensor, labels: torch.Tensor, k: int, reduce: str) -> torch.Tensor:
    """Divide sums by counts."""
    index = labels.flatten(1)
    sums = x.new_zeros(*x.shape[:2], k)
    sums = sums.scatter_add(2, index[:, None].expand(-1, x.shape[1], -1), x.flatten(2))
    count = x.new_zeros(len(x), k).scatter_add(1, index, torch.ones_like(index, dtype=x.dtype))
    return sums / count.clamp(min=1)[:, None]


def index_add(x: torch.Tensor, labels: torch.Tensor, k: int, reduce: str) -> torch.Tensor:
    """Add rows of channels, copied to lie so."""
    offset = torch.arange(len(x))[:, None] * k
    index = (labels.flatten(1) + offset).flatten()
    rows = x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])
    sums = x.new_zeros(len(x) * k, x.shape[1]).index_add(0, index, rows)
    count = torch.bincount(index, minlength=len(sums)).clamp(min=1)
    return (sums / count[:, None]).view(len(x), k, -1).transpose(1, 2)


def index_add_planes(x: torch.Tensor, labels: torch.Tensor, k: int, reduce: str) -> torch.Tensor:
    """Add image by image, along the pixels."""
    pooled = []
    for image, label_map in zip(x.flatten(2), labels.flatten(1), strict=True):
        sums = x.new_zeros(x.shape[1], k).index_add(1, label_map, image)
        pooled.append(sums / torch.bincount(label_map, minlength=k).clamp(min=1))
    return torch.stack(pooled)


def one_hot_matmul(x: torch.Tensor, labels: torch.Tensor, k: int, reduce: str) -> torch.Tensor:
    """Multiply by one-hot vectors [B, H * W, K]."""
    members = torch.nn.functional.one_hot(labels.flatten(1), k).to(x.dtype)
    return x.flatten(2) @ members / members.sum(1).clamp(min=1)[:, None]


MEANS: dict[str, Pool] = {
    "scatter_reduce": scatter_reduce,
    "scatter_add": scatter_add,
    "index_add": index_add,
    "index_add, planes": index_add_planes,
    "one-hot matmul": one_hot_matmul,
}


def with_gradient(pool: Pool, x: torch.Tensor, labels: torch.Tensor, k: int, reduce: str) -> Run:
    """Return forward and backward."""
    incoming = torch.ones(*x.shape[:2], k)
    return lambda: torch.autograd.grad(pool(x, labels, k, reduce), x, incoming)


def bench(shape: tuple[int, int, int, int], k: int, repeats: int) -> None:
    """Print the times for one size."""
    batch, _, height, width = shape
    print(f"\npool, forward and backward, float32 {shape}, K={k}, int64 labels")
    x = torch.rand(shape, requires_grad=True)
    for kind in ("superpixels", "rectangles", "noise"):
        labels = torch.from_numpy(label_maps(kind, batch, height, width, k))
        for reduce in ("mean", "max"):
            peers = MEANS if reduce == "mean" else {"scatter_reduce": scatter_reduce}
            runs = {
                name: with_gradient(pool, x, labels, k, reduce)
                for name, pool in {"superpix": ours, **peers}.items()
            }
            seconds = in_turns(runs, repeats)
            total = seconds.pop("superpix")
            print(f"  {kind}, {reduce}: superpix {1e3 * total:.2f} ms")
            for name, time in seconds.items():
                print(f"    {name:18s} {1e3 * time:8.1f} ms   ratio {time / total:6.1f}")


def bench_overhead(repeats: int) -> None:
    """Print what a call costs when there is hardly anything to do."""
    print("\n1x5x32x32, K=16: time of a call")
    x = torch.rand(1, 5, 32, 32)
    labels = torch.from_numpy(label_maps("rectangles", 1, 32, 32, 16))

    def many(run: Run) -> Run:
        return lambda: [run() for _ in range(500)]

    leaf = x.clone().requires_grad_()
    for reduce in ("mean", "max"):
        seconds = in_turns(
            {
                "forward": many(lambda r=reduce: ours(x, labels, 16, r)),
                "both": many(with_gradient(ours, leaf, labels, 16, reduce)),
            },
            repeats,
        )
        print(
            f"  {reduce}: forward {2e3 * seconds['forward']:.1f} us, "
            f"forward + backward {2e3 * seconds['both']:.1f} us"
        )


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    info = superpix.build_info()
    print(f"superpix {info['version']}, {info['simd']}, {info['compiler']}, {platform.machine()}")
    print(f"torch {torch.__version__}, {options.threads} threads")
    bench((8, 64, 256, 256), 500, options.repeats)
    bench_overhead(options.repeats)


if __name__ == "__main__":
    main()
