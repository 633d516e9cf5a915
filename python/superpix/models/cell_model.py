"""What networks have in common whose superpixels start as cells of 16x16 pixels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from superpix.models.base import Prediction, SuperpixelModel
from superpix.models.cells import CELL, choose_cells
from superpix.models.resize import resize, resize_labels

# Of BSDS500, as the published code of SCN has it: R, G, B.
MEAN = (0.411, 0.432, 0.45)


class CellModel(SuperpixelModel):
    """A network that tells for every pixel which of the nine cells around it it belongs to.

    How many cells there are depends on the size of the image alone. So, as in the published code
    of SCN and PCNet, the picture is resized (cubic, smoothed where it shrinks) until it has about
    as many cells as superpixels are wanted, and the labels are resized back (always the nearest).

    Parameters
    ----------
    mean : three floats
        Subtracted from R, G and B.
    """

    # What the sides of the network's images are multiples of; itself one of `CELL`.
    multiple = CELL

    # Of how many rows and columns of its image the network sees one.
    step = 1

    def __init__(self, mean: Sequence[float]) -> None:
        super().__init__(mean=list(mean))
        self.mean: Tensor
        self.register_buffer("mean", torch.tensor(self.options["mean"]), persistent=False)

    @torch.inference_mode()
    def predict(self, image: Tensor, n_segments: int) -> Prediction:
        """See `SuperpixelModel`.

        The network's image has the sides that are nearest to the picture's shape and to
        ``n_segments`` cells, which are multiples of `multiple`. It is enlarged where superpixels
        of less than 256 pixels are wanted.
        """
        size = image.shape[-2:]
        grid = choose_cells(size, n_segments, self.multiple // CELL)
        image = resize(image, (grid[0] * CELL, grid[1] * CELL), self.step)
        return Prediction(resize_labels(self.labels(image, grid), size))

    def labels(self, seen: Tensor, grid: tuple[int, int]) -> Tensor:
        """Return the cell of each pixel, [B, H, W], within bounded memory.

        Parameters
        ----------
        seen : Tensor, [B, 3, H / step, W / step]
            What the network sees of the image.
        grid : (int, int)
            Rows and columns of cells.
        """
        raise NotImplementedError

    def centered(self, image: Tensor) -> Tensor:
        """Return the image without its mean, in the layout that convolutions are fastest in."""
        image = image - self.mean[:, None, None]
        return image.contiguous(memory_format=torch.channels_last)
