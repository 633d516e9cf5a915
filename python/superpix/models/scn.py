"""Superpixels by a fully convolutional network (SCN, also SpixelFCN).

Yang, Sun, Jin, Zhou: "Superpixel Segmentation with Fully Convolutional Networks", CVPR 2020.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from superpix.models.cell_model import MEAN, CellModel
from superpix.models.cells import grid_of, softmax_over_cells
from superpix.models.encoder_decoder import WIDTHS, EncoderDecoder, initialize
from superpix.models.tiles import Layer, labels_in_tiles


class SCNOutput(NamedTuple):
    """What `SCN` returns.

    Attributes
    ----------
    association : Tensor, [B, 9, H, W]
        How much of a pixel belongs to each of the nine cells around it, in the order of
        `superpix.torch.soft_slic`; sums to 1.
    grid : (int, int)
        Rows and columns of cells.
    """

    association: Tensor
    grid: tuple[int, int]


class SCN(CellModel):
    """Superpixels in one pass of an encoder-decoder.

    For `torch.nn.Module.forward` see below; `segment` takes a picture.

    Parameters
    ----------
    mean : three floats, optional
        Subtracted from R, G and B.

    References
    ----------
    The network is that of the published code without its unused outputs at lower resolutions.
    Unlike there, cells beyond the grid have no part in the softmax (`softmax_over_cells`).
    """

    multiple = 16  # the encoder halves sides four times

    def __init__(self, *, mean: Sequence[float] = MEAN) -> None:
        super().__init__(mean)
        self.features = EncoderDecoder()
        self.output = nn.Conv2d(WIDTHS[0], 9, 3, padding=1)
        initialize(self)

    def forward(self, image: Tensor) -> SCNOutput:
        """Associate pixels with cells.

        Parameters
        ----------
        image : Tensor, [B, 3, H, W]
            sRGB from 0 to 1; sides are multiples of 16.

        Raises
        ------
        ValueError
            They are not.
        """
        grid = grid_of(image, self.multiple)
        scores = self.output(self.features(self.centered(image)))
        return SCNOutput(softmax_over_cells(scores, grid), grid)

    def labels(self, seen: Tensor, grid: tuple[int, int]) -> Tensor:
        """See `CellModel`."""
        # A convolution sees one pixel farther, and at half the size two.
        layers: list[Layer] = [(self.features.at_full_size, 4), (self.output, 1)]
        return labels_in_tiles(layers, self.features.below(self.centered(seen)), grid)
