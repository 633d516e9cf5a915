"""`superpix.pyramid_pool` against windows taken one by one. More is in
tests/cpp/test_pyramid_pool.cpp.
"""

from __future__ import annotations

from typing import Any

import hypothesis
import hypothesis.extra.numpy
import hypothesis.strategies as st
import numpy as np
import pytest
from numpy.typing import NDArray

import superpix as sp

Array = NDArray[Any]


def window(i: int, length: int, b: int) -> slice:
    """Window i of b, as torch.nn.AdaptiveAvgPool2d has it."""
    return slice(i * length // b, -(-(i + 1) * length // b))


def reference(features: Array, b: int, reduce: str) -> Array:
    """[..., H, W] -> [..., b, b] in float64."""
    height, width = features.shape[-2:]
    pooled = np.empty((*features.shape[:-2], b, b))
    function = {"mean": np.mean, "max": np.max}[reduce]
    for i in range(b):
        for j in range(b):
            part = features[..., window(i, height, b), window(j, width, b)].astype(np.float64)
            pooled[..., i, j] = function(part, axis=(-2, -1))
    return pooled


def features_of(*shape: int, dtype: Any = np.float32) -> Array:
    return np.random.default_rng(0).normal(size=shape).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("reduce", ["mean", "max"])
@pytest.mark.parametrize("bins", [(1, 2, 3, 6), (6, 1), (3, 3), (5,), (70,)])
@pytest.mark.parametrize("shape", [(3, 60, 60), (2, 3, 65, 41), (1, 1, 1), (2, 4, 7), (4, 100, 3)])
def test_matches_reference(
    shape: tuple[int, ...], bins: tuple[int, ...], reduce: str, dtype: Any
) -> None:
    features = features_of(*shape, dtype=dtype)
    levels = sp.pyramid_pool(features, bins, reduce)
    assert len(levels) == len(bins)
    for level, b in zip(levels, bins, strict=True):
        assert level.dtype == dtype
        tolerance = 1e-6 if dtype == np.float32 else 1e-14
        np.testing.assert_allclose(level, reference(features, b, reduce), atol=tolerance)


@hypothesis.given(
    features=hypothesis.extra.numpy.arrays(
        st.sampled_from([np.float32, np.float64]),
        hypothesis.extra.numpy.array_shapes(min_dims=3, max_dims=4, min_side=1, max_side=40),
        elements=st.integers(-8, 8).map(float) | st.sampled_from([np.nan, np.inf, -np.inf]),
    ),
    bins=st.lists(st.integers(1, 9), min_size=1, max_size=4).map(tuple),
    reduce=st.sampled_from(["mean", "max"]),
    threads=st.integers(1, 3),
)
def test_any_features_and_bins(
    features: Array, bins: tuple[int, ...], reduce: str, threads: int
) -> None:
    levels = sp.pyramid_pool(features, bins, reduce, num_threads=threads)
    for level, b in zip(levels, bins, strict=True):
        with np.errstate(invalid="ignore"):
            expected = reference(features, b, reduce)
        np.testing.assert_allclose(level, expected, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("reduce", ["mean", "max"])
@pytest.mark.parametrize("batch", [(), (2,)])
def test_backward_matches_differences(batch: tuple[int, ...], reduce: str) -> None:
    features = features_of(*batch, 2, 5, 7, dtype=np.float64)
    bins = (1, 3)
    weights = tuple(features_of(*batch, 2, b, b, dtype=np.float64) for b in bins)

    def loss() -> float:
        levels = sp.pyramid_pool(features, bins, reduce)
        return float(sum((w * level).sum() for w, level in zip(weights, levels, strict=True)))

    found = sp.pyramid_pool_backward(features, weights, bins, reduce)
    assert found.shape == features.shape
    expected = np.empty_like(features)
    for i in np.ndindex(features.shape):
        value = features[i]
        features[i] = value + 1e-6
        more = loss()
        features[i] = value - 1e-6
        expected[i] = (more - loss()) / 2e-6
        features[i] = value
    np.testing.assert_allclose(found, expected, atol=1e-8)


@pytest.mark.parametrize(
    ("grad_levels", "error"),
    [
        (np.zeros((3, 1, 1), np.float32), TypeError),
        ((np.zeros((3, 1, 1), np.float32),), TypeError),
        ((np.zeros((3, 1, 1), np.float32), [[1.0]]), TypeError),
        ((np.zeros((3, 1, 1), np.float32), np.zeros((3, 2, 2))), TypeError),
        ((np.zeros((3, 1, 1), np.float32), np.zeros((3, 2, 3), np.float32)), ValueError),
    ],
)
def test_errors_of_backward_name_the_argument(grad_levels: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="grad_levels"):
        sp.pyramid_pool_backward(features_of(3, 8, 9), grad_levels, (1, 2))


def test_images_of_a_batch_are_independent_to_the_bit() -> None:
    features = features_of(3, 4, 21, 34)
    batch = sp.pyramid_pool(features, num_threads=2)
    assert [level.shape for level in batch] == [(3, 4, b, b) for b in (1, 2, 3, 6)]
    for i in range(3):
        alone = sp.pyramid_pool(features[i], num_threads=1)
        for level, expected in zip(batch, alone, strict=True):
            np.testing.assert_array_equal(level[i], expected)


def test_any_strides_and_byte_orders_are_taken() -> None:
    features = np.moveaxis(features_of(21, 34, 4), -1, 0)
    (expected,) = sp.pyramid_pool(np.ascontiguousarray(features), (5,))
    np.testing.assert_array_equal(sp.pyramid_pool(features, [5])[0], expected)
    np.testing.assert_array_equal(sp.pyramid_pool(features.astype(">f4"), (5,))[0], expected)


def test_features_are_left_alone() -> None:
    features = features_of(2, 9, 9)
    before = features.copy()
    features.setflags(write=False)
    sp.pyramid_pool(features)
    np.testing.assert_array_equal(features, before)


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"features": [[1.0]]}, TypeError, "features must be a NumPy array"),
        ({"features": np.zeros((3, 8, 9), np.uint8)}, TypeError, "features must be float32"),
        ({"features": np.zeros((3, 8, 9), np.float16)}, TypeError, "features must be float32"),
        ({"features": np.zeros((8, 9), np.float32)}, ValueError, r"features must be \[C, H, W\]"),
        ({"features": np.zeros((3, 0, 9), np.float32)}, ValueError, "features must have pixels"),
        ({"features": np.zeros((0, 3, 8, 0))}, ValueError, "features must have pixels"),
        ({"bins": 3}, TypeError, "bins"),
        ({"bins": "12"}, TypeError, "bins"),
        ({"bins": (1, 2.5)}, TypeError, "bins"),
        ({"bins": (True,)}, TypeError, "bins"),
        ({"bins": ()}, ValueError, "bins must not be empty"),
        ({"bins": (1, 0)}, ValueError, "bins"),
        ({"bins": (40000,)}, ValueError, "bins"),
        ({"bins": (2**70,)}, ValueError, "bins"),
        ({"bins": (32768,) * 3}, ValueError, "bins"),
        ({"reduce": "sum"}, ValueError, "reduce must be 'mean' or 'max', got 'sum'"),
        ({"reduce": None}, TypeError, "reduce"),
        ({"reduce": ["mean"]}, TypeError, "reduce"),
        ({"reduce": np.array(["mean", "max"])}, TypeError, "reduce"),
        ({"num_threads": 0}, ValueError, "num_threads"),
    ],
)
def test_errors_name_the_argument(
    arguments: dict[str, Any], error: type[Exception], match: str
) -> None:
    good: dict[str, Any] = {"features": features_of(3, 8, 9)}
    with pytest.raises(error, match=match):
        sp.pyramid_pool(**{**good, **arguments})


@pytest.mark.parametrize("shape", [(0, 3, 8, 9), (2, 0, 8, 9), (0, 8, 9)])
def test_empty_batches_give_empty_results(shape: tuple[int, ...]) -> None:
    levels = sp.pyramid_pool(np.zeros(shape, np.float32), (1, 3), "max")
    assert [level.shape for level in levels] == [(*shape[:-2], b, b) for b in (1, 3)]
