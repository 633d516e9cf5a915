"""What the data sets give: images with their annotations, and the error that says what is wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


class DataError(Exception):
    """A folder that does not hold the data set, or a file of it that is missing or broken.

    The text names the folder or file, and says what was expected.
    """


@dataclass(frozen=True, slots=True)
class Sample:
    """One image and what people drew on it.

    Attributes
    ----------
    id : str
        The name of the image in its data set, mostly the file's stem.
    image : ndarray
        [H, W, 3] uint8, RGB.
    annotations : list of ndarray
        One [H, W] int32 for each annotator. A value of 0 or more is a segment or a class; pixels
        with a negative value, -1 in the data sets here, are to be ignored.
    """

    id: str
    image: NDArray[np.uint8]
    annotations: list[NDArray[np.int32]]


@dataclass(frozen=True, slots=True)
class FlowSample:
    """One image and how its pixels move until the next one.

    Attributes
    ----------
    id : str
        The name of the image in its data set.
    image : ndarray
        [H, W, 3] uint8, RGB.
    flow : ndarray
        [H, W, 2] float32, displacement in pixels: x to the right, y down.
    valid : ndarray
        [H, W] bool, where the displacement is known.
    """

    id: str
    image: NDArray[np.uint8]
    flow: NDArray[np.float32]
    valid: NDArray[np.bool_]
