"""The helpers of tests/support find what they are there to find."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from support.connectivity import (
    agreement,
    assert_connected,
    assert_consecutive,
    assert_gap_free,
    assert_no_small_pieces,
    assert_same_partition,
    border_length,
    components,
    lonely,
    number_in_raster_order,
    sizes,
)

TWO_PIECES = np.array([[1, 2, 1], [1, 2, 1]])
DIAGONAL = np.array([[1, 2], [3, 1]])


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (12, 17), (5, 6, 7)])
@pytest.mark.parametrize("names", [1, 2, 4])
def test_components_are_those_of_ndimage_for_each_label(shape: tuple[int, ...], names: int) -> None:
    labels = np.random.default_rng(7).integers(0, names, shape)
    expected = np.zeros(shape, np.int64)
    for name in range(names):
        found, count = ndimage.label(labels == name)
        expected[found > 0] = found[found > 0] + expected.max()
        assert count == np.unique(components(labels)[labels == name]).size
    np.testing.assert_array_equal(components(labels), number_in_raster_order(expected))


def test_components_do_not_pass_through_the_outside() -> None:
    labels = np.ones((1, 3), int)
    inside = np.array([[True, False, True]])
    np.testing.assert_array_equal(components(labels, inside), [[0, -1, 1]])


def test_number_in_raster_order_follows_first_pixels() -> None:
    np.testing.assert_array_equal(
        number_in_raster_order(np.array([[9, 2], [2, 5]])), [[0, 1], [1, 2]]
    )


@pytest.mark.parametrize("labels", [TWO_PIECES, DIAGONAL])
def test_assert_connected_sees_pieces(labels: np.ndarray) -> None:
    with pytest.raises(AssertionError, match=r"several pieces: \[1\]"):
        assert_connected(labels)


def test_assert_connected_sees_a_label_split_by_the_outside() -> None:
    inside = np.array([[True, False, True]])
    assert_connected(np.ones((1, 3), int))
    with pytest.raises(AssertionError):
        assert_connected(np.ones((1, 3), int), inside)


def test_assert_connected_sees_faces_not_edges_in_volumes() -> None:
    assert_connected(np.array([[[1, 1], [2, 1]], [[2, 2], [2, 1]]]))
    with pytest.raises(AssertionError):
        assert_connected(np.array([[[1, 2], [2, 2]], [[2, 2], [2, 1]]]))


@pytest.mark.parametrize("labels", [[[1, 3]], [[2, 1]], [[0, 1]], [[2, 3]]])
def test_assert_consecutive_sees_gaps_order_and_start(labels: list[list[int]]) -> None:
    assert_consecutive(np.array([[1, 2, 1, 3]]), 1)
    with pytest.raises(AssertionError):
        assert_consecutive(np.array(labels), 1)


def test_assert_consecutive_wants_the_background_outside() -> None:
    inside = np.array([[False, True]])
    assert_consecutive(np.array([[-1, 0]]), 0, inside)
    with pytest.raises(AssertionError):
        assert_consecutive(np.array([[1, 0]]), 0, inside)


@pytest.mark.parametrize("labels", [[[1, 3]], [[0, 1]], [[2, 3]]])
def test_assert_gap_free_sees_gaps_and_start_but_not_order(labels: list[list[int]]) -> None:
    assert_gap_free(np.array([[2, 1, 1, 3]]), 1)
    with pytest.raises(AssertionError):
        assert_gap_free(np.array(labels), 1)


def test_assert_gap_free_wants_the_background_outside() -> None:
    inside = np.array([[False, True, True]])
    assert_gap_free(np.array([[-1, 1, 0]]), 0, inside)
    with pytest.raises(AssertionError):
        assert_gap_free(np.array([[0, 1, 0]]), 0, inside)


def test_assert_no_small_pieces_spares_the_lonely() -> None:
    labels = np.array([[1, 0, 2, 2, 3]])
    inside = labels > 0
    assert lonely(labels, inside) == {1}
    assert lonely(labels) == set()
    assert_no_small_pieces(labels, 1, inside)
    with pytest.raises(AssertionError, match=r"\[3\]"):
        assert_no_small_pieces(labels, 2, inside)


def test_assert_same_partition_ignores_names_only() -> None:
    assert_same_partition(np.array([5, 5, 1]), np.array([0, 0, 9]))
    with pytest.raises(AssertionError):
        assert_same_partition(np.array([5, 5, 1]), np.array([0, 9, 9]))


def test_agreement_is_one_for_equal_maps_and_less_for_finer_or_coarser_ones() -> None:
    fine = np.arange(8).reshape(2, 4)
    assert agreement(fine, 7 - fine) == 1
    assert agreement(fine, fine // 2) == 0.5
    assert agreement(fine // 2, fine) == 0.5


def test_sizes_and_border_length_count() -> None:
    assert sizes(TWO_PIECES).tolist() == [4, 2]
    assert sizes(TWO_PIECES, TWO_PIECES == 2).tolist() == [2]
    assert border_length(TWO_PIECES) == 4
    assert border_length(np.ones((3, 4, 5), int)) == 0
