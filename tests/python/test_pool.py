"""`superpix.pool` and `unpool` against NumPy. More is in tests/cpp/test_pool.cpp."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import superpix as sp

Array = NDArray[Any]
REDUCTIONS = ("sum", "mean", "max", "min")


def cells_of(labels: Array, height: int, width: int) -> Array:
    """The flat index of the cell of each label."""
    label_height, label_width = labels.shape
    rows = np.arange(label_height)[:, np.newaxis] * height // label_height
    columns = np.arange(label_width)[np.newaxis] * width // label_width
    return rows * width + columns


def reference(features: Array, labels: Array, segments: int, reduce: str) -> Array:
    """[C, H, W] -> [C, K] in float64."""
    channels, height, width = features.shape
    inside = labels >= 0
    index = labels[inside]
    values = features.reshape(channels, -1)[:, cells_of(labels, height, width)[inside]]
    values = values.astype(np.float64)
    count = np.bincount(index, minlength=segments)
    if reduce in ("sum", "mean"):
        pooled = np.zeros((channels, segments))
        np.add.at(pooled, (slice(None), index), values)
        return pooled / np.maximum(count, 1) if reduce == "mean" else pooled
    start = -np.inf if reduce == "max" else np.inf
    pooled = np.full((channels, segments), start)
    (np.maximum if reduce == "max" else np.minimum).at(pooled, (slice(None), index), values)
    return np.where(count > 0, pooled, 0.0)


def features_of(*shape: int, dtype: Any = np.float32) -> Array:
    return np.random.default_rng(0).normal(size=shape).astype(dtype)


def labels_of(*shape: int, segments: int = 7, dtype: Any = np.int64) -> Array:
    return np.random.default_rng(1).integers(-1, segments, shape).astype(dtype)


@st.composite
def problems(draw: st.DrawFn) -> tuple[Array, Array, int]:
    """Features of any size and labels of the same or a higher resolution."""
    channels = draw(st.integers(1, 40))
    height, width = draw(st.integers(1, 20)), draw(st.integers(1, 90))
    more = draw(st.booleans())
    label_height = height + (draw(st.integers(0, 30)) if more else 0)
    label_width = width + (draw(st.integers(0, 100)) if more else 0)
    segments = draw(st.integers(1, 50))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (channels, height, width)
    # Small integers have ties, and exact sums in any order.
    features = random.integers(-9, 10, shape).astype(draw(st.sampled_from(["f4", "f8"])))
    length = draw(st.sampled_from([1, 3, 20, 200]))
    n = label_height * label_width
    labels = np.repeat(random.integers(-1, segments, n // length + 1), length)[:n]
    dtype = draw(st.sampled_from([np.int32, np.int64]))
    return features, labels.reshape(label_height, label_width).astype(dtype), segments


@settings(max_examples=200)
@given(problems(), st.sampled_from(REDUCTIONS))
def test_equals_numpy(problem: tuple[Array, Array, int], reduce: Any) -> None:
    features, labels, segments = problem
    pooled = sp.pool(features, labels, segments, reduce)
    expected = reference(features, labels, segments, reduce)
    assert pooled.dtype == features.dtype
    if reduce == "mean":
        np.testing.assert_allclose(pooled, expected, rtol=1e-6)
    else:
        np.testing.assert_array_equal(pooled, expected)


@settings(max_examples=100)
@given(problems())
def test_unpool_is_indexing(problem: tuple[Array, Array, int]) -> None:
    features, labels, segments = problem
    pooled = features_of(len(features), segments, dtype=features.dtype)
    expected = np.where(labels >= 0, pooled[:, labels], 0)
    np.testing.assert_array_equal(sp.unpool(pooled, labels), expected)


@pytest.mark.parametrize("reduce", REDUCTIONS)
@pytest.mark.parametrize("scale", [1, 2])
def test_images_of_a_batch_are_independent_to_the_bit(reduce: Any, scale: int) -> None:
    features = features_of(3, 20, 21, 34)
    labels = labels_of(3, 21 * scale, 34 * scale)
    batch = sp.pool(features, labels, 7, reduce, num_threads=2)
    assert batch.shape == (3, 20, 7)
    for i in range(3):
        alone = sp.pool(features[i], labels[i], 7, reduce, num_threads=1)
        np.testing.assert_array_equal(batch[i], alone)


def test_unpool_takes_batches() -> None:
    pooled, labels = features_of(3, 5, 7), labels_of(3, 21, 34)
    batch = sp.unpool(pooled, labels, num_threads=2)
    assert batch.shape == (3, 5, 21, 34)
    for i in range(3):
        np.testing.assert_array_equal(batch[i], sp.unpool(pooled[i], labels[i]))


def test_any_strides_and_byte_orders_are_taken() -> None:
    features, labels = features_of(21, 34, 4), labels_of(34, 21)
    expected = sp.pool(np.ascontiguousarray(np.moveaxis(features, -1, 0)), labels.T.copy(), 7)
    found = sp.pool(np.moveaxis(features, -1, 0), labels.T, 7)
    np.testing.assert_array_equal(found, expected)
    swapped = sp.pool(np.moveaxis(features, -1, 0).astype(">f4"), labels.T.astype(">i8"), 7)
    np.testing.assert_array_equal(swapped, expected)
    pooled = np.asfortranarray(expected)
    np.testing.assert_array_equal(sp.unpool(pooled, labels), sp.unpool(expected, labels))


def test_labels_of_slic_need_no_conversion() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    labels = sp.slic(image, 20, start_label=0)
    channels = np.moveaxis(image, -1, 0).astype(np.float32)
    means = sp.pool(channels, labels, int(labels.max()) + 1)
    painted = sp.unpool(means, labels)
    for k in range(means.shape[1]):
        np.testing.assert_allclose(painted[:, labels == k].T[0], image[labels == k].mean(0), 1e-6)


def test_segment_of_a_million_pixels_has_an_accurate_mean() -> None:
    features = np.full((1, 1024, 1024), 0.1, np.float32)
    found = sp.pool(features, np.zeros((1024, 1024), np.int32), 1)
    np.testing.assert_allclose(found, 0.1, rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"features": [[1.0]]}, TypeError, "features must be a NumPy array"),
        ({"features": np.zeros((3, 8, 9), np.uint8)}, TypeError, "features must be float32"),
        ({"features": np.zeros((3, 8, 9), np.float16)}, TypeError, "features must be float32"),
        ({"features": np.zeros((8, 9))}, ValueError, r"features must be \[C, H, W\]"),
        ({"features": np.zeros((3, 0, 9))}, ValueError, "features must have pixels"),
        ({"features": np.zeros((3, 9, 9))}, ValueError, "labels must be at least as high"),
        ({"labels": [[0]]}, TypeError, "labels must be a NumPy array"),
        ({"labels": np.zeros((8, 9), np.uint8)}, TypeError, "labels must be int32 or int64"),
        ({"labels": np.zeros((8, 9))}, TypeError, "labels must be int32 or int64"),
        ({"labels": np.zeros((1, 8, 9), int)}, ValueError, r"labels must be \[H, W\]"),
        ({"labels": np.zeros((8, 8), int)}, ValueError, "labels must be at least as high"),
        ({"labels": np.full((8, 9), 4)}, ValueError, "labels must be from -1 to 3, got 4"),
        ({"labels": np.full((8, 9), -2)}, ValueError, "labels must be from -1 to 3, got -2"),
        ({"num_segments": 0}, ValueError, "num_segments must be at least 1"),
        ({"num_segments": 2.5}, TypeError, "num_segments"),
        ({"num_segments": 2**40}, ValueError, "num_segments"),
        ({"reduce": "median"}, ValueError, "reduce must be one of"),
        ({"reduce": None}, TypeError, "reduce must be a string"),
        ({"reduce": ["mean"]}, TypeError, "reduce must be a string"),
        ({"reduce": np.array(["mean", "max"])}, TypeError, "reduce must be a string"),
        ({"labels": np.ma.zeros((8, 9), int)}, TypeError, "labels must not be a masked array"),
        ({"num_threads": 0}, ValueError, "num_threads"),
    ],
)
def test_errors_of_pool_name_the_argument(
    arguments: dict[str, Any], error: type[Exception], match: str
) -> None:
    good: dict[str, Any] = {
        "features": features_of(3, 8, 9),
        "labels": labels_of(8, 9, segments=4),
        "num_segments": 4,
    }
    with pytest.raises(error, match=match):
        sp.pool(**{**good, **arguments})


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"pooled": np.zeros((3, 4), int)}, TypeError, "pooled must be float32 or float64"),
        ({"pooled": np.zeros(4)}, ValueError, r"pooled must be \[C, K\]"),
        ({"pooled": np.zeros((3, 0))}, ValueError, "pooled must have from 1"),
        ({"pooled": np.zeros((3, 3))}, ValueError, "labels must be from -1 to 2, got 3"),
        ({"labels": np.zeros((8, 9), bool)}, TypeError, "labels must be int32 or int64"),
        ({"labels": np.zeros((2, 8, 9), int)}, ValueError, r"labels must be \[H, W\]"),
        ({"num_threads": 0}, ValueError, "num_threads"),
    ],
)
def test_errors_of_unpool_name_the_argument(
    arguments: dict[str, Any], error: type[Exception], match: str
) -> None:
    good: dict[str, Any] = {"pooled": np.zeros((3, 4)), "labels": np.full((8, 9), 3)}
    with pytest.raises(error, match=match):
        sp.unpool(**{**good, **arguments})


def test_empty_batch_gives_empty_results() -> None:
    labels = np.zeros((0, 8, 9), np.int32)
    assert sp.pool(np.zeros((0, 3, 8, 9)), labels, 5).shape == (0, 3, 5)
    assert sp.unpool(np.zeros((0, 3, 5)), labels).shape == (0, 3, 8, 9)
