"""`superpix.hard_labels` against `numpy.argmax`. More is in tests/cpp/test_hard_labels.cpp."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import superpix as sp

Array = NDArray[Any]


def reference(association: Array, grid: tuple[int, int]) -> Array:
    """[9, H, W] -> [H, W]."""
    _, height, width = association.shape
    rows, columns = grid
    row = np.arange(height)[:, np.newaxis] * rows // height
    column = np.arange(width)[np.newaxis] * columns // width
    labels = np.full((height, width), -1)
    best = np.zeros((height, width))
    for slot in range(9):
        r, c = row + slot // 3 - 1, column + slot % 3 - 1
        value = association[slot]
        wins = (labels < 0) | (value > best) | (np.isnan(value) & ~np.isnan(best))
        wins &= (r >= 0) & (r < rows) & (c >= 0) & (c < columns)
        labels = np.where(wins, r * columns + c, labels)
        best = np.where(wins, value, best)
    return labels


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("shape", "grid"),
    [((20, 30), (4, 5)), ((33, 47), (3, 4)), ((1, 1), (1, 1)), ((31, 9), (31, 9))],
)
def test_is_the_argmax_over_candidates(
    shape: tuple[int, int], grid: tuple[int, int], dtype: Any
) -> None:
    rng = np.random.default_rng(0)
    association = rng.integers(0, 4, (9, *shape)).astype(dtype)  # with ties
    association[rng.uniform(size=association.shape) < 0.05] = np.nan
    association[rng.uniform(size=association.shape) < 0.05] = np.inf
    association[rng.uniform(size=association.shape) < 0.05] = -np.inf
    labels = sp.hard_labels(association, grid)
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels, reference(association, grid))


def test_batch_threads_and_strides_change_nothing() -> None:
    association = np.random.default_rng(0).uniform(size=(3, 9, 120, 140)).astype(np.float32)
    expected = np.stack([sp.hard_labels(a, (5, 6), num_threads=1) for a in association])
    np.testing.assert_array_equal(sp.hard_labels(association, (5, 6), num_threads=2), expected)
    strange = np.asfortranarray(association.astype(">f4"))
    np.testing.assert_array_equal(sp.hard_labels(strange, (5, 6)), expected)


def test_labels_of_soft_slic_are_those_of_the_nearest_centers() -> None:
    features = np.random.default_rng(0).normal(size=(3, 24, 32))
    result = sp.soft_slic(features, (1, 2), 3)  # both are candidates of every pixel
    # The association is of the iteration that the last centers come from.
    before = sp.soft_slic(features, (1, 2), 2).centers
    distances = ((features[..., np.newaxis] - before[:, np.newaxis, np.newaxis]) ** 2).sum(axis=0)
    labels = sp.hard_labels(result.association, (1, 2))
    np.testing.assert_array_equal(labels, distances.argmin(axis=-1))


def test_empty_batch_gives_empty_labels() -> None:
    assert sp.hard_labels(np.zeros((0, 9, 8, 9)), (2, 2)).shape == (0, 8, 9)


@pytest.mark.parametrize(
    ("changed", "error", "match"),
    [
        ({"association": [[1.0]]}, TypeError, "association must be a NumPy array"),
        ({"association": np.zeros((9, 8, 9), int)}, TypeError, "association must be float32"),
        ({"association": np.zeros((8, 9))}, ValueError, r"association must be \[9, H, W\]"),
        ({"association": np.zeros((8, 8, 9))}, ValueError, "association must be"),
        ({"grid": 4}, TypeError, "grid"),
        ({"grid": (9, 2)}, ValueError, "grid"),
        ({"num_threads": 0}, ValueError, "num_threads"),
    ],
)
def test_errors_name_the_argument(
    changed: dict[str, Any], error: type[Exception], match: str
) -> None:
    good: dict[str, Any] = {"association": np.zeros((9, 8, 9)), "grid": (2, 2)}
    with pytest.raises(error, match=match):
        sp.hard_labels(**{**good, **changed})
