"""Superpixel methods behind one signature, so that they can be measured side by side.

Each method is imported only when it is asked for. Times and labels are those of a user who hands
over an 8-bit RGB image: colour conversion and connectivity included, parameters at the method's own
defaults.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

# (image [H, W, 3] uint8 RGB, about how many superpixels) -> labels [H, W], none below 0
Segment: TypeAlias = Callable[[NDArray[np.uint8], int], NDArray[np.int32]]

# What is passed on by keyword: a compactness, or nothing where the method's default stands.
Options: TypeAlias = dict[str, Any]


class MissingPackageError(Exception):
    """A method's package is not installed; the text says what to install."""


@dataclass(frozen=True, slots=True)
class Method:
    """A superpixel method, ready to run.

    Attributes
    ----------
    name : str
        As in `METHODS`.
    segment : callable
        (image [H, W, 3] uint8, n_segments) -> labels [H, W] int32, none below 0.
    """

    name: str
    segment: Segment


def load_method(
    name: str, *, compactness: float | None = None, num_threads: int | None = None
) -> Method:
    """Import a method and fix its parameters.

    Parameters
    ----------
    name : str
        One of `METHODS`.
    compactness : float, optional
        The method's own default unless told. The scales of the methods differ.
    num_threads : int, optional
        All cores unless told. scikit-image always uses one.

    Raises
    ------
    ValueError
        Where no method has this name.
    MissingPackageError
        Where the method's package is not installed.
    """
    if name not in METHODS:
        raise ValueError(f"no method is called {name!r}; choose from {', '.join(METHODS)}")
    load, package = METHODS[name]
    try:
        segment = load({} if compactness is None else {"compactness": compactness}, num_threads)
    except ImportError as error:
        raise MissingPackageError(
            f"method {name} needs the package {package}, which does not import ({error}): "
            f"pip install {package}"
        ) from error
    return Method(name, segment)


def _superpix(options: Options, num_threads: int | None) -> Segment:
    from superpix import slic

    def segment(image: NDArray[np.uint8], n_segments: int) -> NDArray[np.int32]:
        return slic(image, n_segments, num_threads=num_threads, **options)

    return segment


def _skimage(options: Options, _num_threads: int | None) -> Segment:
    from skimage.segmentation import slic

    def segment(image: NDArray[np.uint8], n_segments: int) -> NDArray[np.int32]:
        labels: NDArray[Any] = slic(image, n_segments, start_label=1, **options)
        return labels.astype(np.int32)

    return segment


def _fast_slic(options: Options, num_threads: int | None) -> Segment:
    try:
        from fast_slic.avx2 import SlicAvx2 as Slic
    except ImportError:  # built on a machine without AVX2
        from fast_slic import Slic

    threads = -1 if num_threads is None else num_threads

    def segment(image: NDArray[np.uint8], n_segments: int) -> NDArray[np.int32]:
        slic = Slic(num_components=n_segments, num_threads=threads, **options)
        labels: NDArray[np.int16] = slic.iterate(image)
        # It stores 16-bit unsigned labels as signed ones: beyond 32767 they come back negative.
        return labels.view(np.uint16).astype(np.int32)

    return segment


def _opencv(options: Options, num_threads: int | None) -> Segment:
    import cv2

    if not hasattr(cv2, "ximgproc"):
        raise ImportError("this OpenCV lacks ximgproc")
    cv2.setNumThreads(-1 if num_threads is None else num_threads)
    ruler = options.get("compactness", 10.0)

    def segment(image: NDArray[np.uint8], n_segments: int) -> NDArray[np.int32]:
        lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
        size = max(1, round((lab.shape[0] * lab.shape[1] / n_segments) ** 0.5))
        slic = cv2.ximgproc.createSuperpixelSLIC(lab, cv2.ximgproc.SLIC, size, ruler)
        slic.iterate(10)
        slic.enforceLabelConnectivity(25)
        return np.asarray(slic.getLabels(), dtype=np.int32)

    return segment


# Name -> (loader, package on PyPI).
METHODS: dict[str, tuple[Callable[[Options, int | None], Segment], str]] = {
    "superpix": (_superpix, "superpix"),
    "skimage": (_skimage, "scikit-image"),
    "fast-slic": (_fast_slic, "fast-slic"),
    "opencv": (_opencv, "opencv-contrib-python-headless"),
}
