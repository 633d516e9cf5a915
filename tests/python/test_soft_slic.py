"""`superpix.soft_slic` against its formulas in float64. More is in tests/cpp/test_soft_slic.cpp."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import superpix as sp

Array = NDArray[Any]


def reference(
    features: Array, grid: tuple[int, int], num_iter: int, temperature: float, start: Array | None
) -> tuple[Array, Array]:
    """[C, H, W] -> [9, H, W], [C, K], all pixels at once for each of the nine candidates."""
    _, height, width = features.shape
    rows, columns = grid
    row = np.arange(height)[:, np.newaxis] * rows // height
    column = np.arange(width)[np.newaxis] * columns // width
    values = features.astype(np.float64)
    own = row * columns + column
    k = rows * columns
    if start is None:
        count = np.bincount(own.ravel(), minlength=k)
        sums = [np.bincount(own.ravel(), plane.ravel(), k) for plane in values]
        centers = np.stack(sums) / count
    else:
        centers = start.astype(np.float64)
    association = np.zeros((9, height, width))
    for _ in range(num_iter):
        scores = np.full((9, height, width), -np.inf)
        candidates = np.zeros((9, height, width), int)
        for slot in range(9):
            r, c = row + slot // 3 - 1, column + slot % 3 - 1
            inside = (r >= 0) & (r < rows) & (c >= 0) & (c < columns)
            candidates[slot] = np.where(inside, r * columns + c, 0)
            distance = ((values - centers[:, candidates[slot]]) ** 2).sum(axis=0)
            scores[slot] = np.where(inside, -distance / temperature, -np.inf)
        association = np.exp(scores - scores.max(axis=0))
        association /= association.sum(axis=0)
        weight = np.bincount(candidates.ravel(), association.ravel(), k)
        new = [
            np.bincount(candidates.ravel(), (association * plane).ravel(), k) for plane in values
        ]
        kept = weight < 1e-3
        centers = np.where(kept, centers, np.stack(new) / np.where(kept, 1.0, weight))
    return association, centers


def features_of(*shape: int, dtype: Any = np.float32) -> Array:
    return np.random.default_rng(0).normal(size=shape).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("shape", "grid"),
    [
        ((3, 20, 30), (4, 5)),
        ((5, 33, 47), (3, 4)),
        ((1, 1, 1), (1, 1)),
        ((20, 31, 9), (31, 9)),
        ((2, 64, 300), (1, 2)),
    ],
)
@pytest.mark.parametrize("temperature", [1.0, 0.3])
@pytest.mark.parametrize("given", [False, True])
def test_matches_reference(
    shape: tuple[int, ...], grid: tuple[int, int], dtype: Any, temperature: float, given: bool
) -> None:
    features = features_of(*shape, dtype=dtype)
    start = features_of(shape[0], grid[0] * grid[1], dtype=dtype) if given else None
    result = sp.soft_slic(features, grid, 4, temperature=temperature, initial_centers=start)
    association, centers = reference(features, grid, 4, temperature, start)
    tolerance = 2e-5 if dtype == np.float32 else 1e-10
    assert result.association.dtype == result.centers.dtype == dtype
    np.testing.assert_allclose(result.association, association, atol=tolerance)
    np.testing.assert_allclose(result.centers, centers, atol=tolerance, rtol=tolerance)


def test_images_of_a_batch_are_independent_to_the_bit() -> None:
    features = features_of(3, 4, 21, 34)
    batch = sp.soft_slic(features, (3, 5), num_threads=2)
    assert batch.association.shape == (3, 9, 21, 34)
    assert batch.centers.shape == (3, 4, 15)
    for i in range(3):
        alone = sp.soft_slic(features[i], (3, 5), num_threads=1)
        np.testing.assert_array_equal(batch.association[i], alone.association)
        np.testing.assert_array_equal(batch.centers[i], alone.centers)


def test_any_strides_are_taken() -> None:
    features = features_of(21, 34, 4)
    expected = sp.soft_slic(np.ascontiguousarray(np.moveaxis(features, -1, 0)), (3, 5))
    found = sp.soft_slic(np.moveaxis(features, -1, 0), (3, 5))
    np.testing.assert_array_equal(found.association, expected.association)
    swapped = np.moveaxis(features, -1, 0).astype(">f4")
    np.testing.assert_array_equal(sp.soft_slic(swapped, (3, 5)).centers, expected.centers)


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"features": [[1.0]]}, TypeError, "features must be a NumPy array"),
        ({"features": np.zeros((3, 8, 9), np.uint8)}, TypeError, "features must be float32"),
        ({"features": np.zeros((3, 8, 9), np.float16)}, TypeError, "features must be float32"),
        ({"features": np.zeros((8, 9), np.float32)}, ValueError, r"features must be \[C, H, W\]"),
        ({"features": np.ma.zeros((3, 8, 9))}, TypeError, "features must not be a masked array"),
        ({"grid": 4}, TypeError, "grid"),
        ({"grid": (2, 2, 2)}, TypeError, "grid"),
        ({"grid": (2.5, 2)}, TypeError, "grid"),
        ({"grid": (0, 2)}, ValueError, "grid"),
        ({"grid": (9, 2)}, ValueError, "grid"),
        ({"grid": (2, 10)}, ValueError, "grid"),
        ({"num_iter": 0}, ValueError, "num_iter"),
        ({"num_iter": 2**40}, ValueError, "num_iter"),
        ({"temperature": 0.0}, ValueError, "temperature"),
        ({"temperature": float("inf")}, ValueError, "temperature"),
        ({"initial_centers": np.zeros((3, 5), np.float32)}, ValueError, "initial_centers"),
        ({"initial_centers": np.zeros((3, 4))}, TypeError, "initial_centers must be float32"),
        ({"num_threads": 0}, ValueError, "num_threads"),
    ],
)
def test_errors_name_the_argument(
    arguments: dict[str, Any], error: type[Exception], match: str
) -> None:
    good: dict[str, Any] = {"features": features_of(3, 8, 9), "grid": (2, 2)}
    with pytest.raises(error, match=match):
        sp.soft_slic(**{**good, **arguments})


def test_empty_batch_gives_empty_results() -> None:
    result = sp.soft_slic(np.zeros((0, 3, 8, 9), np.float32), (2, 2))
    assert result.association.shape == (0, 9, 8, 9)
    assert result.centers.shape == (0, 3, 4)


@pytest.mark.parametrize("has_initial", [False, True])
def test_backward_is_the_slope_of_forward(has_initial: bool) -> None:
    rng = np.random.default_rng(3)
    x, direction = rng.normal(size=(2, 2, 3, 9, 11))
    start = rng.normal(size=(2, 3, 6)) if has_initial else None
    outer, inner = rng.normal(size=(2, 9, 9, 11)), rng.normal(size=(2, 3, 6))
    options: dict[str, Any] = {"initial_centers": start, "temperature": 1.3}

    def loss(x: Array) -> float:
        association, centers = sp.soft_slic(x, (2, 3), 4, **options)
        return float((outer * association).sum() + (inner * centers).sum())

    gradients = sp.soft_slic_backward(
        x, (2, 3), 4, grad_association=outer, grad_centers=inner, **options
    )
    step = 1e-5
    slope = (loss(x + step * direction) - loss(x - step * direction)) / (2 * step)
    np.testing.assert_allclose((gradients.features * direction).sum(), slope, rtol=1e-7)
    assert (gradients.initial_centers is not None) == has_initial
    if start is not None and gradients.initial_centers is not None:
        far = 4 * rng.normal(size=start.shape)
        slopes = []
        for sign in (1, -1):
            options["initial_centers"] = start + sign * step * far
            slopes.append(loss(x))
        slope = (slopes[0] - slopes[1]) / (2 * step)
        np.testing.assert_allclose((gradients.initial_centers * far).sum(), slope, rtol=1e-7)


def test_backward_takes_one_image_and_few_iterations() -> None:
    x = features_of(3, 12, 15, dtype=np.float64)
    ones = np.ones((3, 6))
    alone = sp.soft_slic_backward(x, (2, 3), 3, grad_centers=ones, grad_iter=1).features
    batch = sp.soft_slic_backward(
        x[np.newaxis], (2, 3), 3, grad_centers=ones[np.newaxis], grad_iter=1
    ).features
    np.testing.assert_array_equal(alone, batch[0])
    whole = sp.soft_slic_backward(x, (2, 3), 3, grad_centers=ones).features
    assert np.abs(whole - alone).max() > 1e-6
    ones_of_other_types: list[Any] = [1.0, np.int64(1)]  # as for num_iter
    for same in ones_of_other_types:
        found = sp.soft_slic_backward(x, (2, 3), 3, grad_centers=ones, grad_iter=same)
        np.testing.assert_array_equal(found.features, alone)
    nothing = sp.soft_slic_backward(x, (2, 3), 3).features
    np.testing.assert_array_equal(nothing, 0)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"grad_centers": np.ones((3, 5))}, ValueError, "grad_centers must have shape"),
        ({"grad_association": np.ones((3, 12, 15))}, ValueError, "grad_association must have"),
        ({"grad_centers": np.ones((3, 6), np.float32)}, TypeError, "grad_centers must be float64"),
        ({"grad_iter": 0}, ValueError, "grad_iter"),
        ({"grad_iter": 1.5}, TypeError, "grad_iter"),
        ({"grad_iter": 2**31}, ValueError, "grad_iter"),
    ],
)
def test_errors_of_backward(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        sp.soft_slic_backward(np.zeros((3, 12, 15)), (2, 3), 3, **options)
