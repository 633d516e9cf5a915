"""What all data sets have in common: images by number, read when they are asked for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Generic, TypeVar

AnySample = TypeVar("AnySample", covariant=True)


class Dataset(ABC, Generic[AnySample]):
    """One split of a data set, read from disk image by image.

    It has what `torch.utils.data.DataLoader` asks of a data set.

    Parameters
    ----------
    images : list of Path
        The images, in their order.
    """

    def __init__(self, images: list[Path]) -> None:
        self._images = images

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._images)

    def annotation_counts(self) -> list[int]:
        """Return how many annotations each image has, which takes less time than reading them."""
        return [1] * len(self)

    @abstractmethod
    def __getitem__(self, index: int) -> AnySample:
        """Read one image and what belongs to it."""

    def __iter__(self) -> Iterator[AnySample]:
        """Read all images, one after the other."""
        return (self[index] for index in range(len(self)))
