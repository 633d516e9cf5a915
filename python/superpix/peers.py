"""Superpixel methods behind one signature, so that they can be measured side by side.

Each method is imported only when it is asked for. Times and labels are those of a user who hands
over an 8-bit RGB image: colour conversion and connectivity included, parameters at the method's own
defaults.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from superpix.models.base import SuperpixelModel

# (image [H, W, 3] uint8 RGB, about how many superpixels) -> labels [H, W], none below 0
Segment: TypeAlias = Callable[[NDArray[np.uint8], int], NDArray[np.int32]]

# What is passed on by keyword: a compactness, or nothing where the method's default stands.
Options: TypeAlias = dict[str, Any]

# (options, number of threads) -> the method
Load: TypeAlias = Callable[[Options, int | None], Segment]


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
        One of `METHODS`; or a learned one and the file of its weights, as ``ssn:FILE``.
    compactness : float, optional
        The method's own default unless told. The scales of the methods differ; learned ones have
        none.
    num_threads : int, optional
        All cores unless told. scikit-image always uses one.

    Raises
    ------
    ValueError
        Where no method has this name, or there are no such weights.
    MissingPackageError
        Where the method's package is not installed.
    """
    if name.partition(":")[0] in LEARNED:
        model = load_model(name, num_threads)
        return Method(name, model.segment)
    if name not in CLASSICAL:
        raise ValueError(f"no method is called {name!r}; choose from {', '.join(METHODS)}")
    load, package = CLASSICAL[name]
    options: Options = {} if compactness is None else {"compactness": compactness}
    try:
        segment = load(options, num_threads)
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


def load_model(name: str, num_threads: int | None = None) -> SuperpixelModel:
    """Import a learned method and its weights.

    Parameters
    ----------
    name : str
        One of `LEARNED`, for the weights that superpix ships; or with a file, as ``ssn:FILE``.
    num_threads : int, optional
        PyTorch's choice unless told.

    Raises
    ------
    ValueError
        Where no such method has this name, or there are no such weights.
    MissingPackageError
        Where PyTorch, or what reads weights, is not installed.
    """
    method, _, weights = name.partition(":")
    if method not in LEARNED:
        raise ValueError(f"no learned method is called {name!r}; choose from {', '.join(LEARNED)}")
    try:
        import torch

        from superpix import models
    except ImportError as error:
        raise MissingPackageError(
            f"method {method} needs PyTorch and safetensors: pip install 'superpix[models]'"
        ) from error
    model: type[SuperpixelModel] = getattr(models, LEARNED[method])
    if num_threads is not None:
        torch.set_num_threads(num_threads)
    return model.from_pretrained(weights or "bsds500")


# Name -> (loader, package on PyPI).
CLASSICAL: dict[str, tuple[Load, str]] = {
    "superpix": (_superpix, "superpix"),
    "skimage": (_skimage, "scikit-image"),
    "fast-slic": (_fast_slic, "fast-slic"),
    "opencv": (_opencv, "opencv-contrib-python-headless"),
}
# Name -> class in superpix.models.
LEARNED = {"ssn": "SSN", "scn": "SCN", "pcnet": "PCNet"}
METHODS = (*CLASSICAL, *LEARNED)
