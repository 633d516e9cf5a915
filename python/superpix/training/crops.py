"""Random crops of annotated images, each a function of its number alone.

So a run that was interrupted goes on with the very crops that it would have had, whatever the
number of workers and processes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils import data

from superpix.data import Dataset, FlowSample, Sample


@dataclass(frozen=True)
class Augmentation:
    """How a crop is taken.

    Attributes
    ----------
    size : int
        Height and width, in pixels.
    scale_deviation, least_scale, greatest_scale : float
        Images are scaled by a normal deviate around 1, cut off at both ends. Scaling is one with
        cropping: only what ends up in the crop is resampled.
    flip_x, flip_y : float
        Probability of a mirror image.
    """

    size: int
    scale_deviation: float = 0.0
    least_scale: float = 1.0
    greatest_scale: float = 1.0
    flip_x: float = 0.5
    flip_y: float = 0.0

    def __call__(
        self,
        image: NDArray[np.uint8],
        annotation: NDArray[Any],
        rng: np.random.Generator,
    ) -> tuple[NDArray[np.uint8], NDArray[Any]]:
        """Return a crop of an image [H, W, 3] and of its labels [H, W] or flow [H, W, 2]."""
        height, width = annotation.shape[:2]
        scale = np.clip(
            rng.normal(1.0, self.scale_deviation), self.least_scale, self.greatest_scale
        )
        scale = max(scale, self.size / min(height, width))
        side = self.size / scale
        top, left = rng.uniform(0, height - side), rng.uniform(0, width - side)
        if side == self.size:
            top, left = round(top), round(left)
        crop = resampled(image, annotation, (top, left, side, side), self.size)
        return flipped([crop], rng.random() < self.flip_x, rng.random() < self.flip_y)[0]

    def item(
        self,
        image: NDArray[np.uint8],
        annotation: NDArray[Any],
        rng: np.random.Generator,
    ) -> tuple[Tensor, ...]:
        """Return a crop as [3, S, S] of uint8, and its labels [S, S] of int64.

        Labels are from 0 on without gaps; -1 is ignored. Optical flow is [2, S, S] of float32, in
        pixels of the crop.
        """
        pixels, target = self(image, annotation, rng)
        return to_tensor(pixels), to_tensor(target) if is_flow(target) else consecutive(target)


class Cropping(Protocol):
    """What makes an item of training data of an image [H, W, 3] and its annotation.

    That is labels [H, W], or optical flow [H, W, 2] of float32, NaN where it is unknown.
    """

    def item(
        self, image: NDArray[np.uint8], annotation: NDArray[Any], rng: np.random.Generator
    ) -> tuple[Tensor, ...]:
        """Return the item, which follows from the arguments alone."""
        ...


class RandomCrops(data.Dataset[tuple[Tensor, ...]]):
    """Crop number n, for n = 0, 1, ...: of all annotations in a random order, again and again.

    Items are those of the augmentation.

    Parameters
    ----------
    sources : sequence of data sets
        With annotations, or with optical flow.
    augmentation : Augmentation or the like
        What becomes of them.
    seed : int
        What all chance follows from.
    cache_bytes : int
        How much memory may keep images.
    """

    def __init__(
        self,
        sources: Sequence[Dataset[Sample | FlowSample]],
        augmentation: Cropping,
        seed: int,
        *,
        cache_bytes: int = 2**30,
    ) -> None:
        self._sources = sources
        self._augmentation = augmentation
        self._seed = seed
        self._cache: dict[tuple[int, int], Sample] = {}
        self._cache_room = cache_bytes
        self._pairs = [
            (source, index, annotator)
            for source, samples in enumerate(sources)
            for index, count in enumerate(samples.annotation_counts())
            for annotator in range(count)
        ]
        self._pass: tuple[int, NDArray[np.int64]] | None = None

    @property
    def num_annotations(self) -> int:
        """How many crops there are in a pass over the data."""
        return len(self._pairs)

    def __getitem__(self, number: int) -> tuple[Tensor, ...]:
        """Return a crop."""
        turn, place = divmod(number, len(self._pairs))
        if self._pass is None or self._pass[0] != turn:
            order = np.random.default_rng((self._seed, 0, turn)).permutation(len(self._pairs))
            self._pass = turn, order
        source, index, annotator = self._pairs[self._pass[1][place]]
        sample = self._sample(source, index)
        rng = np.random.default_rng((self._seed, 1, number))
        return self._augmentation.item(sample.image, sample.annotations[annotator], rng)

    def _sample(self, source: int, index: int) -> Sample:
        if (source, index) in self._cache:
            return self._cache[source, index]
        read = self._sources[source][index]
        sample = Sample(read.id, read.image, _annotations(read))
        size = sample.image.nbytes + sum(array.nbytes for array in sample.annotations)
        if size <= self._cache_room:
            self._cache_room -= size
            self._cache[source, index] = sample
        return sample

    def fill_cache(self) -> None:
        """Read images while there is room for them, so that processes made later share them."""
        for source, samples in enumerate(self._sources):
            for index in range(len(samples)):
                if self._cache_room < self._sample(source, index).image.nbytes:
                    return


class Steps(data.Sampler[int]):
    """The numbers of the crops of some steps, for one of several processes.

    Parameters
    ----------
    first, last : int
        Steps, the last one excluded.
    batch_size : int
        Of all processes together.
    rank, world_size : int
        Which process of how many; each has every world_size-th crop.
    """

    def __init__(
        self, first: int, last: int, batch_size: int, rank: int = 0, world_size: int = 1
    ) -> None:
        if batch_size % world_size:
            raise ValueError(
                f"batch_size must be a multiple of the {world_size} processes, got {batch_size}"
            )
        self._numbers = range(first * batch_size + rank, last * batch_size, world_size)

    def __len__(self) -> int:
        """Return how many crops this process has."""
        return len(self._numbers)

    def __iter__(self) -> Iterator[int]:
        """Return the numbers."""
        return iter(self._numbers)


def resampled(
    image: NDArray[np.uint8],
    annotation: NDArray[Any],
    box: tuple[float, float, float, float],
    size: int,
) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """Return a part of an image [H, W, 3] and of its annotation, ``size`` pixels a side.

    Parameters
    ----------
    box : (float, float, float, float)
        Top, left, height and width of the part. Colours are interpolated; labels and flow are those
        of the nearest pixels, and flow is in the new ones.
    """
    from PIL import Image

    height, width = annotation.shape[:2]
    top, left, tall, wide = box
    crop = Image.fromarray(image).resize(
        (size, size),
        Image.Resampling.BILINEAR,
        box=(left, top, min(left + wide, width), min(top + tall, height)),
    )
    steps = np.arange(size) + 0.5
    rows = np.minimum((top + steps * (tall / size)).astype(int), height - 1)
    columns = np.minimum((left + steps * (wide / size)).astype(int), width - 1)
    part = annotation[rows[:, None], columns]
    if is_flow(part):
        part = part * np.array([size / wide, size / tall], np.float32)
    return np.asarray(crop), part


def flipped(
    crops: Sequence[tuple[NDArray[Any], NDArray[Any]]], flip_x: bool, flip_y: bool
) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """Return images and annotations mirrored, all of them alike."""
    x, y = -1 if flip_x else 1, -1 if flip_y else 1

    def mirrored(array: NDArray[Any]) -> NDArray[Any]:
        turned = array[::y, ::x]
        return turned * np.array([x, y], np.float32) if is_flow(array) else turned

    return [(mirrored(image), mirrored(annotation)) for image, annotation in crops]


def is_flow(annotation: NDArray[Any]) -> bool:
    """Whether this is optical flow, x and y of each pixel."""
    return annotation.dtype == np.float32


def to_tensor(image: NDArray[Any]) -> Tensor:
    """Return [H, W, C] as [C, H, W]."""
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))


def consecutive(annotation: NDArray[Any]) -> Tensor:
    """Return labels from 0 on without gaps; what is below 0 becomes -1."""
    values, labels = np.unique(annotation, return_inverse=True)
    num_ignored = int(np.count_nonzero(values < 0))
    labels = np.maximum(labels.reshape(annotation.shape) - num_ignored, -1)
    return torch.from_numpy(labels.astype(np.int64))


def _annotations(sample: Sample | FlowSample) -> list[NDArray[Any]]:
    if isinstance(sample, FlowSample):
        return [np.where(sample.valid[..., None], sample.flow, np.float32(np.nan))]
    return [_narrowed(annotation) for annotation in sample.annotations]


def _narrowed(annotation: NDArray[Any]) -> NDArray[Any]:
    fits = annotation.min() >= -(2**15) and annotation.max() < 2**15
    return annotation.astype(np.int16) if fits else annotation
