"""Superpixel sampling networks (SSN): learned pixel features, clustered by soft SLIC.

Jampani, Sun, Liu, Yang, Kautz: "Superpixel Sampling Networks", ECCV 2018.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from superpix.models.base import Prediction, SuperpixelModel
from superpix.models.color import rgb_to_lab
from superpix.models.folding import folded
from superpix.torch import hard_labels, soft_slic

Variant = Literal["deep", "linear", "pix"]

# Of a pixel: L*, a*, b*, y, x.
NUM_INPUTS = 5

# Of colours beside learned features where borders are refined. With 1, they follow what was learned
# and are smooth: less boundary recall, no more accuracy.
COLOR_WEIGHT = 2.0


class SSNOutput(NamedTuple):
    """What `SSN` returns.

    Attributes
    ----------
    association : Tensor, [B, 9, H, W]
        How much of a pixel belongs to each of the nine superpixels around it (`soft_slic`).
    centers : Tensor, [B, C, K]
        The features of superpixels; of the first five, L*, a*, b*, y and x, all scaled.
    labels : Tensor of int64, [B, H, W]
        The superpixel of the greatest association; not yet connected.
    """

    association: Tensor
    centers: Tensor
    labels: Tensor


class SSN(SuperpixelModel):
    """Superpixel sampling network.

    Pixels have their colour in CIELAB times ``gamma_color``, their position times ``gamma_pos`` in
    units of superpixels (the larger of rows per height and columns per width), and behind these the
    learned features. For `torch.nn.Module.forward` see below; `segment` takes a picture.

    Parameters
    ----------
    variant : {"deep", "linear", "pix"}, optional
        "deep": seven convolutions at three resolutions, the paper's network. "linear": one
        convolution. "pix": nothing is learned, which is soft SLIC.
    num_features : int, optional
        k, of a pixel in all: the learned and five more.
    gamma_color, gamma_pos : float, optional
        Scales of colour and position (the paper's eta).
    train_iter, test_iter : int, optional
        Iterations of soft SLIC while training, and else: the paper's v.
    sees_positions : bool, optional
        Whether the network sees positions beside colours, as the paper's does. Their range grows
        with the number of superpixels, and with more of them than in training features get worse.

    References
    ----------
    Section 4 of the paper. As the published code, and unlike its text, the network's last layer
    sees the inputs, too, and associations are normalised over superpixels. Unlike the code,
    gamma_pos is the same in training, and there is no ReLU behind the last layer: distances of
    features are the same wherever 0 is, and units would die.
    """

    def __init__(
        self,
        variant: Variant = "deep",
        num_features: int = 20,
        *,
        gamma_color: float = 0.26,
        gamma_pos: float = 2.5,
        train_iter: int = 5,
        test_iter: int = 10,
        sees_positions: bool = True,
    ) -> None:
        super().__init__(
            variant=variant,
            num_features=num_features,
            gamma_color=gamma_color,
            gamma_pos=gamma_pos,
            train_iter=train_iter,
            test_iter=test_iter,
            sees_positions=sees_positions,
        )
        if variant not in ("deep", "linear", "pix"):
            raise ValueError(f"variant must be 'deep', 'linear' or 'pix', got {variant!r}")
        if gamma_color <= 0:
            raise ValueError(f"gamma_color must be greater than 0, got {gamma_color}")
        num_learned = num_features - NUM_INPUTS
        if variant != "pix" and num_learned < 1:
            raise ValueError(f"num_features must be greater than {NUM_INPUTS}, got {num_features}")
        self.gamma_color = gamma_color
        self.gamma_pos = gamma_pos
        self.train_iter = train_iter
        self.test_iter = test_iter
        self.num_seen = NUM_INPUTS if sees_positions else 3
        self.network: nn.Module | None = None
        if variant == "deep":
            self.network = DeepFeatures(self.num_seen, num_learned)
        elif variant == "linear":
            self.network = nn.Conv2d(self.num_seen, num_learned, 3, padding=1)
            start_near_zero(self.network)

    def forward(
        self, image: Tensor, grid: tuple[int, int], num_iter: int | None = None
    ) -> SSNOutput:
        """Cluster the pixels of images.

        Parameters
        ----------
        image : Tensor, [B, 3, H, W]
            sRGB from 0 to 1.
        grid : (int, int)
            Rows and columns of superpixels, at most H and W.
        num_iter : int, optional
            Of soft SLIC; by default ``train_iter`` or ``test_iter``.
        """
        if num_iter is None:
            num_iter = self.train_iter if self.training else self.test_iter
        association, centers = soft_slic(self.features(image, grid), grid, num_iter)
        return SSNOutput(association, centers, hard_labels(association, grid))

    def features(self, image: Tensor, grid: tuple[int, int]) -> Tensor:
        """Return what is clustered, [B, num_features, H, W]: the scaled inputs come first."""
        # In half precision, neighbouring pixels of large images would have the same position.
        with torch.autocast(image.device.type, enabled=False):
            lab = self.gamma_color * rgb_to_lab(image)
            inputs = torch.cat([lab, self.positions(image, grid)], dim=1)
        if self.network is None:
            return inputs
        learned = self.network(inputs[:, : self.num_seen])
        return torch.cat([inputs, learned.to(inputs.dtype)], dim=1)

    def positions(self, image: Tensor, grid: tuple[int, int]) -> Tensor:
        """Return the features 3 and 4 of pixels, y and x, [B, 2, H, W]."""
        batch, _, height, width = image.shape
        scale = self.gamma_pos * max(grid[0] / height, grid[1] / width)
        y = scale * torch.arange(height, device=image.device, dtype=image.dtype)
        x = scale * torch.arange(width, device=image.device, dtype=image.dtype)
        return torch.stack(torch.meshgrid(y, x, indexing="ij")).expand(batch, 2, height, width)

    def predict(self, image: Tensor, n_segments: int) -> Prediction:
        """See `SuperpixelModel`: what is learned tells pieces apart, and colours twice."""
        grid = choose_grid(image.shape[-2:], n_segments)
        features = self.features(image, grid)
        labels = hard_labels(soft_slic(features, grid, self.test_iter).association, grid)
        seen = torch.cat([COLOR_WEIGHT * features[:, :3], features[:, NUM_INPUTS:]], dim=1)
        return Prediction(labels, seen / self.gamma_color)


class ConvLayer(nn.Sequential):
    """Convolution 3x3 without bias, batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
            # Batches are small: statistics are averaged over some hundred steps, as published.
            nn.BatchNorm2d(outputs, momentum=0.01),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, outputs, H, W]."""
        if self.training:
            y: Tensor = super().forward(x)
            return y
        weight, bias = folded(cast("nn.Conv2d", self[0]), cast("nn.BatchNorm2d", self[1]))
        return functional.relu_(functional.conv2d(x, weight, bias, padding=1))


class DeepFeatures(nn.Module):
    """The paper's network, [B, num_inputs, H, W] -> [B, num_learned, H, W]; figure 3."""

    def __init__(self, num_inputs: int, num_learned: int, width: int = 64) -> None:
        super().__init__()
        self.at_full = nn.Sequential(ConvLayer(num_inputs, width), ConvLayer(width, width))
        self.at_half = nn.Sequential(_pool(), ConvLayer(width, width), ConvLayer(width, width))
        self.at_quarter = nn.Sequential(_pool(), ConvLayer(width, width), ConvLayer(width, width))
        self.output = nn.Conv2d(3 * width + num_inputs, num_learned, 3, padding=1)
        start_near_zero(self.output)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the learned features."""
        size = inputs.shape[-2:]
        # The layout that convolutions are fastest in.
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        full = self.at_full(inputs)
        half = self.at_half(full)
        quarter = self.at_quarter(half)
        seen = [inputs, full, _enlarged(half, size), _enlarged(quarter, size)]
        # Side by side they would be by far the largest array, so each is convolved by itself.
        weights = self.output.weight.split([x.shape[1] for x in seen], dim=1)
        learned = functional.conv2d(seen[0], weights[0], self.output.bias, padding=1)
        for x, weight in zip(seen[1:], weights[1:], strict=True):
            learned = learned + functional.conv2d(x, weight, padding=1)
        return learned


def choose_grid(size: tuple[int, int] | torch.Size, n_segments: int) -> tuple[int, int]:
    """Return rows and columns of nearly square cells, about ``n_segments`` of them.

    Parameters
    ----------
    size : (int, int)
        Height and width of the image.
    n_segments : int
        At least 1.
    """
    height, width = size
    rows = min(height, max(1, round(math.sqrt(n_segments * height / width))))
    columns = min(width, max(1, round(n_segments / rows)))
    return rows, columns


def start_near_zero(layer: nn.Conv2d) -> None:
    """Let learned features count for little at first: training starts from soft SLIC."""
    nn.init.normal_(layer.weight, std=1e-3)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def _pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(3, stride=2, padding=1)


def _enlarged(x: Tensor, size: torch.Size) -> Tensor:
    return functional.interpolate(x, size, mode="bilinear", align_corners=False)
