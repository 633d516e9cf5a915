"""The metrics against slow references written from the formulas, hand-made tables, invariants."""

from __future__ import annotations

import doctest
import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from superpix import metrics

KINDS = ("bergh", "neubert-protzel", "levin")
CONVENTIONS = ("stutz", "seal")
DTYPES = (np.uint8, np.int16, np.int32, np.uint32, np.int64, np.uint64)

fast = settings(max_examples=60)


# --- strategies -----------------------------------------------------------------------------------


def _rearranged(array: np.ndarray, layout: str) -> np.ndarray:
    """Lay the same values out differently in memory."""
    if layout == "fortran":
        return np.asfortranarray(array)
    if layout == "strided":
        wide = np.zeros((2 * array.shape[0], 3 * array.shape[1]), array.dtype)
        wide[::2, ::3] = array
        return wide[::2, ::3]
    if layout == "reversed":
        return array[::-1, ::-1].copy()[::-1, ::-1]
    return array


@st.composite
def label_maps(draw: st.DrawFn, shape: tuple[int, int]) -> np.ndarray:
    """Few labels, spread over the dtype's range, in any memory layout."""
    dtype = draw(st.sampled_from(DTYPES))
    names = draw(
        st.one_of(
            st.lists(st.integers(0, 6), min_size=1, max_size=6),
            st.lists(st.integers(0, np.iinfo(dtype).max), min_size=1, max_size=6),
        )
    )
    picks = draw(arrays(np.intp, shape, elements=st.integers(0, len(names) - 1)))
    layout = draw(st.sampled_from(("plain", "fortran", "strided", "reversed")))
    return _rearranged(np.array(names, dtype)[picks], layout)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    shape = draw(st.tuples(st.integers(1, 8), st.integers(1, 8)))
    return draw(label_maps(shape)), draw(label_maps(shape))


# --- slow references ------------------------------------------------------------------------------


def _pixels(array: np.ndarray) -> list[tuple[int, int]]:
    return list(itertools.product(range(array.shape[0]), range(array.shape[1])))


def _regions(labels: np.ndarray) -> dict[int, set[tuple[int, int]]]:
    regions: dict[int, set[tuple[int, int]]] = {}
    for pixel in _pixels(labels):
        regions.setdefault(int(labels[pixel]), set()).add(pixel)
    return regions


def _asa(labels: np.ndarray, truth: np.ndarray) -> float:
    segments = _regions(truth).values()
    best = [max(len(s & g) for g in segments) for s in _regions(labels).values()]
    return sum(best) / labels.size


def _error(labels: np.ndarray, truth: np.ndarray, kind: str) -> float:
    superpixels, segments = _regions(labels).values(), _regions(truth).values()
    if kind == "bergh":
        return sum(min(len(s - g) for g in segments) for s in superpixels) / labels.size
    if kind == "neubert-protzel":
        return (
            sum(min(len(s & g), len(s - g)) for g in segments for s in superpixels if s & g)
            / labels.size
        )
    leaks = [(sum(len(s) for s in superpixels if s & g) - len(g)) / len(g) for g in segments]
    return sum(leaks) / (int(truth.max()) + 1)


def _boundary(labels: np.ndarray, convention: str) -> set[tuple[int, int]]:
    neighbours = [(0, 1), (1, 0)] + ([(0, -1), (-1, 0)] if convention == "stutz" else [])
    height, width = labels.shape
    return {
        (y, x)
        for y, x in _pixels(labels)
        for dy, dx in neighbours
        if 0 <= y + dy < height and 0 <= x + dx < width and labels[y, x] != labels[y + dy, x + dx]
    }


def _near(pixel: tuple[int, int], boundary: set[tuple[int, int]], radius: int) -> bool:
    return any(abs(pixel[0] - y) <= radius and abs(pixel[1] - x) <= radius for y, x in boundary)


def _recall(labels: np.ndarray, truth: np.ndarray, radius: int, convention: str) -> float:
    superpixels, segments = _boundary(labels, convention), _boundary(truth, convention)
    if not segments:
        return {"stutz": 0.0, "seal": 1.0}[convention]
    return sum(_near(p, superpixels, radius) for p in segments) / len(segments)


def _precision(labels: np.ndarray, truth: np.ndarray, radius: int, convention: str) -> float:
    superpixels, segments = _boundary(labels, convention), _boundary(truth, convention)
    true_positives = sum(_near(p, superpixels, radius) for p in segments)
    false_positives = sum(not _near(p, segments, radius) for p in superpixels)
    found = true_positives + false_positives
    return true_positives / found if found else 0.0


def _explained(labels: np.ndarray, image: np.ndarray) -> float:
    colours = image.reshape(*labels.shape, -1).astype(np.float64)
    mean = sum(colours[p] for p in _pixels(labels)) / labels.size
    means = {
        label: sum(colours[p] for p in region) / len(region)
        for label, region in _regions(labels).items()
    }
    explained = sum(sum((means[int(labels[p])] - mean) ** 2) for p in _pixels(labels))
    return explained / sum(sum((colours[p] - mean) ** 2) for p in _pixels(labels))


def _compactness(labels: np.ndarray) -> float:
    total = 0.0
    for region in _regions(labels).values():
        length = sum(
            (y + dy, x + dx) not in region
            for y, x in region
            for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0))
        )
        total += len(region) * 4 * math.pi * len(region) / length**2
    return total / labels.size


# --- against the references -----------------------------------------------------------------------


@fast
@given(pairs())
def test_overlap_metrics_match_the_reference(pair):
    labels, truth = pair
    assert metrics.achievable_segmentation_accuracy(labels, truth) == pytest.approx(
        _asa(labels, truth), abs=1e-12
    )
    for kind in KINDS:
        assert metrics.undersegmentation_error(labels, truth, kind=kind) == pytest.approx(
            _error(labels, truth, kind), abs=1e-12
        )


@fast
@given(pairs(), st.integers(0, 4), st.sampled_from(CONVENTIONS))
def test_boundary_metrics_match_the_reference(pair, radius, convention):
    labels, truth = pair
    options = {"tolerance": radius, "boundaries": convention}
    assert metrics.boundary_recall(labels, truth, **options) == pytest.approx(
        _recall(labels, truth, radius, convention), abs=1e-12
    )
    assert metrics.boundary_precision(labels, truth, **options) == pytest.approx(
        _precision(labels, truth, radius, convention), abs=1e-12
    )


@fast
@given(pairs())
def test_shape_metrics_match_the_reference(pair):
    labels, _ = pair
    assert metrics.compactness(labels) == pytest.approx(_compactness(labels), abs=1e-12)
    assert metrics.contour_density(labels) == len(_boundary(labels, "stutz")) / labels.size


@fast
@given(pairs(), st.data())
def test_explained_variation_matches_the_reference(pair, data):
    labels, _ = pair
    trailing = data.draw(st.sampled_from([(), (1,), (3,), (4,)]))
    dtype = data.draw(st.sampled_from([np.uint8, np.int16, np.float32, np.float64]))
    image = data.draw(arrays(np.uint8, labels.shape + trailing)).astype(dtype)
    # Reference and formula are 0/0 on one colour; that case has its own test.
    image[0, 0] = 0
    image[-1, -1] = 9 if labels.size > 1 else 0
    actual = metrics.explained_variation(labels, image)
    assert actual == pytest.approx(_explained(labels, image) if labels.size > 1 else 1.0, abs=1e-9)
    assert 0.0 <= actual <= 1.0


def test_larger_maps_match_the_reference():
    rng = np.random.default_rng(7)
    labels = np.kron(rng.integers(0, 40, (6, 8)), np.ones((5, 4), int))
    labels[rng.random(labels.shape) < 0.05] = 77
    truth = np.kron(rng.integers(0, 5, (3, 2)), np.ones((10, 16), int))
    image = rng.normal(1e4, 5, (30, 32, 3))
    assert metrics.achievable_segmentation_accuracy(labels, truth) == _asa(labels, truth)
    for kind in KINDS:
        assert metrics.undersegmentation_error(labels, truth, kind=kind) == pytest.approx(
            _error(labels, truth, kind)
        )
    for convention, radius in itertools.product(CONVENTIONS, (0, 1, 2)):
        options = {"tolerance": radius, "boundaries": convention}
        assert metrics.boundary_recall(labels, truth, **options) == _recall(
            labels, truth, radius, convention
        )
        assert metrics.boundary_precision(labels, truth, **options) == _precision(
            labels, truth, radius, convention
        )
    assert metrics.explained_variation(labels, image) == pytest.approx(_explained(labels, image))
    assert metrics.compactness(labels) == pytest.approx(_compactness(labels))


def test_many_superpixels_and_many_segments_match_the_reference():
    # 64 x 64 possible overlaps on 256 pixels: far more cells than pixels, most of them empty.
    labels = np.kron(np.arange(64).reshape(8, 8), np.ones((2, 2), int))
    truth = np.roll(labels, (1, 1), (0, 1))
    truth[:8] = labels[:8]
    assert metrics.achievable_segmentation_accuracy(labels, truth) == _asa(labels, truth)
    for kind in KINDS:
        assert metrics.undersegmentation_error(labels, truth, kind=kind) == pytest.approx(
            _error(labels, truth, kind)
        )


# --- tables worked out by hand --------------------------------------------------------------------

# Two superpixels of 4 pixels; segments of 5 and 3: overlaps |S_0 G_3|=4, |S_1 G_3|=1, |S_1 G_5|=3.
HALVES = np.array([[0, 0, 1, 1], [0, 0, 1, 1]])
SEGMENTS = np.array([[3, 3, 3, 5], [3, 3, 5, 5]])


def test_golden_overlaps():
    assert metrics.achievable_segmentation_accuracy(HALVES, SEGMENTS) == 7 / 8
    assert metrics.undersegmentation_error(HALVES, SEGMENTS) == 1 / 8
    # min(4, 0) + min(1, 3) + min(3, 1)
    assert metrics.undersegmentation_error(HALVES, SEGMENTS, kind="neubert-protzel") == 2 / 8
    # G_3 is touched by 8 pixels of superpixels, G_5 by 4; six indices 0..5 exist.
    assert metrics.undersegmentation_error(HALVES, SEGMENTS, kind="levin") == pytest.approx(
        ((8 - 5) / 5 + (4 - 3) / 3) / 6
    )


def test_golden_boundaries():
    # stutz: superpixels columns 1 and 2, segments (0, 2) (0, 3) (1, 1) (1, 2).
    labels, truth = HALVES, SEGMENTS
    assert metrics.contour_density(labels) == 4 / 8
    assert metrics.boundary_recall(labels, truth, tolerance=0) == 3 / 4
    assert metrics.boundary_recall(labels, truth, tolerance=1) == 1
    # Three pixels in common; the superpixel boundary pixel (0, 1) is the only one off.
    assert metrics.boundary_precision(labels, truth, tolerance=0) == 3 / 4
    # seal: superpixels (0, 1) (1, 1), segments (0, 2) (1, 1).
    seal = {"boundaries": "seal"}
    assert metrics.boundary_recall(labels, truth, tolerance=0, **seal) == 1 / 2
    assert metrics.boundary_precision(labels, truth, tolerance=0, **seal) == 1 / 2
    assert metrics.boundary_recall(labels, truth, **seal) == 1


def test_golden_precision_is_the_mixed_one():
    # Segment boundary: pixels 0 to 6. Superpixel boundary: pixels 8 and 9.
    truth = np.array([[0, 1, 0, 1, 0, 1, 2, 2, 2, 2]])
    labels = np.array([[0, 0, 0, 0, 0, 0, 0, 0, 0, 1]])
    # r = 2: 6 is a true positive, 9 a false one, 8 (near a segment boundary) neither.
    assert metrics.boundary_precision(labels, truth, tolerance=2) == 1 / 2
    assert metrics.boundary_precision(labels, truth, tolerance=3) == 1
    assert metrics.boundary_precision(labels, truth, tolerance=1) == 0


def test_golden_shape():
    # Two 2x2 squares; a 1x4 strip (perimeter 10); a whole map counts the border of the image.
    assert metrics.compactness(HALVES) == pytest.approx(math.pi / 4)
    assert metrics.compactness(np.zeros((1, 4), int)) == pytest.approx(4 * math.pi * 4 / 100)
    assert metrics.compactness(np.array([[7]])) == pytest.approx(math.pi / 4)
    # An L of 3 pixels (perimeter 8) and a single one (perimeter 4).
    assert metrics.compactness(np.array([[0, 0], [0, 1]])) == pytest.approx(
        3 / 4 * 4 * math.pi * 3 / 64 + 1 / 4 * 4 * math.pi / 16
    )


def test_golden_explained_variation():
    # Means 1 and 3 around 2, values 0, 2, 2, 4: (4 * 1) / (4 + 0 + 0 + 4).
    labels, image = np.array([[0, 0, 9, 9]]), np.array([[0, 2, 2, 4]], np.uint8)
    assert metrics.explained_variation(labels, image) == 0.5
    # A second channel that the superpixels explain fully: (4 + 4) / (8 + 4).
    both = np.stack([image, np.array([[0, 0, 2, 2]], np.uint8)], axis=-1)
    assert metrics.explained_variation(labels, both) == pytest.approx(8 / 12)


@pytest.mark.parametrize(
    ("shape", "radius"),
    [
        *[((321, 481), 1), ((100, 100), 0), ((366, 488), 2), ((480, 640), 2), ((720, 1280), 4)],
        # Diagonals of 200, 600, 1000: one half exactly, but for the benchmark's single precision.
        *[((120, 160), 0), ((360, 480), 1), ((600, 800), 2)],
    ],
)
def test_default_tolerance_of_stutz(shape, radius):
    truth = np.zeros(shape, np.uint8)
    truth[:, 40:] = 1
    # Boundary pixels of the truth are in columns 39 and 40, those of the superpixels `gap` on.
    for gap in range(1, 8):
        labels = np.zeros(shape, np.uint8)
        labels[:, 40 + gap :] = 1
        expected = 1.0 if gap <= radius else 0.5 if gap == radius + 1 else 0.0
        assert metrics.boundary_recall(labels, truth) == expected
        assert metrics.boundary_recall(labels, truth, tolerance=radius) == expected


def test_default_tolerance_of_seal_is_one():
    truth = np.repeat([[0, 1]], 40, axis=1)
    for gap, expected in [(0, 1.0), (1, 1.0), (2, 0.0)]:
        labels = np.zeros_like(truth)
        labels[:, 40 + gap :] = 1
        assert metrics.boundary_recall(labels, truth, boundaries="seal") == expected
        assert metrics.boundary_precision(labels, truth, boundaries="seal") == expected


def test_no_boundary_at_all():
    one, two = np.zeros((3, 4), int), np.repeat([[0, 1]], 3, axis=0).repeat(2, axis=1)
    assert metrics.boundary_recall(two, one) == 0
    assert metrics.boundary_recall(two, one, boundaries="seal") == 1
    for convention in CONVENTIONS:
        assert metrics.boundary_recall(one, two, boundaries=convention) == 0
        assert metrics.boundary_precision(one, one, boundaries=convention) == 0
    assert metrics.contour_density(one) == 0


# --- invariants -----------------------------------------------------------------------------------


@fast
@given(pairs())
def test_invariants(pair):
    labels, truth = pair
    asa = metrics.achievable_segmentation_accuracy(labels, truth)
    assert metrics.undersegmentation_error(labels, truth) == pytest.approx(1 - asa, abs=1e-12)
    assert 0 < asa <= 1
    assert 0 <= metrics.undersegmentation_error(labels, truth, kind="neubert-protzel") <= 1
    assert 0 < metrics.compactness(labels) <= math.pi / 4 + 1e-12

    assert metrics.achievable_segmentation_accuracy(labels, labels) == 1
    for kind in KINDS:
        assert metrics.undersegmentation_error(labels, labels, kind=kind) == 0
    if len(np.unique(labels)) > 1:
        for convention in CONVENTIONS:
            assert metrics.boundary_recall(labels, labels, boundaries=convention) == 1
            assert metrics.boundary_precision(labels, labels, boundaries=convention) == 1


@fast
@given(pairs(), st.randoms(use_true_random=False))
def test_label_values_are_mere_names(pair, random):
    labels, truth = pair
    image = np.random.default_rng(0).integers(0, 256, (*labels.shape, 3), np.uint8)

    def renamed(array: np.ndarray, largest: int) -> np.ndarray:
        values, index = np.unique(array, return_inverse=True)
        names = [largest, *random.sample(range(largest), len(values) - 1)]
        random.shuffle(names)
        return np.array(names, np.int64)[index.reshape(array.shape)]

    # Levin's error does depend on the largest label of the truth: keep the size of its index.
    for new_labels, new_truth in [
        (renamed(labels, 2**62), renamed(truth, 2**40)),
        (renamed(labels, 10), renamed(truth, 10)),
    ]:
        assert _all_metrics(new_labels, new_truth, image) == pytest.approx(
            _all_metrics(labels, truth, image), abs=1e-12
        )
        assert metrics.undersegmentation_error(new_labels, truth, kind="levin") == pytest.approx(
            metrics.undersegmentation_error(labels, truth, kind="levin")
        )


def _all_metrics(labels: np.ndarray, truth: np.ndarray, image: np.ndarray) -> list[float]:
    return [
        metrics.achievable_segmentation_accuracy(labels, truth),
        metrics.undersegmentation_error(labels, truth),
        metrics.undersegmentation_error(labels, truth, kind="neubert-protzel"),
        metrics.boundary_recall(labels, truth, tolerance=1),
        metrics.boundary_precision(labels, truth, tolerance=1),
        metrics.explained_variation(labels, image),
        metrics.compactness(labels),
        metrics.contour_density(labels),
    ]


def test_levin_counts_unused_indices():
    from_zero = metrics.undersegmentation_error(HALVES, SEGMENTS // 5, kind="levin")
    from_one = metrics.undersegmentation_error(HALVES, SEGMENTS // 5 + 1, kind="levin")
    assert from_zero > 0
    assert from_one == pytest.approx(from_zero * 2 / 3)


def test_a_superpixel_per_pixel():
    labels = np.arange(63).reshape(7, 9)
    truth = labels[::-1, ::-1]
    image = np.random.default_rng(1).normal(size=(7, 9, 3))
    assert metrics.explained_variation(labels, image) == pytest.approx(1, abs=1e-12)
    assert metrics.achievable_segmentation_accuracy(labels, truth) == 1
    assert metrics.undersegmentation_error(labels, truth, kind="levin") == 0
    assert metrics.contour_density(labels) == 1
    assert metrics.compactness(labels) == pytest.approx(math.pi / 4)


def test_explained_variation_never_exceeds_one():
    rng = np.random.default_rng(6)
    for _ in range(50):
        labels, image = rng.permutation(63).reshape(7, 9), rng.normal(size=(7, 9, 3))
        assert metrics.explained_variation(labels, image) <= 1


def test_one_superpixel_explains_nothing():
    image = np.random.default_rng(2).normal(size=(5, 4, 3))
    assert metrics.explained_variation(np.zeros((5, 4), int), image) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("colour", [0, 7, 0.1, -1e5])
def test_an_image_of_one_colour_is_explained(colour):
    image = np.full((4, 6, 3), colour)
    assert metrics.explained_variation(np.arange(24).reshape(4, 6), image) == pytest.approx(1)
    assert metrics.explained_variation(np.zeros((4, 6), int), image) == pytest.approx(1)


def test_explained_variation_keeps_its_digits_under_an_offset():
    labels = np.repeat(np.arange(4), 16).reshape(8, 8)
    image = np.random.default_rng(3).integers(0, 256, (8, 8)).astype(np.float64)
    assert metrics.explained_variation(labels, image + 2.0**40) == pytest.approx(
        metrics.explained_variation(labels, image), rel=1e-12
    )


def test_the_order_of_channels_and_axes_does_not_matter():
    rng = np.random.default_rng(4)
    labels, image = rng.integers(0, 5, (6, 7)), rng.integers(0, 256, (6, 7, 3), np.uint8)
    expected = metrics.explained_variation(labels, image)
    assert metrics.explained_variation(labels, image[..., ::-1]) == pytest.approx(expected)
    transposed = metrics.explained_variation(labels.T, image.transpose(1, 0, 2))
    assert transposed == pytest.approx(expected)


# --- several annotators ---------------------------------------------------------------------------

WITH_TRUTH = [
    pytest.param(metrics.achievable_segmentation_accuracy, {}, id="asa"),
    *(pytest.param(metrics.undersegmentation_error, {"kind": kind}, id=kind) for kind in KINDS),
    *(
        pytest.param(
            function, {"tolerance": 1, "boundaries": convention}, id=f"{name}-{convention}"
        )
        for name, function in [
            ("recall", metrics.boundary_recall),
            ("precision", metrics.boundary_precision),
        ]
        for convention in CONVENTIONS
    ),
]


@pytest.mark.parametrize(("function", "options"), WITH_TRUTH)
def test_several_annotators_are_averaged(function, options):
    rng = np.random.default_rng(5)
    labels = np.kron(rng.integers(0, 9, (3, 4)), np.ones((4, 5), int))
    truths = [np.kron(rng.integers(0, n, (4, 5)), np.ones((3, 4), int)) for n in (2, 3, 7)]
    single = [function(labels, truth, **options) for truth in truths]
    assert len(set(single)) == 3
    expected = pytest.approx(sum(single) / 3)
    assert function(labels, truths, **options) == expected
    assert function(labels, tuple(truths), **options) == expected
    assert function(labels, np.stack(truths), **options) == expected
    assert function(labels, [truths[0].astype(np.uint8), *truths[1:]], **options) == expected
    assert function(labels, truths[:1], **options) == single[0]
    assert type(function(labels, truths, **options)) is float


@pytest.mark.parametrize(("function", "options"), WITH_TRUTH)
def test_arguments_are_left_alone(function, options):
    labels, truth = HALVES.copy(), SEGMENTS.copy()
    labels.flags.writeable = truth.flags.writeable = False
    function(labels, [truth, truth], **options)
    metrics.compactness(labels)
    metrics.explained_variation(labels, truth)
    metrics.contour_density(labels)
    np.testing.assert_array_equal(labels, HALVES)


# --- errors ---------------------------------------------------------------------------------------

MAP = np.zeros((2, 3), np.int32)

BAD_MAPS = [
    pytest.param(MAP.astype(float), TypeError, "an integer dtype, got float64", id="float"),
    pytest.param(MAP.astype(bool), TypeError, "an integer dtype, got bool", id="bool"),
    pytest.param(np.ma.zeros((2, 3), int), TypeError, "not be a masked array", id="masked"),
    pytest.param(np.zeros(3, int), ValueError, r"2-D \[H, W\], got shape \(3,\)", id="1-D"),
    pytest.param(MAP[:0], ValueError, r"not be empty, got shape \(0, 3\)", id="empty"),
    pytest.param(MAP - 1, ValueError, "not be negative, got -1", id="negative"),
]


@pytest.mark.parametrize(("bad", "error", "message"), BAD_MAPS)
def test_bad_labels(bad, error, message):
    message = f"labels must .*{message}"
    for with_truth in WITH_TRUTH:
        function, options = with_truth.values
        with pytest.raises(error, match=message):
            function(bad, MAP, **options)
    for function in (metrics.compactness, metrics.contour_density):
        with pytest.raises(error, match=message):
            function(bad)
    with pytest.raises(error, match=message):
        metrics.explained_variation(bad, MAP)


@pytest.mark.parametrize(("bad", "error", "message"), BAD_MAPS)
@pytest.mark.parametrize(("function", "options"), WITH_TRUTH)
def test_bad_ground_truth(function, options, bad, error, message):
    with pytest.raises(error, match=f"ground_truth must .*{message}"):
        function(MAP, bad, **options)
    with pytest.raises(error, match=rf"ground_truth\[1\] must .*{message}"):
        function(MAP, [MAP, bad], **options)


@pytest.mark.parametrize(("function", "options"), WITH_TRUTH)
def test_ground_truth_that_does_not_fit(function, options):
    with pytest.raises(ValueError, match=r"labels must be 2-D \[H, W\], got shape \(1, 2, 3\)"):
        function(MAP[None], MAP, **options)
    with pytest.raises(ValueError, match=r"ground_truth must .* \(2, 3\), got \(3, 2\)"):
        function(MAP, MAP.T, **options)
    with pytest.raises(ValueError, match=r"ground_truth\[1\] must .* \(2, 3\), got \(2, 2\)"):
        function(MAP, [MAP, MAP[:, :2]], **options)
    for nobody in ([], (), np.zeros((0, 2, 3), int)):
        with pytest.raises(ValueError, match="ground_truth must hold at least one annotation"):
            function(MAP, nobody, **options)


def test_bad_options():
    with pytest.raises(ValueError, match=r"kind must be one of 'bergh', .*, got 'np'"):
        metrics.undersegmentation_error(MAP, MAP, kind="np")
    for function in (metrics.boundary_recall, metrics.boundary_precision):
        with pytest.raises(ValueError, match=r"boundaries must be one of .*, got 'thick'"):
            function(MAP, MAP, boundaries="thick")
        with pytest.raises(ValueError, match="tolerance must not be negative, got -1"):
            function(MAP, MAP, tolerance=-1)
        with pytest.raises(TypeError, match=r"tolerance must be an integer or None, got 1\.0"):
            function(MAP, MAP, tolerance=1.0)
        assert function(MAP, MAP, tolerance=np.int64(2)) == 0


@pytest.mark.parametrize("shape", [(3, 2), (2,), (2, 3, 0), (2, 3, 1, 1), (6,)])
def test_image_of_a_wrong_shape(shape):
    with pytest.raises(ValueError, match=r"image must be \[H, W\] or \[H, W, C\].*\(2, 3\), got"):
        metrics.explained_variation(MAP, np.zeros(shape))


@pytest.mark.parametrize("dtype", [complex, object, "U1"])
def test_image_of_a_wrong_dtype(dtype):
    with pytest.raises(TypeError, match="image must have a real dtype, got"):
        metrics.explained_variation(MAP, np.zeros((2, 3), dtype))


def test_image_with_a_mask():
    with pytest.raises(TypeError, match="image must not be a masked array"):
        metrics.explained_variation(MAP, np.ma.zeros((2, 3)))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_image_that_is_not_finite(value):
    image = np.zeros((2, 3, 3))
    image[1, 2, 0] = value
    with pytest.raises(ValueError, match="image must be finite"):
        metrics.explained_variation(MAP, image)


def test_examples_of_the_docstrings():
    results = doctest.testmod(metrics)
    assert results.attempted > 0
    assert results.failed == 0
