"""Learn the features of superpixels: `soft_slic` as a layer, after SSN.

A small network learns to place superpixels so that the mean colours of the superpixels paint a
photograph as well as they can. Run it from the root of the repository:

    python examples/python/learn_superpixels.py
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

import superpix
from superpix.torch import SoftSLIC, hard_labels, soft_pool, soft_unpool

GRID = (16, 16)


class SuperpixelNet(nn.Module):
    """[B, 5, H, W] colours and positions -> association [B, 9, H, W] with a grid of superpixels."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(5, 32, 3, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.Conv2d(32, 10, 3, padding=1),
        )
        self.soft_slic = SoftSLIC(GRID, num_iter=5)

    def forward(self, x: Tensor) -> Tensor:
        """Return the association; what is learned joins the colours and positions."""
        association: Tensor = self.soft_slic(torch.cat([x, self.features(x)], dim=1)).association
        return association


def with_positions(image: np.ndarray) -> Tensor:
    """Turn [H, W, 3] uint8 into [1, 5, H, W]: Lab, y and x, scaled as SSN has them."""
    lab = 0.26 * torch.from_numpy(superpix.rgb_to_lab(image)).permute(2, 0, 1)
    height, width = image.shape[:2]
    y = torch.linspace(0, 2.5 * GRID[0], height)[:, None].expand(height, width)
    x = torch.linspace(0, 2.5 * GRID[1], width).expand(height, width)
    return torch.cat([lab, torch.stack([y, x])])[None]


def main() -> None:
    """Train, and save the borders of the superpixels."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("image", nargs="?", default="examples/astronaut.png")
    parser.add_argument("--steps", type=int, default=100)
    options = parser.parse_args()

    torch.manual_seed(0)
    pixels = np.asarray(Image.open(options.image).convert("RGB"))
    inputs = with_positions(pixels)
    colours = torch.from_numpy(pixels.astype(np.float32) / 255).permute(2, 0, 1)[None]
    net = SuperpixelNet()
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    for step in range(options.steps):
        association = net(inputs)
        painted = soft_unpool(soft_pool(colours, association, GRID), association, GRID)
        loss = (painted - colours).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 10 == 0 or step == options.steps - 1:
            print(f"step {step:3d}: mean error of the colours {255 * loss.item():.2f} of 255")

    with torch.no_grad():
        labels = hard_labels(net(inputs), GRID)[0].int().numpy()
    labels = superpix.enforce_connectivity(labels, min_size=60, max_size=10**6)
    print(f"{labels.max() + 1 - labels.min()} superpixels after enforce_connectivity")


if __name__ == "__main__":
    main()
