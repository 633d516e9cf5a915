"""Quality measures of a superpixel segmentation, on NumPy arrays.

The definitions are those of Stutz, Hermans and Leibe, "Superpixels: an evaluation of the
state-of-the-art" (2018), down to the conventions of their benchmark, so that numbers compare with
those in print; where another convention is in wide use, an option selects it.

Notation: S_j are the superpixels, G_i the segments of the ground truth, N is the number of pixels.

``labels`` is always an array [H, W] of any integer dtype with any non-negative values, gaps
allowed. Superpixels need not be connected, but those of published numbers are.
``ground_truth`` is one such array, or the annotations of several people: a list or tuple of arrays,
or one array [A, H, W]. The result is then the plain mean over the annotators. To average over a
data set whose images have different numbers of annotators, average over all (image, annotator)
pairs, as published curves do: weight each image by its number of annotators.

Label maps of another dtype (bool too) raise TypeError; those that are not 2-D, are empty, hold a
negative label or differ in shape, and a list without annotations, raise ValueError.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from superpix import _arguments

__all__ = [
    "achievable_segmentation_accuracy",
    "boundary_precision",
    "boundary_recall",
    "compactness",
    "contour_density",
    "explained_variation",
    "undersegmentation_error",
]

LabelMap: TypeAlias = "NDArray[np.integer[Any]]"
GroundTruth: TypeAlias = "LabelMap | Sequence[LabelMap]"
_Mask: TypeAlias = "NDArray[np.bool_]"
_Indices: TypeAlias = "NDArray[np.intp]"

# A table with an entry per possible value is faster than sorting the pixels while it has at most
# this many entries per pixel.
_TABLE_ENTRIES_PER_PIXEL = 4

# The benchmark keeps this constant in single precision, just below 0.0025. That decides the sizes
# whose tolerance would end in exactly one half (360 x 480 is one): they round down.
_STUTZ_TOLERANCE = float(np.float32(0.0025))


def achievable_segmentation_accuracy(labels: LabelMap, ground_truth: GroundTruth) -> float:
    """Accuracy of the best segmentation that whole superpixels can be put together to.

    ASA = 1/N sum_j max_i |S_j and G_i|   (Liu, Tuzel, Ramalingam, Chellappa 2011).
    In (0, 1], higher is better; 1 when no superpixel crosses the border of a segment.

    Parameters
    ----------
    labels : integer array [H, W]
    ground_truth : integer array [H, W], or several of them (mean over the annotators)

    Raises
    ------
    TypeError, ValueError
        For label maps that are not as the module's text asks.

    Examples
    --------
    >>> achievable_segmentation_accuracy(np.array([[0, 0, 1, 1]]), np.array([[5, 5, 5, 7]]))
    0.75
    """
    return _mean(_majority(overlaps) for overlaps in _overlaps(labels, ground_truth))


def undersegmentation_error(
    labels: LabelMap,
    ground_truth: GroundTruth,
    *,
    kind: Literal["bergh", "neubert-protzel", "levin"] = "bergh",
) -> float:
    """How far superpixels leak over the borders of the segments.

    Lower is better, 0 means no leak. The kinds:

    - "bergh" (van den Bergh et al. 2012, as corrected by Stutz et al.), in [0, 1), is 1 - ASA:
      1/N sum_j min_i (|S_j| - |S_j and G_i|)
    - "neubert-protzel" (Neubert, Protzel 2012), in [0, 1], over all i, j that overlap:
      1/N sum_i sum_j min(|S_j and G_i|, |S_j| - |S_j and G_i|)
    - "levin" (Levinshtein et al. 2009), in [0, inf), the inner sum over the S_j that overlap G_i:
      1/|G| sum_i (sum_j |S_j| - |G_i|) / |G_i|

    In the last one |G| is the largest ground truth label + 1, as in the benchmark: unused labels
    count, so annotations that start at 1 divide by one more than the number of their segments.
    Everywhere else label values are mere names.

    Parameters
    ----------
    labels : integer array [H, W]
    ground_truth : integer array [H, W], or several of them (mean over the annotators)
    kind : {"bergh", "neubert-protzel", "levin"}

    Raises
    ------
    TypeError, ValueError
        For label maps that are not as the module's text asks; ValueError for an unknown kind.

    Examples
    --------
    >>> labels, truth = np.array([[0, 0, 1, 1]]), np.array([[0, 0, 0, 1]])
    >>> undersegmentation_error(labels, truth)
    0.25
    >>> undersegmentation_error(labels, truth, kind="levin")
    0.6666666666666666
    """
    errors: dict[str, Callable[[_Overlaps], float]] = {
        "bergh": _leak_bergh,
        "neubert-protzel": _leak_neubert_protzel,
        "levin": _leak_levin,
    }
    _check_option("kind", kind, errors)
    return _mean(errors[kind](overlaps) for overlaps in _overlaps(labels, ground_truth))


def boundary_recall(
    labels: LabelMap,
    ground_truth: GroundTruth,
    *,
    tolerance: int | None = None,
    boundaries: Literal["stutz", "seal"] = "stutz",
) -> float:
    """Part of the ground truth's boundary pixels that have a superpixel boundary nearby.

    Rec = TP / (TP + FN), where TP counts the boundary pixels of the ground truth with a superpixel
    boundary pixel in the (2r+1) x (2r+1) window around them, and FN the others (Martin, Fowlkes,
    Malik 2004). In [0, 1], higher is better. The conventions for boundaries, which give rather
    different numbers:

    - "stutz": a pixel is on the boundary if any of its 4 neighbours has another label (so that
      boundaries are 2 pixels thick); r = round(0.0025 sqrt(H^2 + W^2)); 0 if the ground truth has
      no boundary.
    - "seal" (Tu et al. 2018, also used for SSN): only the right and the lower neighbour count
      (1 pixel thick); r = 1; 1 if the ground truth has no boundary.

    Parameters
    ----------
    labels : integer array [H, W]
    ground_truth : integer array [H, W], or several of them (mean over the annotators)
    tolerance : int, optional
        r, in pixels; by default that of the convention.
    boundaries : {"stutz", "seal"}

    Raises
    ------
    TypeError, ValueError
        For label maps that are not as the module's text asks; TypeError for a tolerance that is not
        an integer, ValueError for a negative one or for unknown boundaries.

    Examples
    --------
    >>> labels, truth = np.array([[0, 1, 1, 1, 1, 1]]), np.array([[0, 1, 1, 1, 2, 2]])
    >>> boundary_recall(labels, truth)
    0.5
    """
    labels, annotations = _check_label_maps(labels, ground_truth)
    thin, radius = _boundary_convention(boundaries, tolerance, labels.shape)
    near_superpixels = _dilate(_boundary_mask(labels, thin), radius)

    def recall(truth: _Mask) -> float:
        return _ratio(_count(truth & near_superpixels), _count(truth), 1.0 if thin else 0.0)

    return _mean(recall(_boundary_mask(truth, thin)) for truth in annotations)


def boundary_precision(
    labels: LabelMap,
    ground_truth: GroundTruth,
    *,
    tolerance: int | None = None,
    boundaries: Literal["stutz", "seal"] = "stutz",
) -> float:
    """Part of the superpixels' boundary that is near the ground truth's boundary.

    Pre = TP / (TP + FP), in [0, 1], higher is better; 0 if there is neither. The definition is the
    mixed one of Stutz et al., on which published numbers rest: TP, as in `boundary_recall`, counts
    pixels of the ground truth's boundary, while FP counts those superpixel boundary pixels that
    have no ground truth boundary in the (2r+1) x (2r+1) window around them. SEAL has no precision;
    "seal" is the same formula on its thin boundaries and with its r.

    Parameters and errors are those of `boundary_recall`.

    Examples
    --------
    >>> labels, truth = np.array([[0, 0, 1, 1, 2, 2]]), np.array([[0, 0, 1, 1, 1, 1]])
    >>> boundary_precision(labels, truth, tolerance=0)
    0.5
    """
    labels, annotations = _check_label_maps(labels, ground_truth)
    thin, radius = _boundary_convention(boundaries, tolerance, labels.shape)
    superpixels = _boundary_mask(labels, thin)
    near_superpixels = _dilate(superpixels, radius)

    def precision(truth: _Mask) -> float:
        hits = _count(truth & near_superpixels)
        false_alarms = _count(superpixels & ~_dilate(truth, radius))
        return _ratio(hits, hits + false_alarms, 0.0)

    return _mean(precision(_boundary_mask(truth, thin)) for truth in annotations)


def explained_variation(labels: LabelMap, image: NDArray[Any]) -> float:
    """Part of the image's variance that is left when every superpixel takes its mean colour.

    EV = sum_p |mean(S(p)) - mean|^2 / sum_p |x_p - mean|^2, over all pixels p and channels
    (Moore, Prince, Warrell, Mohammed, Jones 2008). In [0, 1], higher is better. An image of one
    colour, where the formula is 0/0, gives 1: nothing is left unexplained.

    Parameters
    ----------
    labels : integer array [H, W]
    image : real array [H, W] or [H, W, C]
        Taken as it is: no conversion of colours, no scaling. Published numbers are for 8-bit sRGB.

    Raises
    ------
    TypeError, ValueError
        For label maps that are not as the module's text asks; TypeError for an image that is not
        real, ValueError for one of another height or width, without channels, or not finite.

    Examples
    --------
    >>> explained_variation(np.array([[0, 0, 1, 1]]), np.array([[0, 2, 2, 4]], dtype=np.uint8))
    0.5
    """
    labels = _check_label_map("labels", labels)
    image = _check_image(image, labels.shape)
    index = _consecutive(labels)
    sizes = np.bincount(index)
    explained = total = 0.0
    for channel in np.moveaxis(image.reshape(*labels.shape, -1), -1, 0):
        values = channel.astype(np.float64).ravel()
        # Centring first keeps a large offset from eating the digits of the variance.
        values -= values.mean()
        sums = np.bincount(index, weights=values)
        explained += float(np.sum(sums * sums / sizes))
        total += float(np.sum(np.square(values)))  # not np.dot: waking BLAS threads costs more
    # Rounding may put the quotient an ulp above 1.
    return min(1.0, _ratio(explained, total, 1.0))


def compactness(labels: LabelMap) -> float:
    """How round the superpixels are: isoperimetric quotients, weighted by area.

    CO = sum_j |S_j|/N 4 pi |S_j| / L_j^2   (Schick, Fischer, Stiefelhagen 2012), where L_j counts
    the pixel edges between S_j and other labels or the outside of the image. In (0, pi/4], higher
    is more compact; pi/4 when all superpixels are squares, as edges only run along the axes.

    Parameters
    ----------
    labels : integer array [H, W]

    Raises
    ------
    TypeError, ValueError
        For label maps that are not as the module's text asks.

    Examples
    --------
    >>> round(compactness(np.array([[0, 0, 1, 1], [0, 0, 1, 1]])), 4)
    0.7854
    """
    labels = _check_label_map("labels", labels)
    right, below = _label_changes(labels)
    edges = np.zeros(labels.shape, np.uint8)
    edges[:, :-1] += right
    edges[:, 1:] += right
    edges[:-1] += below
    edges[1:] += below
    for outermost in (edges[0], edges[-1], edges[:, 0], edges[:, -1]):
        outermost += 1
    index = _consecutive(labels)
    areas = np.bincount(index)
    perimeters = np.bincount(index, weights=edges.ravel())
    return float(np.sum(4 * math.pi * (areas / perimeters) ** 2) / labels.size)


def contour_density(labels: LabelMap) -> float:
    """Part of all pixels that lie on a superpixel boundary.

    CD = |{p : a 4-neighbour of p has another label}| / N   (Machairas et al. 2015; both sides of a
    boundary count, the border of the image does not). In [0, 1], lower is smoother.

    Parameters
    ----------
    labels : integer array [H, W]

    Raises
    ------
    TypeError, ValueError
        For label maps that are not as the module's text asks.

    Examples
    --------
    >>> contour_density(np.array([[0, 0, 0, 1]]))
    0.5
    """
    labels = _check_label_map("labels", labels)
    return _count(_boundary_mask(labels, thin=False)) / labels.size


class _Overlaps(NamedTuple):
    """The non-empty cells of the intersection matrix, ordered by superpixel."""

    superpixel: _Indices  # consecutive from 0
    segment: _Indices  # consecutive from 0
    n_pixels: _Indices  # |S_j and G_i|
    largest_label: int  # of the ground truth


def _overlaps(labels: LabelMap, ground_truth: GroundTruth) -> Iterator[_Overlaps]:
    """Overlaps of the superpixels with the segments of one annotator after the other."""
    labels, annotations = _check_label_maps(labels, ground_truth)
    superpixels = _consecutive(labels)
    for truth in annotations:
        segments = _consecutive(truth)
        n_segments = int(segments.max()) + 1
        cells, n_pixels = _count_values(superpixels * n_segments + segments)
        yield _Overlaps(*np.divmod(cells, n_segments), n_pixels, int(truth.max()))


def _majority(overlaps: _Overlaps) -> float:
    first_cells = np.flatnonzero(np.diff(overlaps.superpixel, prepend=-1))
    largest = np.maximum.reduceat(overlaps.n_pixels, first_cells)
    return float(largest.sum() / overlaps.n_pixels.sum())


def _leak_bergh(overlaps: _Overlaps) -> float:
    return 1.0 - _majority(overlaps)


def _leak_neubert_protzel(overlaps: _Overlaps) -> float:
    inside = overlaps.n_pixels
    outside = _superpixel_sizes(overlaps)[overlaps.superpixel] - inside
    return float(np.minimum(inside, outside).sum() / inside.sum())


def _leak_levin(overlaps: _Overlaps) -> float:
    touching = _superpixel_sizes(overlaps)[overlaps.superpixel]
    covers = np.bincount(overlaps.segment, weights=touching)
    sizes = np.bincount(overlaps.segment, weights=overlaps.n_pixels)
    return float(np.sum((covers - sizes) / sizes)) / (overlaps.largest_label + 1)


def _superpixel_sizes(overlaps: _Overlaps) -> _Indices:
    return np.bincount(overlaps.superpixel, weights=overlaps.n_pixels).astype(np.intp)


def _count_values(values: _Indices) -> tuple[_Indices, _Indices]:
    """Return the distinct values in ascending order, and how often each occurs."""
    if int(values.max()) < _TABLE_ENTRIES_PER_PIXEL * values.size:
        table = np.bincount(values)
        distinct = np.flatnonzero(table)
        return distinct, table[distinct]
    return np.unique(values, return_counts=True)


def _consecutive(labels: LabelMap) -> _Indices:
    """Rename the labels to 0, 1, ... in ascending order, as a flat array."""
    largest = int(labels.max())
    if largest >= _TABLE_ENTRIES_PER_PIXEL * labels.size:
        return np.unique(labels.ravel(), return_inverse=True)[1]
    values = labels.ravel().astype(np.intp)
    used = np.zeros(largest + 1, np.bool_)
    used[values] = True
    return values if used.all() else (np.cumsum(used) - 1)[values]


def _label_changes(labels: LabelMap) -> tuple[_Mask, _Mask]:
    """Return [H, W-1]: differs from the right neighbour, and [H-1, W]: from the one below."""
    return labels[:, 1:] != labels[:, :-1], labels[1:] != labels[:-1]


def _boundary_mask(labels: LabelMap, thin: bool) -> _Mask:
    right, below = _label_changes(labels)
    boundary = np.zeros(labels.shape, np.bool_)
    boundary[:, :-1] = right
    boundary[:-1] |= below
    if not thin:
        boundary[:, 1:] |= right
        boundary[1:] |= below
    return boundary


def _dilate(mask: _Mask, radius: int) -> _Mask:
    """Dilate by a square of side 2 radius + 1, one axis after the other."""
    for axis in (0, 1):
        grown = mask.copy()
        source, target = np.moveaxis(mask, axis, 0), np.moveaxis(grown, axis, 0)
        for shift in range(1, min(radius, len(source) - 1) + 1):
            target[shift:] |= source[:-shift]
            target[:-shift] |= source[shift:]
        mask = grown
    return mask


def _boundary_convention(
    boundaries: str, tolerance: int | None, shape: tuple[int, ...]
) -> tuple[bool, int]:
    """Return whether boundaries are thin, and the radius."""
    _check_option("boundaries", boundaries, ("stutz", "seal"))
    thin = boundaries == "seal"
    if tolerance is None:
        return thin, 1 if thin else round(_STUTZ_TOLERANCE * math.hypot(*shape))
    try:
        radius = operator.index(tolerance)
    except TypeError:
        raise TypeError(f"tolerance must be an integer or None, got {tolerance!r}") from None
    if radius < 0:
        raise ValueError(f"tolerance must not be negative, got {radius}")
    return thin, radius


def _mean(values: Iterable[float]) -> float:
    results = list(values)
    return math.fsum(results) / len(results)


def _count(mask: _Mask) -> int:
    return int(np.count_nonzero(mask))


def _ratio(part: float, whole: float, if_undefined: float) -> float:
    return part / whole if whole else if_undefined


def _check_option(name: str, value: str, options: Collection[str]) -> None:
    if value not in options:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, options))}, got {value!r}")


def _check_label_map(name: str, labels: LabelMap, shape: tuple[int, ...] | None = None) -> LabelMap:
    _arguments.unmasked(labels, name)
    labels = np.asarray(labels)
    if not np.issubdtype(labels.dtype, np.integer):
        raise TypeError(f"{name} must have an integer dtype, got {labels.dtype}")
    if labels.ndim != 2:
        raise ValueError(f"{name} must be 2-D [H, W], got shape {labels.shape}")
    if labels.size == 0:
        raise ValueError(f"{name} must not be empty, got shape {labels.shape}")
    if shape is not None and labels.shape != shape:
        raise ValueError(f"{name} must have the shape of labels, {shape}, got {labels.shape}")
    if labels.min() < 0:
        raise ValueError(f"{name} must not be negative, got {labels.min()}")
    return labels


def _check_label_maps(
    labels: LabelMap, ground_truth: GroundTruth
) -> tuple[LabelMap, list[LabelMap]]:
    labels = _check_label_map("labels", labels)
    several = isinstance(ground_truth, (list, tuple)) or np.ndim(ground_truth) == 3
    annotations = (
        {f"ground_truth[{i}]": annotation for i, annotation in enumerate(ground_truth)}
        if several
        else {"ground_truth": np.asanyarray(ground_truth)}
    )
    if not annotations:
        raise ValueError("ground_truth must hold at least one annotation, got none")
    return labels, [
        _check_label_map(name, annotation, labels.shape) for name, annotation in annotations.items()
    ]


def _check_image(image: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    _arguments.unmasked(image, "image")
    image = np.asarray(image)
    if image.dtype.kind not in "buif":
        raise TypeError(f"image must have a real dtype, got {image.dtype}")
    if image.ndim not in (2, 3) or image.shape[:2] != shape or image.size == 0:
        raise ValueError(
            f"image must be [H, W] or [H, W, C] with the [H, W] of labels, {shape}, "
            f"got shape {image.shape}"
        )
    if image.dtype.kind == "f" and not np.isfinite(image).all():
        raise ValueError("image must be finite, got NaN or infinity")
    return image
