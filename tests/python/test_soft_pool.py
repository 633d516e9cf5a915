"""`superpix.soft_pool` and `soft_unpool` against their formulas in float64.

More is in tests/cpp/test_soft_pool.cpp.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import superpix as sp

Array = NDArray[Any]


def candidates(height: int, width: int, grid: tuple[int, int]) -> Array:
    """Return the superpixels [9, H, W] that pixels may belong to; -1 where there is none."""
    rows, columns = grid
    row = np.arange(height)[:, np.newaxis] * rows // height
    column = np.arange(width)[np.newaxis] * columns // width
    result = np.empty((9, height, width), int)
    for slot in range(9):
        r, c = row + slot // 3 - 1, column + slot % 3 - 1
        inside = (r >= 0) & (r < rows) & (c >= 0) & (c < columns)
        result[slot] = np.where(inside, r * columns + c, -1)
    return result


def pool_reference(values: Array, association: Array, grid: tuple[int, int], eps: float) -> Array:
    """[D, H, W], [9, H, W] -> [D, K], pixel by pixel."""
    index = candidates(*values.shape[1:], grid)
    sums = np.zeros((values.shape[0], grid[0] * grid[1]))
    weights = np.zeros(grid[0] * grid[1])
    for slot, y, x in np.argwhere(index >= 0):
        k = index[slot, y, x]
        share = float(association[slot, y, x])
        sums[:, k] += share * values[:, y, x].astype(np.float64)
        weights[k] += share
    result: Array = sums / (weights + eps)
    return result


def unpool_reference(
    centers: Array, association: Array, grid: tuple[int, int], normalize: bool
) -> Array:
    """[D, K], [9, H, W] -> [D, H, W]."""
    index = candidates(*association.shape[1:], grid)
    shares = np.where(index >= 0, association.astype(np.float64), 0.0)
    out = np.einsum("shw,dshw->dhw", shares, centers.astype(np.float64)[:, index])
    total = shares.sum(axis=0) if normalize else np.ones(association.shape[1:])
    return np.divide(out, total, out=np.zeros_like(out), where=total != 0)


def arrays(
    channels: int, height: int, width: int, grid: tuple[int, int], dtype: Any = np.float32
) -> tuple[Array, Array, Array]:
    """Return values, centers and an association in which some pixels belong to nothing."""
    rng = np.random.default_rng(0)
    association = rng.uniform(size=(9, height, width))
    association[:, ::5, ::3] = 0
    return (
        rng.normal(size=(channels, height, width)).astype(dtype),
        rng.normal(size=(channels, grid[0] * grid[1])).astype(dtype),
        association.astype(dtype),
    )


CASES = [
    ((3, 20, 30), (4, 5)),
    ((5, 33, 47), (3, 4)),
    ((1, 1, 1), (1, 1)),
    ((20, 31, 9), (31, 9)),
    ((2, 34, 300), (1, 2)),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("shape", "grid"), CASES)
def test_matches_reference(shape: tuple[int, int, int], grid: tuple[int, int], dtype: Any) -> None:
    values, centers, association = arrays(*shape, grid, dtype)
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    for eps in (1e-12, 0.5):
        pooled = sp.soft_pool(values, association, grid, eps=eps)
        assert pooled.dtype == dtype
        expected = pool_reference(values, association, grid, eps)
        np.testing.assert_allclose(pooled, expected, atol=tolerance, rtol=tolerance)
    for normalize in (True, False):
        out = sp.soft_unpool(centers, association, grid, normalize=normalize)
        assert out.dtype == dtype
        expected = unpool_reference(centers, association, grid, normalize)
        np.testing.assert_allclose(out, expected, atol=tolerance, rtol=tolerance)


# poolfeat and upfeat as Yang et al. publish them: means over cells of 16 x 16, moved by one cell
# and added up, with eps 1e-8.
def test_is_what_scn_does_on_its_cells() -> None:
    rows, columns, size = 3, 5, 16
    rng = np.random.default_rng(1)
    values = rng.normal(size=(4, rows * size, columns * size))
    association = rng.uniform(size=(9, rows * size, columns * size))
    association /= association.sum(axis=0)
    with_ones = np.concatenate([values, np.ones((1, *values.shape[1:]))])
    padded = np.zeros((5, rows + 2, columns + 2))
    for slot in range(9):
        cells = (with_ones * association[slot]).reshape(5, rows, size, columns, size)
        dy, dx = slot // 3, slot % 3
        padded[:, dy : dy + rows, dx : dx + columns] += cells.mean(axis=(2, 4))
    inside = padded[:, 1:-1, 1:-1]
    expected = inside[:-1] / (inside[-1:] + 1e-8)
    pooled = sp.soft_pool(values, association, (rows, columns), eps=256e-8)
    np.testing.assert_allclose(pooled, expected.reshape(4, -1), rtol=1e-10)

    around = np.pad(expected, ((0, 0), (1, 1), (1, 1)))
    rebuilt = np.zeros_like(values)
    for slot in range(9):
        dy, dx = slot // 3, slot % 3
        moved = around[:, dy : dy + rows, dx : dx + columns]
        rebuilt += association[slot] * moved.repeat(size, axis=1).repeat(size, axis=2)
    out = sp.soft_unpool(pooled, association, (rows, columns), normalize=False)
    np.testing.assert_allclose(out, rebuilt, rtol=1e-9, atol=1e-12)


def test_pools_what_soft_slic_found() -> None:
    features = np.random.default_rng(0).normal(size=(4, 30, 40))
    result = sp.soft_slic(features, (3, 4), 5)
    pooled = sp.soft_pool(features, result.association, (3, 4))
    np.testing.assert_allclose(pooled, result.centers, rtol=1e-9)
    constant = sp.soft_unpool(np.full((1, 12), 3.0), result.association, (3, 4))
    np.testing.assert_allclose(constant, 3.0, rtol=1e-12)


def test_images_of_a_batch_are_independent_to_the_bit() -> None:
    grid = (3, 5)
    each = [arrays(4, 21, 34, grid) for _ in range(3)]
    values, centers, association = (np.stack(arrays) for arrays in zip(*each, strict=True))
    values *= np.arange(1, 4, dtype=np.float32)[:, None, None, None]
    pooled = sp.soft_pool(values, association, grid, num_threads=2)
    out = sp.soft_unpool(centers, association, grid, num_threads=2)
    assert pooled.shape == (3, 4, 15)
    assert out.shape == (3, 4, 21, 34)
    for i in range(3):
        alone = sp.soft_pool(values[i], association[i], grid, num_threads=1)
        np.testing.assert_array_equal(pooled[i], alone)
        alone = sp.soft_unpool(centers[i], association[i], grid, num_threads=1)
        np.testing.assert_array_equal(out[i], alone)


def test_any_strides_are_taken() -> None:
    grid = (3, 5)
    values, centers, association = arrays(4, 21, 34, grid)
    strange = [
        np.asfortranarray(array.astype(">f4"))[::-1][::-1]
        for array in (values, centers, association)
    ]
    np.testing.assert_array_equal(
        sp.soft_pool(strange[0], strange[2], grid), sp.soft_pool(values, association, grid)
    )
    np.testing.assert_array_equal(
        sp.soft_unpool(strange[1], strange[2], grid), sp.soft_unpool(centers, association, grid)
    )


def test_empty_batch_gives_empty_results() -> None:
    association = np.zeros((0, 9, 8, 9), np.float32)
    assert sp.soft_pool(np.zeros((0, 3, 8, 9), np.float32), association, (2, 2)).shape == (0, 3, 4)
    out = sp.soft_unpool(np.zeros((0, 3, 4), np.float32), association, (2, 2))
    assert out.shape == (0, 3, 8, 9)


ASSOCIATION = np.zeros((9, 8, 9), np.float32)


@pytest.mark.parametrize(
    ("changed", "error", "match"),
    [
        ({"values": [[1.0]]}, TypeError, "values must be a NumPy array"),
        ({"values": np.zeros((3, 8, 9), np.uint8)}, TypeError, "values must be float32"),
        ({"values": np.zeros((8, 9), np.float32)}, ValueError, r"values must be \[D, H, W\]"),
        ({"values": np.zeros((0, 8, 9), np.float32)}, ValueError, "values must have from 1"),
        ({"association": None}, TypeError, "association must be a NumPy array"),
        ({"association": ASSOCIATION[:8]}, ValueError, "association must have shape"),
        ({"association": ASSOCIATION[np.newaxis]}, ValueError, "association must have shape"),
        ({"association": ASSOCIATION.astype(float)}, TypeError, "association must be float32"),
        ({"grid": 4}, TypeError, "grid"),
        ({"grid": (9, 2)}, ValueError, "grid"),
        ({"eps": -1.0}, ValueError, "eps"),
        ({"eps": float("inf")}, ValueError, "eps"),
        ({"eps": "1"}, TypeError, "eps"),
        ({"num_threads": 0}, ValueError, "num_threads"),
    ],
)
def test_errors_of_soft_pool_name_the_argument(
    changed: dict[str, Any], error: type[Exception], match: str
) -> None:
    good: dict[str, Any] = {
        "values": np.zeros((3, 8, 9), np.float32),
        "association": ASSOCIATION,
        "grid": (2, 2),
    }
    with pytest.raises(error, match=match):
        sp.soft_pool(**{**good, **changed})


@pytest.mark.parametrize(
    ("changed", "error", "match"),
    [
        ({"centers": 1.0}, TypeError, "centers must be a NumPy array"),
        ({"centers": np.zeros((3, 4), np.int32)}, TypeError, "centers must be float32"),
        ({"centers": np.zeros(4, np.float32)}, ValueError, r"centers must be \[D, K\]"),
        ({"centers": np.zeros((3, 5), np.float32)}, ValueError, "centers must be"),
        ({"association": ASSOCIATION[0]}, ValueError, "association must be"),
        ({"association": ASSOCIATION[:8]}, ValueError, "association must have shape"),
        ({"association": ASSOCIATION[np.newaxis]}, ValueError, "association must have shape"),
        ({"association": ASSOCIATION.astype(float)}, TypeError, "association must be float32"),
        ({"grid": (0, 2)}, ValueError, "grid"),
        ({"normalize": 1}, TypeError, "normalize"),
        ({"num_threads": -1}, ValueError, "num_threads"),
    ],
)
def test_errors_of_soft_unpool_name_the_argument(
    changed: dict[str, Any], error: type[Exception], match: str
) -> None:
    good: dict[str, Any] = {
        "centers": np.zeros((3, 4), np.float32),
        "association": ASSOCIATION,
        "grid": (2, 2),
    }
    with pytest.raises(error, match=match):
        sp.soft_unpool(**{**good, **changed})
