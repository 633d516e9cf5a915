"""See the whole image from every pixel: `PyramidPooling` in a segmentation network, after PSPNet.

Images are noise in which one quarter is a little brighter; the pixels of the opposite quarter are
to be found. No pixel sees that in its neighbourhood. Run it from anywhere:

    python examples/python/pool_pyramid.py
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor, nn

from superpix.torch import PyramidPooling

SIZE = 48


class SegmentationNet(nn.Module):
    """[B, 1, H, W] -> scores [B, 1, H, W]."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU())
        self.context = PyramidPooling(16, bins=(1, 2, 3, 6))  # 16 + 4 * 4 channels
        self.head = nn.Sequential(
            nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 1, 3, padding=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return one logit a pixel."""
        scores: Tensor = self.head(self.context(self.features(x)))
        return scores


def make_batch(size: int) -> tuple[Tensor, Tensor]:
    """Return images and masks of the quarters opposite to the bright ones."""
    half = SIZE // 2
    images, masks = torch.randn(size, 1, SIZE, SIZE), torch.zeros(size, 1, SIZE, SIZE)
    for image, mask, quarter in zip(images, masks, torch.randint(4, (size,)), strict=True):
        y, x = int(quarter) // 2 * half, int(quarter) % 2 * half
        image[:, y : y + half, x : x + half] += 0.5
        mask[:, half - y : SIZE - y, half - x : SIZE - x] = 1
    return images, masks


def main() -> None:
    """Train, and print how much of the quarters is found."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=150)
    options = parser.parse_args()

    torch.manual_seed(0)
    net = SegmentationNet()
    optimizer = torch.optim.Adam(net.parameters(), 5e-3)
    for step in range(options.steps):
        images, masks = make_batch(16)
        scores = net(images)
        loss = nn.functional.binary_cross_entropy_with_logits(scores, masks)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 10 == 0 or step == options.steps - 1:
            found = (scores > 0).float()
            overlap = (found * masks).sum() / torch.maximum(found, masks).sum()
            print(f"step {step:3d}: loss {loss.item():.3f}, intersection over union {overlap:.2f}")


if __name__ == "__main__":
    main()
