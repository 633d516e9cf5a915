"""Classify superpixels: `SuperpixelPool` between a convolutional network and a linear layer.

Images are noise with bright discs; a superpixel is to be told disc from ground by the mean of the
features in it. Run it from anywhere:

    python examples/python/pool_superpixels.py
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from torch import Tensor, nn

import superpix
from superpix.torch import SuperpixelPool

SIZE = 96
NUM_SEGMENTS = 64


class SuperpixelClassifier(nn.Module):
    """[B, 1, H, W] images and [B, H, W] labels -> a score for each superpixel, [B, K]."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 16, 5, padding=2), nn.ReLU())
        self.pool = SuperpixelPool(NUM_SEGMENTS, reduce="mean")
        self.classify = nn.Linear(16, 1)

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Return one logit a superpixel."""
        pooled = self.pool(self.features(images), labels)  # [B, 16, K]
        scores: Tensor = self.classify(pooled.transpose(1, 2)).squeeze(2)
        return scores


def make_batch(rng: np.random.Generator, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return images, the labels of their superpixels, and which superpixels are discs."""
    y, x = np.mgrid[:SIZE, :SIZE]
    images, all_labels, targets = [], [], []
    for _ in range(size):
        center, radius = rng.uniform(20, SIZE - 20, 2), rng.uniform(12, 24)
        disc = (y - center[0]) ** 2 + (x - center[1]) ** 2 < radius**2
        image = (disc + rng.normal(0, 0.8, disc.shape)).astype(np.float32)
        labels = superpix.slic(image, NUM_SEGMENTS, channel_axis=None, sigma=2, start_label=0)
        labels = np.where(labels < NUM_SEGMENTS, labels, -1)  # -1 takes no part
        share = superpix.pool(disc[np.newaxis].astype(np.float32), labels, NUM_SEGMENTS)[0]
        images.append(image[np.newaxis])
        all_labels.append(labels)
        targets.append(share > 0.5)
    return (
        torch.from_numpy(np.stack(images)),
        torch.from_numpy(np.stack(all_labels)),
        torch.from_numpy(np.stack(targets)).float(),
    )


def main() -> None:
    """Train, and print how many superpixels are classified rightly."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=100)
    options = parser.parse_args()

    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    net = SuperpixelClassifier()
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    for step in range(options.steps):
        images, labels, targets = make_batch(rng, 4)
        scores = net(images, labels)
        loss = nn.functional.binary_cross_entropy_with_logits(scores, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 10 == 0 or step == options.steps - 1:
            right = ((scores > 0) == (targets > 0.5)).float().mean()
            print(f"step {step:3d}: loss {loss.item():.3f}, {100 * right:.1f} % right")


if __name__ == "__main__":
    main()
