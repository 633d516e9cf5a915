"""The encoder-decoder that SCN and PCNet share, and the layers it is made of."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional

from superpix.models.folding import folded

# The slope of LeakyReLU below 0.
SLOPE = 0.1

# Channels at the input's size, at half of it, ... and at a sixteenth.
WIDTHS = (16, 32, 64, 128, 256)


class ConvLayer(nn.Module):
    """Convolution 3x3 without bias, batch normalisation, LeakyReLU.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    stride : int, optional
        1, or 2 to halve both sides.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, outputs, H / stride, W / stride]."""
        if self.training:
            y = self.norm(self.conv(x))
        else:
            weight, bias = folded(self.conv, self.norm)
            y = functional.conv2d(x, weight, bias, stride=self.conv.stride, padding=1)
        return functional.leaky_relu(y, SLOPE, inplace=True)


class Doubling(nn.Sequential):
    """Transposed convolution 4x4 with bias that doubles both sides, LeakyReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1),
            nn.LeakyReLU(SLOPE, inplace=True),
        )


class EncoderDecoder(nn.Module):
    """Features of 16 channels at the size of the image, which sees a sixteenth of it below.

    The sides of images are multiples of 16. `forward` is `below` and then `at_full_size`, which can
    be told apart so that the latter may be evaluated tile by tile.

    References
    ----------
    Yang, Sun, Jin, Zhou: "Superpixel Segmentation with Fully Convolutional Networks", CVPR 2020,
    as the published code.
    """

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.ModuleList(
            nn.Sequential(
                ConvLayer(inputs, outputs, 1 if outputs == WIDTHS[0] else 2),
                ConvLayer(outputs, outputs),
            )
            for inputs, outputs in zip((3, *WIDTHS), WIDTHS, strict=False)
        )
        # From the finest, as the encoder.
        self.doublings = nn.ModuleList(
            Doubling(coarse, fine) for fine, coarse in itertools.pairwise(WIDTHS)
        )
        self.decoder = nn.ModuleList(ConvLayer(2 * width, width) for width in WIDTHS[:-1])

    def forward(self, image: Tensor) -> Tensor:
        """Return features [B, 16, H, W] of an image [B, 3, H, W]."""
        return self.at_full_size(*self.below(image))

    def below(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return the encoder's [B, 16, H, W], and the decoder's [B, 32, H / 2, W / 2]."""
        seen = []
        x = image
        for block in self.encoder:
            x = block(x)
            seen.append(x)
        seen.pop()
        for level in range(len(seen) - 1, 0, -1):
            x = self._decode(level, seen.pop(), x)
        return seen.pop(), x

    def at_full_size(self, encoded: Tensor, below: Tensor) -> Tensor:
        """Return what the decoder's last level makes of what `below` returned, [B, 16, H, W]."""
        return self._decode(0, encoded, below)

    def _decode(self, level: int, encoded: Tensor, below: Tensor) -> Tensor:
        doubled = self.doublings[level](below)
        features: Tensor = self.decoder[level](torch.cat([encoded, doubled], dim=1))
        return features


def initialize(network: nn.Module) -> None:
    """Draw the weights of all convolutions as the published code: Kaiming's normal, biases 0."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(layer.weight, SLOPE)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
