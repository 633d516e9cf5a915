"""Superpixels of large images from small ones: patch calibration networks (PCNet).

Wang, Wei, Qian, Zhu: "Generating Superpixels for High-Resolution Images with Decoupled Patch
Calibration", Chinese Journal of Computers 47(11), 2024.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from superpix.models.cell_model import MEAN, CellModel
from superpix.models.cells import grid_of, softmax_over_cells
from superpix.models.encoder_decoder import WIDTHS, ConvLayer, EncoderDecoder, initialize
from superpix.models.tiles import Layer, labels_in_tiles

# How many times larger the output is than what the encoder sees.
FACTOR = 4


class PCNetOutput(NamedTuple):
    """What `PCNet` returns.

    Attributes
    ----------
    association : Tensor, [B, 9, H, W]
        How much of a pixel belongs to each of the nine cells around it, in the order of
        `superpix.torch.soft_slic`; sums to 1.
    grid : (int, int)
        Rows and columns of cells.
    sub_pixel : Tensor, [B, 16, H, W]
        Features that the sub-pixel layer gives: embeddings of pixels.
    features : Tensor, [B, 16, H, W]
        Features that the association is made of, one convolution later.
    restored : Tensor, [B, 3, H, W], optional
        The image as the super-resolution head has it, sRGB; None unless the model is training.
    """

    association: Tensor
    grid: tuple[int, int]
    sub_pixel: Tensor
    features: Tensor
    restored: Tensor | None


class PCNet(CellModel):
    """SCN's encoder-decoder on every fourth pixel of every fourth row, and a sub-pixel layer.

    The output has the size of the image, and cells of 16x16 pixels. `segment` asks for as many
    cells as superpixels are wanted, whatever the size of the picture: at 1 superpixel to 256 pixels
    the network's image is the picture at its own size.

    Parameters
    ----------
    mean : three floats, optional
        Subtracted from R, G and B. The published code has those of its data, Face-Human:
        (0.500, 0.466, 0.439).

    References
    ----------
    Figure 3 of the paper. As the published code, and unlike that figure, there is no batch
    normalisation after transposed convolutions and in the super-resolution head, and LeakyReLU for
    ReLU. Unlike the code, cells beyond the grid have no part in the softmax.
    """

    multiple = 64  # the encoder halves the sides of a quarter of the image four times
    step = FACTOR

    def __init__(self, *, mean: Sequence[float] = MEAN) -> None:
        super().__init__(mean)
        width = WIDTHS[0]
        self.encoder_decoder = EncoderDecoder()
        self.enlarging = nn.Sequential(ConvLayer(width, width * FACTOR**2), nn.PixelShuffle(FACTOR))
        self.last = ConvLayer(width, width)
        self.output = nn.Conv2d(width, 9, 3, padding=1)
        self.restoring = nn.Sequential(nn.Conv2d(width, 3, 1, bias=False), nn.Tanh())
        initialize(self)

    def forward(self, image: Tensor) -> PCNetOutput:
        """Associate pixels with cells.

        Parameters
        ----------
        image : Tensor, [B, 3, H, W]
            sRGB from 0 to 1; sides are multiples of 64.

        Raises
        ------
        ValueError
            They are not.
        """
        grid = grid_of(image, self.multiple)
        seen = image[:, :, :: self.step, :: self.step]
        sub_pixel = self._enlarged(*self.encoder_decoder.below(self.centered(seen)))
        features = self.last(sub_pixel)
        association = softmax_over_cells(self.output(features), grid)
        restored = None
        if self.training:
            restored = self.restoring(sub_pixel) + self.mean[:, None, None]
        return PCNetOutput(association, grid, sub_pixel, features, restored)

    def labels(self, seen: Tensor, grid: tuple[int, int]) -> Tensor:
        """See `CellModel`."""
        # A convolution sees one pixel farther, at a quarter of the size four, at an eighth eight.
        layers: list[Layer] = [(self._enlarged, 16), (self.last, 2), (self.output, 1)]
        return labels_in_tiles(layers, self.encoder_decoder.below(self.centered(seen)), grid)

    def _enlarged(self, *below: Tensor) -> Tensor:
        sub_pixel: Tensor = self.enlarging(self.encoder_decoder.at_full_size(*below))
        return sub_pixel
