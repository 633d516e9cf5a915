"""A training step of SSN, and how much of it is superpix.

The step is forward, loss, backward and Adam at the paper's size: batch 8, 201 x 201, 100
superpixels, 5 iterations. The differentiable part is all between features and their gradient: soft
SLIC, hard labels and both losses, forward and backward. Both are timed in turns in one process; the
memory of each is the peak of a process of its own, less that of one which only runs the network.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
from collections.abc import Callable

import torch
from torch import Tensor

import memory
import superpix
from superpix.models import SSN, losses
from superpix.torch import hard_labels, soft_slic
from timing import in_turns

SHAPE, GRID, NUM_ITER, NUM_SEGMENTS = (8, 3, 201, 201), (10, 10), 5, 12


def segments() -> Tensor:
    """Return labels as people draw them: a few large regions."""
    generator = torch.Generator().manual_seed(1)
    coarse = torch.randn(SHAPE[0], NUM_SEGMENTS, 6, 6, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, SHAPE[2:], mode="bicubic")
    return smooth.argmax(dim=1)


class Step:
    """A model and a batch."""

    def __init__(self, precision: str) -> None:
        torch.manual_seed(0)
        self.model = SSN().to(memory_format=torch.channels_last).train()
        self.optimizer = torch.optim.Adam(self.model.parameters(), 1e-4)
        self.images = torch.rand(SHAPE)
        self.labels = segments()
        self.half = precision == "bf16"
        self.given = self.features().detach()

    def features(self) -> Tensor:
        """Run the network."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.half):
            return self.model.features(self.images, GRID)

    def loss(self, features: Tensor) -> Tensor:
        """Run what comes after it."""
        association, centers = soft_slic(features, GRID, NUM_ITER)
        labels = hard_labels(association, GRID)
        positions = self.model.positions(self.images, GRID)
        return losses.reconstruction_cross_entropy(
            association, self.labels, GRID
        ) + 1e-5 * losses.compactness(centers[:, 3:5], labels, positions)

    def whole(self) -> None:
        """Train for a step."""
        self.optimizer.zero_grad()
        self.loss(self.features()).backward()
        self.optimizer.step()

    def part(self) -> None:
        """Go from features to their gradient."""
        leaf = self.given.requires_grad_()
        torch.autograd.grad(self.loss(leaf), leaf)

    def network(self) -> None:
        """Train by a loss that costs nothing."""
        self.optimizer.zero_grad()
        self.features().sum().backward()
        self.optimizer.step()


def peak_of(what: str, precision: str) -> float:
    """Return the peak of a process that does this twice, in MiB."""
    command = [sys.executable, __file__, "--peak", what, "--precision", precision]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    """Print times, the part's share, and memory."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", choices=["32", "bf16"], default="32")
    parser.add_argument("--peak", choices=["whole", "network"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    step = Step(options.precision)
    if options.peak:
        function: Callable[[], None] = getattr(step, options.peak)
        function()
        function()
        print(memory.peak() / 2**20)
        return
    print(
        f"superpix {superpix.__version__}, torch {torch.__version__}, {platform.processor()}, "
        f"{options.threads} threads, precision {options.precision}, "
        f"median of {options.repeats}"
    )
    seconds = in_turns({"step": step.whole, "part": step.part}, options.repeats)
    share = seconds["part"] / seconds["step"]
    print(f"step {seconds['step'] * 1e3:.0f} ms, of which superpix {seconds['part'] * 1e3:.0f} ms")
    print(f"share {share:.1%} (at most 25 % is wanted)")
    whole, network = (peak_of(what, options.precision) for what in ("whole", "network"))
    print(f"memory {whole:.0f} MiB, {whole - network:.0f} MiB more than the network alone")


if __name__ == "__main__":
    main()
