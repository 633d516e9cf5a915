"""`superpix.torch.soft_slic` against the same algorithm in plain PyTorch, with as many threads.

Times are medians of calls in turns in one process, on float32 features. Forward is without
gradients; forward plus backward is from the features to their gradient, for a loss that uses all of
the association. The peer is superpix.torch._plain.soft_slic: nine gathers and index_add an
iteration, all pixels at once, and autograd; with --compile also what torch.compile makes of it.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from torch import Tensor

import memory
import superpix
from superpix.torch import _plain, soft_slic
from timing import in_turns

CASES = [
    ((1, 20, 512, 1024), (22, 44), 10),
    ((1, 5, 512, 1024), (22, 44), 10),
    ((8, 20, 201, 201), (10, 10), 5),
]
Run = Callable[[], object]


def smooth_features(*shape: int) -> Tensor:
    """Return features as networks make them: neighbours are alike, superpixels differ."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(shape[0], shape[1], 12, 20, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, shape[2:], mode="bilinear")
    return smooth + 0.1 * torch.randn(shape, generator=generator)


def runs(function: Callable[..., Any], features: Tensor) -> tuple[Run, Run]:
    """Return forward, and forward plus backward, as functions of nothing."""
    leaf = features.clone().requires_grad_()
    gradient = torch.randn(features.shape[0], 9, *features.shape[2:])

    def forward() -> None:
        with torch.no_grad():
            function(features)

    def both() -> None:
        leaf.grad = None
        function(leaf)[0].backward(gradient)

    return forward, both


def bench_speed(repeats: int, with_compile: bool) -> None:
    """Print times and ratios."""
    print(f"\nfloat32 features -> association and centers, {torch.get_num_threads()} threads")
    for shape, grid, num_iter in CASES:
        features = smooth_features(*shape)

        def ours(x: Tensor, grid: Any = grid, num_iter: int = num_iter) -> Any:
            return soft_slic(x, grid, num_iter)

        def plain(x: Tensor, grid: Any = grid, num_iter: int = num_iter) -> Any:
            return _plain.soft_slic(x, grid, num_iter)

        peers = {"plain": plain}
        if with_compile:
            peers["compiled"] = torch.compile(plain)
        print(f"  {'x'.join(map(str, shape))}, grid {grid[0]}x{grid[1]}, {num_iter} iterations")
        for i, what in enumerate(("forward", "forward + backward")):
            fast = runs(ours, features)[i]
            slow = {name: runs(peer, features)[i] for name, peer in peers.items()}
            for run in slow.values():
                run()
            # Ours runs several times in each turn: it is over before the processor is warm.
            seconds: dict[str, list[float]] = {}
            for _ in range(repeats):
                for name, run in slow.items():
                    seconds.setdefault(name, []).append(in_turns({name: run}, 1)[name])
                seconds.setdefault("superpix", []).append(
                    in_turns({"superpix": fast}, 7)["superpix"]
                )
            middle = {name: sorted(times)[len(times) // 2] for name, times in seconds.items()}
            for name in peers:
                print(
                    f"    {what:19s} superpix {1e3 * middle['superpix']:7.1f} ms, "
                    f"{name} {1e3 * middle[name]:7.0f} ms, "
                    f"ratio {middle[name] / middle['superpix']:6.1f}"
                )


def bench_overhead(repeats: int) -> None:
    """Print what a call on a tiny image takes: mostly Python, PyTorch and the starting of work."""
    print("\n1x5x32x32: time of a call of the torch op")
    features = smooth_features(1, 5, 32, 32)
    for grid, num_iter in (((2, 2), 1), ((4, 4), 1), ((4, 4), 5), ((4, 4), 10)):
        forward, both = runs(
            lambda x, grid=grid, num_iter=num_iter: soft_slic(x, grid, num_iter), features
        )

        def many(run: Run) -> Run:
            return lambda: [run() for _ in range(500)]

        seconds = in_turns({"forward": many(forward), "both": many(both)}, repeats)
        print(
            f"  grid {grid[0]}x{grid[1]}, {num_iter:2d} iterations: "
            f"forward {2e3 * seconds['forward']:6.1f} us, "
            f"forward + backward {2e3 * seconds['both']:6.1f} us"
        )


def bench_memory() -> None:
    """Print the most memory of forward plus backward, in new processes."""
    print("\nmemory of forward + backward beyond features, their gradient, the association and its")
    for shape, grid, num_iter in CASES:
        arguments = [*map(str, shape), *map(str, grid), str(num_iter)]
        shares = [
            float(
                subprocess.run(
                    [sys.executable, __file__, "--measure-memory", *arguments],
                    check=True,
                    capture_output=True,
                    text=True,
                ).stdout
            )
            for _ in range(5)  # the system counts pages in batches of 128 KiB for each processor
        ]
        size = "x".join(map(str, shape))
        print(
            f"  {size}, {num_iter} iterations: {100 * median(shares):.1f} % of the features "
            f"(from {100 * min(shares):.1f} to {100 * max(shares):.1f})"
        )


def measure_memory(arguments: list[int]) -> None:
    """Print the bytes that forward and backward add to the process, as a share of the features."""
    batch, channels, height, width, rows, columns, num_iter = arguments
    # Code, threads and what torch loads at the first backward are there before.
    runs(lambda x: soft_slic(x, (2, 2), 2), smooth_features(1, channels, 64, 64))[1]()
    features = smooth_features(batch, channels, height, width).requires_grad_()
    gradient = torch.ones(batch, 9, height, width)
    memory.reset_peak()
    before = memory.resident()
    association, _ = soft_slic(features, (rows, columns), num_iter)
    association.backward(gradient)
    assert features.grad is not None
    returned = 4 * (features.grad.numel() + association.numel())
    print((memory.peak() - before - returned) / (4 * features.numel()))


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", choices=["speed", "overhead", "memory"])
    parser.add_argument("--compile", action="store_true", help="also torch.compile of the peer")
    parser.add_argument("--measure-memory", type=int, nargs=7, help="internal")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.measure_memory:
        measure_memory(options.measure_memory)
        return
    info = superpix.build_info()
    print(
        f"superpix {info['version']}, {info['simd']}, {info['compiler']}, "
        f"torch {torch.__version__}, {platform.machine()}"
    )
    if options.only in (None, "speed"):
        bench_speed(options.repeats, options.compile)
    if options.only in (None, "overhead"):
        bench_overhead(max(5, options.repeats))
    if options.only in (None, "memory"):
        bench_memory()


if __name__ == "__main__":
    main()
