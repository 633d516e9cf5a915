"""Every op on one GPU: time, share of the copy bandwidth, and ratio to plain PyTorch there.

A time is the median of calls, each between two CUDA events, after the second-level cache was filled
with something else. `graph` is the same call captured in a CUDA graph, without the time that Python
takes to launch it. `GB/s` counts each input and output once, which is the least that an op can
move; `of copy` divides it by what Tensor.copy_ reaches in the same run. `both` is forward and
backward. Nothing waits for the host, and nothing is copied from or to it.

`--json` keeps the figures; `--device cpu --small` shows on any machine that the command works.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

import superpix
from bench_pool import label_maps, scatter_add, scatter_reduce
from bench_soft_slic import smooth_features
from superpix import _core
from superpix.torch import (
    _library,
    _plain,
    hard_labels,
    pool,
    pyramid_pool,
    soft_pool,
    soft_slic,
    soft_unpool,
    unpool,
)

Run = Callable[[], object]


@dataclass
class Case:
    """One op at one size."""

    op: str
    size: str
    ours: Run
    plain: Run | None
    tensors: tuple[Tensor, ...]  # that are read or written once at least


@dataclass
class Figure:
    """What was measured of a case."""

    op: str
    size: str
    ms: float
    graph_ms: float | None
    plain_ms: float | None
    gb_per_s: float
    of_copy: float

    def row(self) -> str:
        """Return a line of the table."""
        ratio = "" if self.plain_ms is None else f"{self.plain_ms / self.ms:.1f}"
        graph = "" if self.graph_ms is None else f"{self.graph_ms:.3f}"
        plain = "" if self.plain_ms is None else f"{self.plain_ms:.3f}"
        return (
            f"| {self.op} | {self.size} | {self.ms:.3f} | {graph} | {plain} | {ratio} "
            f"| {self.gb_per_s:.0f} | {100 * self.of_copy:.0f} % |"
        )


class Clock:
    """Times calls on a device."""

    def __init__(self, device: torch.device, repeats: int) -> None:
        self.device = device
        self.repeats = repeats
        # Several times the second-level cache of any device.
        size = 2**28 if device.type == "cuda" else 2**20
        self.other = torch.empty(size, dtype=torch.uint8, device=device)

    def median_ms(self, run: Run) -> float:
        """Return the median time of a call."""
        for _ in range(3):
            run()
        return median(self._times(run))

    def _times(self, run: Run) -> list[float]:
        if self.device.type == "cpu":
            times = []
            for _ in range(self.repeats):
                start = time.perf_counter()
                run()
                times.append(1e3 * (time.perf_counter() - start))
            return times
        events = [
            [torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(self.repeats)
        ]
        for begin, end in events:
            self.other.zero_()
            begin.record()
            run()
            end.record()
        torch.cuda.synchronize(self.device)
        return [begin.elapsed_time(end) for begin, end in events]

    def graph_ms(self, run: Run) -> float | None:
        """Return the median time of a replay, or None where there are no graphs."""
        if self.device.type == "cpu":
            return None
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            run()
        return self.median_ms(graph.replay)

    def copy_gb_per_s(self) -> float:
        """Return how fast a large tensor is copied: bytes read and written."""
        source = torch.ones(2**28 if self.device.type == "cuda" else 2**22, device=self.device)
        target = torch.empty_like(source)
        return 2e-6 * source.nbytes / self.median_ms(lambda: target.copy_(source))


def forward_of(f: Callable[..., Any], *inputs: Tensor) -> Run:
    """Return forward without gradients."""

    def run() -> None:
        with torch.no_grad():
            f(*inputs)

    return run


def both_of(f: Callable[..., Any], gradient: Tensor, *inputs: Tensor) -> Run:
    """Return forward and backward, for a gradient of the first output."""
    leaves = [x.detach().clone().requires_grad_() for x in inputs]

    def run() -> None:
        output = f(*leaves)
        torch.autograd.grad(output if isinstance(output, Tensor) else output[0], leaves, gradient)

    return run


def shape_text(tensor: Tensor) -> str:
    """Return "1x20x512x1024 float32"."""
    return "x".join(map(str, tensor.shape)) + " " + str(tensor.dtype).removeprefix("torch.")


def soft_slic_cases(device: torch.device, small: bool) -> Iterator[Case]:
    """Soft SLIC, hard labels, soft pooling."""
    sizes: list[tuple[tuple[int, ...], tuple[int, int], int]] = [
        ((1, 20, 512, 1024), (22, 44), 10),
        ((1, 5, 512, 1024), (22, 44), 10),
        ((8, 20, 201, 201), (10, 10), 5),
        ((1, 64, 512, 1024), (22, 44), 10),
    ]
    if small:
        sizes = [((1, 5, 24, 32), (2, 3), 2)]
    for shape, grid, num_iter in sizes:
        for dtype in (torch.float32, torch.bfloat16):
            features = smooth_features(*shape).to(device, dtype)
            association, _ = soft_slic(features, grid, 1)

            def ours(x: Tensor, grid: Any = grid, n: int = num_iter) -> Any:
                return soft_slic(x, grid, n)

            def plain(x: Tensor, grid: Any = grid, n: int = num_iter) -> Any:
                return _plain.soft_slic(x, grid, n)

            size = f"{shape_text(features)}, {grid[0]}x{grid[1]}, {num_iter} iterations"
            moved = (features, association)
            yield Case(
                "soft_slic", size, forward_of(ours, features), forward_of(plain, features), moved
            )
            yield Case(
                "soft_slic, both",
                size,
                both_of(ours, association, features),
                both_of(plain, association, features),
                (*moved, *moved, features),
            )
            size = f"{shape_text(features)}, {grid[0]}x{grid[1]}"
            labels = hard_labels(association, grid)
            yield Case(
                "hard_labels",
                size,
                forward_of(lambda q, grid=grid: hard_labels(q, grid), association),
                None,
                (association, labels),
            )
            pooled = soft_pool(features, association, grid)
            yield Case(
                "soft_pool",
                size,
                forward_of(lambda x, q, grid=grid: soft_pool(x, q, grid), features, association),
                None,
                (features, association, pooled),
            )
            yield Case(
                "soft_unpool",
                size,
                forward_of(lambda s, q, grid=grid: soft_unpool(s, q, grid), pooled, association),
                None,
                (features, association, pooled),
            )


def pool_cases(device: torch.device, small: bool) -> Iterator[Case]:
    """Pooling over labels, and back."""
    shape, k = ((1, 4, 24, 32), 6) if small else ((1, 64, 512, 1024), 1000)
    for dtype in (torch.float32, torch.bfloat16):
        features = torch.randn(shape, device=device, dtype=dtype)
        for kind in ("superpixels", "noise"):
            labels = torch.from_numpy(label_maps(kind, 1, *shape[2:], k)).to(device)
            size = f"{shape_text(features)}, {k} {kind}"
            for reduce, peer in (("mean", scatter_add), ("max", scatter_reduce)):
                pooled = pool(features, labels, k, reduce)

                def ours(x: Tensor, labels: Any = labels, reduce: Any = reduce) -> Tensor:
                    return pool(x, labels, k, reduce)

                def plain(x: Tensor, labels: Any = labels, r: Any = reduce, f: Any = peer) -> Any:
                    return f(x, labels, k, r)

                moved = (features, labels, pooled)
                yield Case(
                    f"pool, {reduce}",
                    size,
                    forward_of(ours, features),
                    forward_of(plain, features),
                    moved,
                )
                yield Case(
                    f"pool, {reduce}, both",
                    size,
                    both_of(ours, torch.ones_like(pooled), features),
                    both_of(plain, torch.ones_like(pooled), features),
                    (*moved, *moved),
                )
            pooled = pool(features, labels, k)
            yield Case(
                "unpool",
                size,
                forward_of(lambda s, labels=labels: unpool(s, labels), pooled),
                forward_of(
                    lambda s, labels=labels: s.gather(
                        2, labels.flatten(1)[:, None].expand(-1, s.shape[1], -1)
                    ),
                    pooled,
                ),
                (pooled, labels, features),
            )


def pyramid_cases(device: torch.device, small: bool) -> Iterator[Case]:
    """Pyramid pooling."""
    bins = (1, 2, 3, 6)
    for shape in [(2, 8, 12, 13)] if small else [(2, 2048, 60, 60), (1, 64, 512, 1024)]:
        for dtype in (torch.float32, torch.bfloat16):
            features = torch.randn(shape, device=device, dtype=dtype)
            for reduce in ("mean", "max"):

                def ours(x: Tensor, reduce: Any = reduce) -> Tensor:
                    return torch.cat([p.flatten(2) for p in pyramid_pool(x, bins, reduce)], 2)

                def plain(x: Tensor, reduce: str = reduce) -> Tensor:
                    name = {"mean": "avg", "max": "max"}[reduce]
                    f = getattr(torch.nn.functional, f"adaptive_{name}_pool2d")
                    return torch.cat([f(x, b).flatten(2) for b in bins], 2)

                pooled = ours(features)
                yield Case(
                    f"pyramid_pool, {reduce}",
                    shape_text(features),
                    forward_of(ours, features),
                    forward_of(plain, features),
                    (features,),
                )
                yield Case(
                    f"pyramid_pool, {reduce}, both",
                    shape_text(features),
                    both_of(ours, torch.ones_like(pooled), features),
                    both_of(plain, torch.ones_like(pooled), features),
                    (features, features),
                )


def slic_cases(device: torch.device, small: bool) -> Iterator[Case]:
    """SLIC of photographs, from pixels to connected labels, in the memory of the device."""
    for height, width, segments in (
        [(48, 64, 12)] if small else [(321, 481, 600), (1080, 1920, 2000), (2160, 3840, 4000)]
    ):
        smooth = smooth_features(1, 3, height, width)[0]
        image = ((smooth - smooth.min()) / (smooth.max() - smooth.min()) * 255).to(torch.uint8)
        image = image.permute(1, 2, 0).contiguous().to(device)
        labels = torch.empty(height, width, dtype=torch.int32, device=device)
        for connected in (False, True):

            def run(
                image: Tensor = image,
                labels: Tensor = labels,
                segments: int = segments,
                connected: bool = connected,
            ) -> None:
                _core.slic(
                    (image.data_ptr(), "uint8", tuple(image.shape)),
                    None,
                    _library.view(labels),
                    num_segments=segments,
                    compactness=10.0,
                    max_num_iter=10,
                    sigma=(0.0, 0.0, 0.0),
                    spacing=(1.0, 1.0, 1.0),
                    convert_to_lab=True,
                    value_range=None,
                    slic_zero=False,
                    perturb_seeds=False,
                    enforce_connectivity=connected,
                    min_size_factor=0.5,
                    max_size_factor=3.0,
                    refine_iter=1 if connected else 0,
                    start_label=1,
                    seed_grid=None,
                    where=_library.where(image),
                )

            what = "connected and refined" if connected else "labels alone"
            size = f"{height}x{width} uint8, {segments} superpixels, {what}"
            yield Case("slic", size, run, None, (image, labels))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--repeats", type=int, default=50)
    parser.add_argument("--small", action="store_true", help="small arrays, to see that it works")
    parser.add_argument("--only", help="ops that begin with this")
    parser.add_argument("--json", type=Path, help="where to keep the figures")
    args = parser.parse_args()
    device = torch.device(args.device)
    clock = Clock(device, args.repeats)
    is_cuda = device.type == "cuda"
    name = torch.cuda.get_device_name(device) if is_cuda else platform.machine()
    copy = clock.copy_gb_per_s()
    print(f"{name}, PyTorch {torch.__version__}, superpix {superpix.__version__}")
    print(f"copy: {copy:.0f} GB/s\n")
    print("| op | size | ms | graph, ms | plain, ms | ratio | GB/s | of copy |")
    print("|---|---|---|---|---|---|---|---|")
    figures = []
    result: dict[str, Any] = {
        "device": name,
        "torch": torch.__version__,
        "copy_gb_per_s": copy,
    }
    for cases in (slic_cases, soft_slic_cases, pool_cases, pyramid_cases):
        for case in cases(device, args.small):
            if args.only and not case.op.startswith(args.only):
                continue
            ms = clock.median_ms(case.ours)
            gb_per_s = 1e-6 * sum(tensor.nbytes for tensor in case.tensors) / ms
            figures.append(
                Figure(
                    case.op,
                    case.size,
                    ms,
                    clock.graph_ms(case.ours),
                    None if case.plain is None else clock.median_ms(case.plain),
                    gb_per_s,
                    gb_per_s / copy,
                )
            )
            print(figures[-1].row(), flush=True)
            if args.json is not None:  # at once: whoever runs out of time keeps what there is
                result["figures"] = [asdict(figure) for figure in figures]
                args.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
