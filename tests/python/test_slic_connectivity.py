"""What `superpix.slic` makes of pieces of labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import superpix as sp
from support.connectivity import (
    assert_connected,
    assert_gap_free,
    assert_no_small_pieces,
    components,
    sizes,
)
from support.slic import NAN, PHOTO, Image, Options, bands, noise, photo


@pytest.mark.parametrize("image", [noise((60, 60, 3)), noise((60, 60, 3), np.float32)])
def test_enforce_connectivity_false_keeps_the_clusters(image: Image) -> None:
    labels = sp.slic(image, 36, enforce_connectivity=False, start_label=0)
    assert components(labels).max() + 1 > 2 * 36  # noise falls to pieces
    assert labels.min() >= 0
    assert labels.max() < 36
    assert np.unique(labels).size > 30


CUT = [noise((60, 60, 3)), noise((60, 60, 3), np.float32), photo(60, 60), bands(2)[:60, :60]]


@pytest.mark.parametrize("image", CUT)
@pytest.mark.parametrize("factor", [0.1, 0.5, 0.99, 2, 4.0])
def test_min_size_factor_bounds_every_label_below(image: Image, factor: float) -> None:
    labels = sp.slic(image, 36, 1.0, min_size_factor=factor)
    assert_no_small_pieces(labels, int(factor * 100))
    assert_connected(labels)
    assert_gap_free(labels, 1)


@pytest.mark.parametrize("image", CUT)
@pytest.mark.parametrize("factor", [0.05, 0.5, 1, 1.5])
def test_max_size_factor_bounds_every_label_above_when_nothing_is_merged(
    image: Image, factor: float
) -> None:
    labels = sp.slic(image, 36, 1.0, min_size_factor=0, max_size_factor=factor, refine_iter=0)
    assert sizes(labels).max() <= int(factor * 100)
    assert_connected(labels)
    assert_gap_free(labels, 1)


def test_max_size_factor_splits_the_boxes_of_a_constant_image() -> None:
    labels = sp.slic(
        np.ones((60, 60)), 36, max_size_factor=0.5, min_size_factor=0.2, channel_axis=None
    )
    assert 2 * 36 <= labels.max() <= 5 * 36
    assert_connected(labels)
    assert_no_small_pieces(labels, 20)


def test_max_size_factor_above_every_label_changes_nothing() -> None:
    labels = sp.slic(PHOTO, 40, max_size_factor=1e6)
    np.testing.assert_array_equal(labels, sp.slic(PHOTO, 40, max_size_factor=1e5))


@pytest.mark.parametrize(("low", "high"), [(5, 1), (0, 0.001), (100, 0.001), (1e6, 1e6)])
@pytest.mark.parametrize("image", [PHOTO, noise((60, 80, 3), np.float32)])
def test_size_factors_at_odds_still_give_whole_labels(
    image: Image, low: float, high: float
) -> None:
    labels = sp.slic(image, 40, min_size_factor=low, max_size_factor=high)
    assert_connected(labels)
    assert_gap_free(labels, 1)


def test_size_factors_do_nothing_without_connectivity() -> None:
    one = sp.slic(PHOTO, 40, enforce_connectivity=False)
    other = sp.slic(PHOTO, 40, enforce_connectivity=False, min_size_factor=0.1, max_size_factor=0.7)
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", ["min_size_factor", "max_size_factor"])
@pytest.mark.parametrize("value", [-1, -0.1, NAN])
def test_size_factor_that_is_no_factor_is_a_value_error(name: str, value: float) -> None:
    arguments: Options = {name: value}
    with pytest.raises(ValueError, match=name):
        sp.slic(PHOTO, **arguments)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_white_noise_does_not_collapse_into_one_label(dtype: Any) -> None:
    labels = sp.slic(noise((128, 128, 3), dtype))
    assert labels.max() >= 50
    assert_connected(labels)


@pytest.mark.parametrize("compactness", [0.1, 0.01])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_grey_noise_does_not_collapse_into_one_label(dtype: Any, compactness: float) -> None:
    labels = sp.slic(noise((128, 128), dtype), 100, compactness, channel_axis=None)
    assert labels.max() >= 50
