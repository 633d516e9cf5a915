"""`superpix.slic` within a mask."""

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
)
from support.slic import GREY, MASK, PHOTO, Image, Options, bands, quadrants, volume


@pytest.mark.parametrize("start_label", [0, 1])
@pytest.mark.parametrize("enforce", [True, False])
@pytest.mark.parametrize(
    ("image", "options"),
    [(PHOTO, {}), (PHOTO / 255.0, {}), (GREY, {"channel_axis": None}), (bands(5), {})],
)
def test_mask_outside_is_start_label_less_one_and_inside_never(
    image: Image, options: Options, enforce: bool, start_label: int
) -> None:
    labels = sp.slic(
        image, 40, mask=MASK, start_label=start_label, enforce_connectivity=enforce, **options
    )
    assert (labels[~MASK] == start_label - 1).all()
    assert (labels[MASK] >= start_label).all()


def test_mask_works_on_volumes() -> None:
    image = volume()
    mask = np.zeros(image.shape, bool)
    mask[2:-2, 3:-3, 4:] = True
    cases: tuple[Options, ...] = ({"channel_axis": None}, {"channel_axis": 0, "convert2lab": False})
    for options in cases:
        stacked = image if options["channel_axis"] is None else np.stack([image] * 3)
        labels = sp.slic(stacked, 12, 0.1, mask=mask, spacing=(2, 1, 1), **options)
        assert_connected(labels, mask)
        assert_gap_free(labels, 1, mask)
        assert 6 <= labels.max() <= 24


def test_mask_keeps_n_segments_for_the_inside() -> None:
    for margin in (2, 10, 20):
        mask = np.zeros((60, 80), bool)
        mask[margin:-margin, margin:-margin] = True
        labels = sp.slic(np.zeros((60, 80, 3)), 24, mask=mask)
        assert 12 <= labels.max() <= 36


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_mask_leaves_boxes_of_distinct_colours(dtype: Any) -> None:
    boxes = quadrants((20, 21))
    colours = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]], dtype)
    mask = np.zeros(boxes.shape, bool)
    mask[2:-2, 2:-2] = True
    labels = sp.slic(colours[boxes], 4, mask=mask)
    np.testing.assert_array_equal(labels, np.where(mask, boxes + 1, 0))


@pytest.mark.parametrize("n_segments", [2, 10, 60])
def test_mask_never_joins_two_islands_in_one_label(n_segments: int) -> None:
    mask = np.zeros((60, 80), bool)
    mask[5:30, 5:30] = mask[35:55, 40:75] = mask[10, 70] = mask[50:52, 10:12] = True
    islands = components(mask, mask)
    for image in (PHOTO, np.zeros_like(PHOTO), PHOTO / 255.0):
        labels = sp.slic(image, n_segments, mask=mask)
        assert_connected(labels, mask)
        assert_gap_free(labels, 1, mask)
        for label in range(1, labels.max() + 1):
            assert np.unique(islands[labels == label]).size == 1
        assert np.count_nonzero(labels == labels[10, 70]) == 1  # a pixel alone stays


def test_mask_keeps_small_labels_away_unless_they_are_islands() -> None:
    mask = np.random.default_rng(5).random((60, 80)) < 0.7
    labels = sp.slic(PHOTO, 40, mask=mask)
    assert_connected(labels, mask)
    sizes_inside = int(0.5 * mask.sum() / 40)
    assert_no_small_pieces(labels, sizes_inside // 2, mask)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float64])
def test_mask_may_be_zeros_and_ones_of_another_dtype(dtype: Any) -> None:
    labels = sp.slic(PHOTO, 40, mask=MASK.astype(dtype))
    np.testing.assert_array_equal(labels, sp.slic(PHOTO, 40, mask=MASK))


def test_mask_of_all_pixels_labels_all_pixels() -> None:
    labels = sp.slic(PHOTO, 40, mask=np.ones((60, 80), bool))
    assert_gap_free(labels, 1)
    assert_connected(labels)
    assert 20 <= labels.max() <= 80


def test_mask_of_one_pixel_gives_one_label() -> None:
    mask = np.zeros((60, 80), bool)
    mask[13, 57] = True
    for image in (PHOTO, PHOTO / 255.0):
        np.testing.assert_array_equal(sp.slic(image, 40, mask=mask), mask)


@pytest.mark.parametrize("image", [PHOTO, PHOTO / 255.0])
def test_mask_of_no_pixels_is_a_value_error(image: Image) -> None:
    with pytest.raises(ValueError, match="mask"):
        sp.slic(image, mask=np.zeros((60, 80), bool))


@pytest.mark.parametrize(
    "shape", [(80, 60), (60, 79), (60, 80, 3), (60, 80, 1), (1, 60, 80), (60,), (), (1, 1), (60, 1)]
)
def test_mask_of_another_shape_is_a_value_error(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="mask"):
        sp.slic(PHOTO, mask=np.ones(shape, bool))


def test_mask_of_one_slice_of_a_volume_is_a_value_error() -> None:
    image = volume()
    with pytest.raises(ValueError, match="mask"):
        sp.slic(image, mask=np.ones(image.shape[1:], bool), channel_axis=None)
