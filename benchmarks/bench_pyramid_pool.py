"""`superpix.torch.pyramid_pool` against one adaptive pooling for each level, on as many threads.

Times are medians of calls in turns in one process. Forward is without gradients; forward plus
backward is from the features to their gradient, for given gradients of all levels. The peers are
torch.nn.AdaptiveAvgPool2d and AdaptiveMaxPool2d with autograd.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

import superpix
from superpix.torch import pyramid_pool
from timing import in_turns

BINS = (1, 2, 3, 6)
SHAPES = [
    (4, 512, 60, 60),  # PSPNet, crops of 473
    (1, 2048, 90, 90),  # of 713
    (4, 512, 65, 65),  # a size that the bins do not divide
    (2, 64, 512, 512),
    (1, 1, 4096, 4096),
]
DTYPES = [torch.float32, torch.bfloat16]
MODULES = {"mean": nn.AdaptiveAvgPool2d, "max": nn.AdaptiveMaxPool2d}

Pool = Callable[[Tensor], Sequence[Tensor]]
Run = Callable[[], object]


def functions(reduce: str) -> dict[str, Pool]:
    """Return ours and the peer."""
    pools = [MODULES[reduce](b) for b in BINS]
    return {
        "superpix": lambda x: pyramid_pool(x, BINS, reduce),
        "torch": lambda x: [pool(x) for pool in pools],
    }


def runs(function: Pool, features: Tensor) -> tuple[Run, Run]:
    """Return forward, and forward plus backward, as functions of nothing."""
    leaf = features.clone().requires_grad_()
    gradients = [torch.randn_like(level) for level in function(features)]

    def forward() -> None:
        with torch.no_grad():
            function(features)

    def both() -> None:
        torch.autograd.grad(function(leaf), leaf, gradients)

    return forward, both


def bench_speed(repeats: int) -> None:
    """Print times and ratios."""
    print(f"\nfeatures -> levels {BINS}, {torch.get_num_threads()} threads")
    for dtype in DTYPES:
        for shape in SHAPES:
            features = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(dtype)
            print(f"  {'x'.join(map(str, shape))}, {str(dtype).removeprefix('torch.')}")
            for reduce in MODULES:
                pools = {name: runs(f, features) for name, f in functions(reduce).items()}
                for i, what in enumerate(("forward", "forward + backward")):
                    seconds = in_turns({name: run[i] for name, run in pools.items()}, repeats)
                    ours, theirs = seconds["superpix"], seconds["torch"]
                    print(
                        f"    {reduce:5s}{what:19s} superpix {1e3 * ours:7.2f} ms, "
                        f"torch {1e3 * theirs:7.1f} ms, ratio {theirs / ours:6.1f}"
                    )


def bench_overhead(repeats: int) -> None:
    """Print what a call on a tiny image takes: mostly Python, PyTorch and the starting of work."""
    print("\n1x5x32x32: time of a call")
    features = torch.randn(1, 5, 32, 32)
    for bins in ((1,), BINS):
        forward, both = runs(lambda x, bins=bins: pyramid_pool(x, bins), features)

        def many(run: Run) -> Run:
            return lambda: [run() for _ in range(500)]

        seconds = in_turns({"forward": many(forward), "both": many(both)}, repeats)
        print(
            f"  bins {bins}: forward {2e3 * seconds['forward']:6.1f} us, "
            f"forward + backward {2e3 * seconds['both']:6.1f} us"
        )


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--only", choices=["speed", "overhead"])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    info = superpix.build_info()
    print(
        f"superpix {info['version']}, {info['simd']}, {info['compiler']}, "
        f"torch {torch.__version__}, {platform.machine()}"
    )
    if options.only in (None, "speed"):
        bench_speed(options.repeats)
    if options.only in (None, "overhead"):
        bench_overhead(options.repeats)


if __name__ == "__main__":
    main()
