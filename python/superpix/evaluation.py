"""Superpixel methods measured on annotated images. Returns rows; prints and writes nothing.

Averages follow the convention of published curves: over all (image, annotator) pairs, so that an
image counts as often as it has annotators. Only the time is the median over the images, which a
hiccup of the machine does not move.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from superpix.data.sample import Sample
    from superpix.peers import Method

SCORES = ("asa", "br", "bp", "ue", "ev", "co")


@dataclass(frozen=True, slots=True)
class ImageRow:
    """One method on one image.

    Attributes
    ----------
    method, image : str
        Name of the method, id of the image.
    requested, superpixels : int
        The count asked for, and the count of labels that came.
    annotators : int
        How many ground truths the scores are means over.
    asa, br, bp, ue, ev, co : float
        Achievable segmentation accuracy, boundary recall and precision, undersegmentation error
        (van den Bergh), explained variation, compactness.
    milliseconds : float
        Of the method alone.
    """

    method: str
    image: str
    requested: int
    superpixels: int
    annotators: int
    asa: float
    br: float
    bp: float
    ue: float
    ev: float
    co: float
    milliseconds: float


@dataclass(frozen=True, slots=True)
class MeanRow:
    """One method at one requested count, over all images; fields as in `ImageRow`.

    `images` and `pairs` say over how many images and (image, annotator) pairs; `milliseconds` is
    the median.
    """

    method: str
    requested: int
    images: int
    pairs: int
    superpixels: float
    asa: float
    br: float
    bp: float
    ue: float
    ev: float
    co: float
    milliseconds: float


@dataclass(frozen=True, slots=True)
class MatchRow:
    """A peer's mean scores, and the reference method's at the same mean actual count.

    The reference's scores are NaN where none of its counts lies on the other side.
    """

    method: str
    requested: int
    superpixels: float
    asa: float
    br: float
    reference: str
    reference_asa: float
    reference_br: float

    @property
    def asa_gain(self) -> float:
        """Accuracy of the reference less that of the peer."""
        return self.reference_asa - self.asa

    @property
    def br_gain(self) -> float:
        """Boundary recall of the reference less that of the peer."""
        return self.reference_br - self.br


def evaluate(
    samples: Iterable[Sample],
    methods: Sequence[Method],
    counts: Sequence[int],
    on_row: Callable[[ImageRow], None] | None = None,
) -> list[ImageRow]:
    """Run every method on every image at every count.

    Parameters
    ----------
    samples : iterable of Sample
        Images with their annotations.
    methods : sequence of Method
        From `superpix.peers.load_method`.
    counts : sequence of int
        The numbers of superpixels to ask for.
    on_row : callable, optional
        Called with each row as it comes: for a progress bar.

    Returns
    -------
    rows : list of ImageRow
        By image, then method, then count.
    """
    rows = []
    for number, sample in enumerate(samples):
        for method in methods:
            if number == 0:
                method.segment(sample.image, counts[0])  # pays for thread pools and first touches
            for count in counts:
                row = _measure(sample, method, count)
                rows.append(row)
                if on_row is not None:
                    on_row(row)
    return rows


def summarize(rows: Iterable[ImageRow]) -> list[MeanRow]:
    """Average over the images.

    Parameters
    ----------
    rows : iterable of ImageRow
        From `evaluate`.

    Returns
    -------
    means : list of MeanRow
        One for each method and requested count: methods in order of appearance, counts ascending.
    """
    groups: dict[str, dict[int, list[ImageRow]]] = {}
    for row in rows:
        groups.setdefault(row.method, {}).setdefault(row.requested, []).append(row)
    return [_mean(group) for by_count in groups.values() for _, group in sorted(by_count.items())]


def match_counts(means: Sequence[MeanRow], reference: str = "superpix") -> list[MatchRow]:
    """Compare every other method with the reference at equal actual counts.

    Methods miss the requested count by different amounts, and every score depends on the count.
    So the reference's scores are interpolated linearly, over its own mean actual counts, at the
    peer's mean actual count.

    Parameters
    ----------
    means : sequence of MeanRow
        From `summarize`; of the reference at the counts of `bracketing_counts` too.
    reference : str
        The method that the others are compared with.

    Returns
    -------
    matches : list of MatchRow
        One for each row of `means` that is not the reference's.
    """
    curve = sorted(
        (row for row in means if row.method == reference), key=lambda row: row.superpixels
    )
    return [_match(row, curve, reference) for row in means if row.method != reference]


def bracketing_counts(counts: Iterable[int], actual: Iterable[float]) -> list[int]:
    """Return more counts for the reference, so that its curve has points close on both sides.

    Parameters
    ----------
    counts : iterable of int
        The counts it has been run at: 0.8 and 1.25 times each of them is added.
    actual : iterable of float
        The mean actual counts of the peers: where one lies outside of all that, 0.8 or 1.25 times
        it is added too.

    Returns
    -------
    extra : list of int
        Ascending, none of `counts` among them.
    """
    known = set(counts)
    wanted = {max(1, round(factor * count)) for count in known for factor in (0.8, 1.25)} | known
    peers = list(actual)
    if peers:
        low, high = min(peers), max(peers)
        # Some slack, because the reference misses the requested count a little itself.
        if low < 1.1 * min(wanted):
            wanted.add(max(1, math.floor(0.8 * low)))
        if high > 0.9 * max(wanted):
            wanted.add(math.ceil(1.25 * high))
    return sorted(wanted - known)


def _measure(sample: Sample, method: Method, count: int) -> ImageRow:
    from superpix import metrics

    start = time.perf_counter()
    labels = method.segment(sample.image, count)
    milliseconds = (time.perf_counter() - start) * 1e3
    truth = sample.annotations
    return ImageRow(
        method=method.name,
        image=sample.id,
        requested=count,
        superpixels=_count(labels),
        annotators=len(truth),
        asa=metrics.achievable_segmentation_accuracy(labels, truth),
        br=metrics.boundary_recall(labels, truth),
        bp=metrics.boundary_precision(labels, truth),
        ue=metrics.undersegmentation_error(labels, truth),
        ev=metrics.explained_variation(labels, sample.image),
        co=metrics.compactness(labels),
        milliseconds=milliseconds,
    )


def _count(labels: NDArray[np.int32]) -> int:
    return int(np.count_nonzero(np.bincount(labels.ravel())))


def _mean(rows: Sequence[ImageRow]) -> MeanRow:
    weights = [row.annotators for row in rows]
    means = {
        name: float(np.average([getattr(row, name) for row in rows], weights=weights))
        for name in ("superpixels", *SCORES)
    }
    return MeanRow(
        method=rows[0].method,
        requested=rows[0].requested,
        images=len(rows),
        pairs=sum(weights),
        milliseconds=float(np.median([row.milliseconds for row in rows])),
        **means,
    )


def _match(row: MeanRow, curve: Sequence[MeanRow], reference: str) -> MatchRow:
    counts = [point.superpixels for point in curve]

    def at_equal_count(name: str) -> float:
        values = [getattr(point, name) for point in curve]
        if not values:
            return math.nan
        return float(np.interp(row.superpixels, counts, values, left=math.nan, right=math.nan))

    return MatchRow(
        method=row.method,
        requested=row.requested,
        superpixels=row.superpixels,
        asa=row.asa,
        br=row.br,
        reference=reference,
        reference_asa=at_equal_count("asa"),
        reference_br=at_equal_count("br"),
    )
