"""`superpix.torch.soft_pool` and `soft_unpool` against plain PyTorch, with as many threads.

Times are medians of calls in turns in one process, on float32. A call is pooling and unpooling, as
the losses of SSN and SCN do: forward is without gradients, forward plus backward is to the
gradients of values and association. The peers are those of superpix.torch._plain: nine gathers and
index_add, all pixels at once, and autograd.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

import superpix
from superpix.torch import _plain, hard_labels, soft_pool, soft_unpool
from timing import in_turns

CASES = [
    ((4, 50, 208, 208), (13, 13)),  # SCN's training: 50 classes, cells of 16 x 16
    ((6, 50, 201, 201), (10, 10)),  # SSN's
    ((1, 20, 512, 1024), (22, 44)),
]
Run = Callable[[], object]
Grid = tuple[int, int]


def association_of(batch: int, height: int, width: int) -> Tensor:
    """Return what a network predicts: a softmax over nine channels."""
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(batch, 9, height, width, generator=generator)
    return scores.softmax(dim=1)


def there_and_back(pool: Any, unpool: Any, grid: Grid) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a function of values and association."""

    def function(values: Tensor, association: Tensor) -> Tensor:
        out: Tensor = unpool(pool(values, association, grid), association, grid)
        return out

    return function


def runs(function: Callable[..., Any], *inputs: Tensor) -> dict[str, Run]:
    """Return forward, and forward plus backward, as functions of nothing."""
    leaves = [x.clone().requires_grad_() for x in inputs]
    with torch.no_grad():
        gradient = torch.randn_like(function(*inputs))

    def forward() -> None:
        with torch.no_grad():
            function(*inputs)

    def both() -> None:
        for leaf in leaves:
            leaf.grad = None
        function(*leaves).backward(gradient)

    return {"forward": forward, "forward + backward": both}


def bench_speed(repeats: int) -> None:
    """Print times and ratios."""
    print(f"\nfloat32 pooling and unpooling, {torch.get_num_threads()} threads")
    for shape, grid in CASES:
        values = torch.randn(shape, generator=torch.Generator().manual_seed(1))
        association = association_of(shape[0], *shape[2:])
        ours = runs(there_and_back(soft_pool, soft_unpool, grid), values, association)
        plain = there_and_back(_plain.soft_pool, _plain.soft_unpool, grid)
        theirs = runs(plain, values, association)
        print(f"  {'x'.join(map(str, shape))}, grid {grid[0]}x{grid[1]}")
        for what in ours:
            seconds = in_turns({"superpix": ours[what], "plain": theirs[what]}, repeats)
            print(
                f"    {what:19s} superpix {1e3 * seconds['superpix']:7.1f} ms, "
                f"plain {1e3 * seconds['plain']:7.0f} ms, "
                f"ratio {seconds['plain'] / seconds['superpix']:6.1f}"
            )


def bench_labels(repeats: int) -> None:
    """Print times of hard_labels and of argmax, which knows no borders and gives channels."""
    print(f"\nhard_labels, float32, {torch.get_num_threads()} threads")
    for shape, grid in CASES:
        association = association_of(shape[0], *shape[2:])
        seconds = in_turns(
            {
                "superpix": lambda a=association, grid=grid: hard_labels(a, grid),
                "argmax": lambda a=association: a.argmax(dim=1),
            },
            repeats,
        )
        print(
            f"  {shape[0]}x9x{shape[2]}x{shape[3]}: superpix {1e3 * seconds['superpix']:.2f} ms, "
            f"torch.argmax alone {1e3 * seconds['argmax']:.2f} ms, "
            f"ratio {seconds['argmax'] / seconds['superpix']:.1f}"
        )


def bench_overhead(repeats: int) -> None:
    """Print what a call on a tiny image takes: mostly Python, PyTorch and the starting of work."""
    print("\n1x5x32x32: time of a pooling and an unpooling")
    values, association = torch.randn(1, 5, 32, 32), association_of(1, 32, 32)
    for grid in ((2, 2), (4, 4)):

        def many(run: Run) -> Run:
            return lambda: [run() for _ in range(500)]

        calls = runs(there_and_back(soft_pool, soft_unpool, grid), values, association)
        seconds = in_turns({what: many(run) for what, run in calls.items()}, repeats)
        times = ", ".join(f"{what} {2e3 * seconds[what]:.1f} us" for what in calls)
        print(f"  grid {grid[0]}x{grid[1]}: {times}")


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", choices=["speed", "labels", "overhead"])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    info = superpix.build_info()
    print(
        f"superpix {info['version']}, {info['simd']}, {info['compiler']}, "
        f"torch {torch.__version__}, {platform.machine()}"
    )
    if options.only in (None, "speed"):
        bench_speed(options.repeats)
    if options.only in (None, "labels"):
        bench_labels(5 * options.repeats)
    if options.only in (None, "overhead"):
        bench_overhead(options.repeats)


if __name__ == "__main__":
    main()
