"""Images that `superpix.slic` takes: dimensions, channels, layouts, dtypes, ranges of values."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import superpix as sp
from support.connectivity import agreement, assert_connected, assert_gap_free, assert_same_partition
from support.slic import (
    DTYPES,
    FLOATS,
    GREY,
    INF,
    LARGE,
    MASK,
    NAN,
    NEARLY_EQUAL,
    PHOTO,
    SIGNED,
    UNSIGNED,
    Image,
    Options,
    bands,
    blocks,
    noise,
    quadrants,
    two_halves,
    volume,
)

# --- image: dimensions, channels, layout ----------------------------------------------------------


@pytest.mark.parametrize("n_channels", [1, 2, 3, 5, 16])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("shape", [(20, 21), (8, 10, 12)])
def test_any_number_of_channels_finds_boxes_of_distinct_colours(
    shape: tuple[int, ...], dtype: Any, n_channels: int
) -> None:
    boxes = quadrants(shape)
    rng = np.random.default_rng(1)
    steps = np.stack([rng.permutation(boxes.max() + 1) for _ in range(n_channels)], axis=-1)
    image = (255 * steps[boxes] / steps.max()).astype(dtype)
    labels = sp.slic(image, boxes.max() + 1, compactness=0.2, convert2lab=False)
    assert_same_partition(labels, boxes)


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
@pytest.mark.parametrize("shape", [(20, 21), (8, 10, 12)])
@pytest.mark.parametrize("enforce", [True, False])
def test_rgb_images_and_volumes_find_boxes_of_distinct_colours(
    shape: tuple[int, ...], dtype: Any, enforce: bool
) -> None:
    boxes = quadrants(shape)
    colours = np.array(list(itertools.product((0, 1), repeat=3)))
    image = (255 * colours[boxes]).astype(dtype)
    labels = sp.slic(image, boxes.max() + 1, enforce_connectivity=enforce)
    assert_same_partition(labels, boxes)


def test_one_channel_equals_a_grey_image() -> None:
    with_axis = sp.slic(GREY[..., None], 40, compactness=0.1)
    without = sp.slic(GREY, 40, compactness=0.1, channel_axis=None)
    np.testing.assert_array_equal(with_axis, without)


def test_channel_axis_none_takes_three_axes_as_a_volume() -> None:
    image = PHOTO[:16, :20]
    assert sp.slic(image, 8, channel_axis=None).shape == (16, 20, 3)
    assert sp.slic(image, 8).shape == (16, 20)


def test_flat_volume_equals_the_image() -> None:
    flat = sp.slic(bands(2), 40, compactness=0.1)
    deep = sp.slic(bands(2)[None], 40, compactness=0.1)
    np.testing.assert_array_equal(deep[0], flat)


@pytest.mark.parametrize(
    ("image", "axis"),
    [
        *((PHOTO, axis) for axis in (0, 1, 2, -1, -2, -3)),
        *((bands(5), axis) for axis in (0, 1, -2)),
        *((volume(2), axis) for axis in (0, 1, 2, 3, -2, -4)),
    ],
)
def test_channel_axis_may_be_any_axis(image: Image, axis: int) -> None:
    expected = sp.slic(image, 40, compactness=0.2)
    moved = np.moveaxis(image, -1, axis)
    for layout in (moved, np.ascontiguousarray(moved)):
        labels = sp.slic(layout, 40, compactness=0.2, channel_axis=axis)
        np.testing.assert_array_equal(labels, expected)
        assert labels.flags.c_contiguous


def test_channel_axis_may_be_first_with_a_mask_and_a_numpy_integer() -> None:
    axis: Any = np.int64(0)
    labels = sp.slic(np.moveaxis(PHOTO, -1, 0), 40, mask=MASK, channel_axis=axis)
    np.testing.assert_array_equal(labels, sp.slic(PHOTO, 40, mask=MASK))


LAYOUTS: dict[str, Callable[[Image], Image]] = {
    "fortran": np.asfortranarray,
    "transposed": lambda a: np.swapaxes(np.swapaxes(a, 0, 1).copy(), 0, 1),
    "strided": lambda a: np.repeat(np.repeat(a, 2, axis=0), 3, axis=1)[::2, ::3],
    "reversed": lambda a: a[::-1, ::-1].copy()[::-1, ::-1],
    "reversed-channels": lambda a: a[..., ::-1].copy()[..., ::-1],
    "byte-swapped": lambda a: a.astype(a.dtype.newbyteorder()),
    "unaligned": lambda a: (
        np.frombuffer(b"\0" + a.tobytes(), np.uint8)[1:].view(a.dtype).reshape(a.shape)
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
@pytest.mark.parametrize(
    ("image", "options"),
    [
        (PHOTO, {}),
        (PHOTO.astype(np.uint16), {}),
        (bands(2), {}),
        (GREY, {"channel_axis": None}),
        (volume(), {"channel_axis": None}),
    ],
    ids=["uint8", "uint16", "two-channels", "grey", "volume"],
)
def test_memory_layout_does_not_change_the_labels(
    image: Image, options: Options, layout: Any
) -> None:
    other = layout(image)
    np.testing.assert_array_equal(other, image)
    expected = sp.slic(image, 40, compactness=0.2, **options)
    np.testing.assert_array_equal(sp.slic(other, 40, compactness=0.2, **options), expected)


def test_memory_layout_of_zero_strides_is_read_like_any_other() -> None:
    image = np.broadcast_to(PHOTO[:1], PHOTO.shape)
    np.testing.assert_array_equal(sp.slic(image, 40), sp.slic(image.copy(), 40))


@pytest.mark.parametrize("layout", ["fortran", "transposed", "strided", "reversed"])
def test_memory_layout_of_the_mask_does_not_change_the_labels(layout: str) -> None:
    mask = LAYOUTS[layout](MASK)
    np.testing.assert_array_equal(sp.slic(PHOTO, 40, mask=mask), sp.slic(PHOTO, 40, mask=MASK))


def test_two_dimensional_image_with_a_channel_axis_is_a_value_error() -> None:
    for axis in (-1, 0, 1):
        with pytest.raises(ValueError, match="channel_axis"):
            sp.slic(GREY, channel_axis=axis)
    with pytest.raises(ValueError, match="channel_axis"):
        sp.slic(GREY)


@pytest.mark.parametrize("shape", [(), (7,), (2, 3, 4, 5), (2, 2, 2, 2, 2)])
def test_without_channels_only_two_or_three_dimensions(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="image"):
        sp.slic(np.zeros(shape), channel_axis=None)


@pytest.mark.parametrize("shape", [(7,), (2, 3, 4, 5, 3), (2, 2, 2, 2, 2, 3)])
def test_with_channels_only_three_or_four_dimensions(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="image"):
        sp.slic(np.zeros(shape))


@pytest.mark.parametrize("shape", [(0, 5, 3), (5, 0, 3), (5, 5, 0), (0, 0, 0), (4, 0, 4, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_empty_image_is_a_value_error(shape: tuple[int, ...], dtype: Any) -> None:
    with pytest.raises(ValueError, match="image"):
        sp.slic(np.zeros(shape, dtype))


@pytest.mark.parametrize("axis", [3, -4, 100])
def test_channel_axis_outside_the_image_is_a_value_error(axis: int) -> None:
    with pytest.raises(ValueError, match="axis"):
        sp.slic(PHOTO, channel_axis=axis)


@pytest.mark.parametrize("spacing", [(1e308, 1e308), (1.0, 1e308), (1e-308, 1.0), (3e306, 3e306)])
def test_spacing_beyond_all_bounds_is_a_value_error(spacing: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="spacing"):
        sp.slic(np.zeros((60, 80, 3), np.uint8), 20, spacing=spacing)


@pytest.mark.parametrize("spacing", [(1e30, 1e30), (1e-30, 1e30), (1e-30, 1e-30)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_extreme_spacing_gives_connected_labels(spacing: tuple[float, float], dtype: Any) -> None:
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype(dtype)
    labels = sp.slic(image, 20, spacing=spacing, compactness=1e30)
    assert_connected(labels)


def test_sigma_beyond_the_image_gives_its_mean() -> None:
    image = np.random.default_rng(0).random((60, 80, 3))
    labels = sp.slic(image, 20, sigma=1e30, convert2lab=False, value_range=(0, 1))
    flat = sp.slic(np.full_like(image, 0.5), 20, convert2lab=False, value_range=(0, 1))
    assert np.mean(labels == flat) > 0.9


def test_more_threads_than_numbers_of_threads_is_a_value_error() -> None:
    image = np.zeros((6, 8, 3), np.uint8)
    with pytest.raises(ValueError, match="num_threads"):
        sp.slic(image, num_threads=2**40)
    with pytest.raises(ValueError, match="32 bits"):
        sp.set_num_threads(2**40)


def test_error_shows_an_array_by_its_shape() -> None:
    image = np.zeros((40, 50, 3), np.uint8)
    with pytest.raises(TypeError, match=r"^n_segments must .* array of shape \(40, 50\) and bool$"):
        sp.slic(image, np.zeros((40, 50), bool))  # type: ignore[arg-type]  # the mistake


@pytest.mark.parametrize("image", [[[1.0, 2.0], [3.0, 4.0]], None, "image", 3.0, range(4)])
def test_image_that_is_no_array_is_a_type_error(image: Any) -> None:
    with pytest.raises(TypeError, match="image"):
        sp.slic(image, channel_axis=None)


def test_masks_of_masked_arrays_are_not_dropped() -> None:
    image = np.zeros((6, 8, 3))
    with pytest.raises(TypeError, match=r"image must not be a masked array.* as mask where"):
        sp.slic(np.ma.masked_array(image, image > 0))
    inside = np.ones((6, 8), bool)
    with pytest.raises(TypeError, match="mask must not be a masked array"):
        sp.slic(image, mask=np.ma.masked_array(inside))


# --- image: dtype, value range --------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("options", [{}, {"convert2lab": False, "compactness": 0.2}])
def test_every_real_dtype_gives_nearly_the_same_labels(dtype: Any, options: Options) -> None:
    image = LARGE // 4
    expected = sp.slic(image.astype(np.float64), 40, **options)
    labels = sp.slic(image.astype(dtype), 40, **options)
    assert agreement(labels, expected) >= NEARLY_EQUAL


@pytest.mark.parametrize("dtype", [*SIGNED, *UNSIGNED])
@pytest.mark.parametrize("axis", [-1, None])
def test_integers_are_independent_of_scale_and_offset(dtype: Any, axis: int | None) -> None:
    image = PHOTO if axis is not None else PHOTO[..., 0]
    image = (image.astype(int) * 60 // image.max()).astype(dtype)
    expected = sp.slic(image, 40, compactness=0.2, channel_axis=axis)
    scaled = (2 * image + 3).astype(dtype)
    np.testing.assert_array_equal(sp.slic(scaled, 40, compactness=0.2, channel_axis=axis), expected)


@pytest.mark.parametrize(("scale", "offset"), [(2.0, 0.0), (0.125, -1.0), (2.0**40, 2.0**30)])
def test_floats_are_independent_of_scale_and_offset(scale: float, offset: float) -> None:
    image = PHOTO / 256.0  # few bits, so that scaling and shifting round nothing away
    expected = sp.slic(image, 40)
    np.testing.assert_array_equal(sp.slic(scale * image + offset, 40), expected)


@pytest.mark.parametrize("dtype", SIGNED)
def test_signed_integers_may_use_their_whole_range(dtype: Any) -> None:
    info = np.iinfo(dtype)
    image = two_halves(dtype, info.min, info.max)
    labels = sp.slic(image, 2, compactness=0.1, channel_axis=None)
    assert_same_partition(labels, two_halves(np.int64, 0, 1))


@pytest.mark.parametrize("dtype", UNSIGNED)
def test_unsigned_integers_may_use_their_whole_range(dtype: Any) -> None:
    image = two_halves(dtype, 0, np.iinfo(dtype).max)
    labels = sp.slic(image, 2, compactness=0.1, channel_axis=None)
    assert_same_partition(labels, two_halves(np.int64, 0, 1))


def test_large_integers_that_differ_little_are_told_apart() -> None:
    for dtype in (np.int64, np.uint64):
        image = two_halves(np.int64, 0, 8).astype(dtype) + dtype(2**52)
        labels = sp.slic(image, 2, compactness=0.1, channel_axis=None)
        assert_same_partition(labels, two_halves(np.int64, 0, 1))


@pytest.mark.parametrize("dtype", FLOATS)
def test_floats_may_use_their_whole_range(dtype: Any) -> None:
    info = np.finfo(dtype)
    tiny = info.smallest_subnormal
    for low, high in ((info.min, info.max), (0, info.max), (0, tiny), (-tiny, tiny)):
        image = two_halves(dtype, float(low), float(high))
        labels = sp.slic(image, 2, compactness=0.1, channel_axis=None)
        assert_same_partition(labels, two_halves(np.int64, 0, 1))


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64])
def test_wider_integers_give_exactly_the_labels_of_float64(dtype: Any) -> None:
    image = PHOTO.astype(dtype) * dtype(100)
    np.testing.assert_array_equal(sp.slic(image, 40), sp.slic(image.astype(np.float64), 40))


def test_float16_gives_exactly_the_labels_of_float32() -> None:
    image = (PHOTO / 256.0).astype(np.float16)
    np.testing.assert_array_equal(sp.slic(image, 40), sp.slic(image.astype(np.float32), 40))


def test_bool_image_equals_zeros_and_ones() -> None:
    image = GREY > 0.4
    labels = sp.slic(image, 40, compactness=0.1, channel_axis=None)
    floats = sp.slic(image.astype(float), 40, compactness=0.1, channel_axis=None)
    np.testing.assert_array_equal(labels, floats)


def test_bool_image_may_have_channels() -> None:
    image = LARGE > 100
    assert agreement(sp.slic(image, 40), sp.slic(image.astype(float), 40)) >= NEARLY_EQUAL


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_complex_image_is_a_value_error(dtype: Any) -> None:
    with pytest.raises(ValueError, match=r"image|complex"):
        sp.slic(PHOTO.astype(dtype))


@pytest.mark.parametrize("dtype", [object, "M8[s]", "m8[s]", "S1", "U1", [("a", "u1")]])
def test_image_of_other_dtypes_is_refused(dtype: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=r"image|dtype"):
        sp.slic(np.zeros((4, 4, 3), dtype))


def test_channels_are_stretched_together() -> None:
    image = np.stack([GREY, 0.001 * noise(GREY.shape, np.float64)], axis=-1)
    labels = sp.slic(image, 40, compactness=0.1)
    alone = sp.slic(GREY, 40, compactness=0.1, channel_axis=None)
    assert agreement(labels, alone) >= NEARLY_EQUAL


@pytest.mark.parametrize("value", [0, 1, 255])
def test_constant_image_of_any_value_is_cut_into_the_grid(value: int) -> None:
    for dtype in (np.uint8, np.float32, np.float64):
        image = np.full((40, 60, 3), value, dtype)
        np.testing.assert_array_equal(sp.slic(image, 24), blocks((40, 60), (10, 10)))


@pytest.mark.parametrize("image", [PHOTO, GREY[..., None], bands(2), volume(3)])
def test_value_range_of_the_images_own_extremes_equals_none(image: Image) -> None:
    extremes = (image.min(), image.max())
    np.testing.assert_array_equal(
        sp.slic(image, 40, 0.2, value_range=extremes), sp.slic(image, 40, 0.2)
    )


def test_value_range_of_uint8_nearly_equals_that_of_its_float_copy() -> None:
    # Two iterations: before the last two, integers and floats take other pixels in turns.
    labels = sp.slic(LARGE, 40, max_num_iter=2, value_range=(0, 255))
    floats = sp.slic(LARGE / 255.0, 40, max_num_iter=2, value_range=(0, 1))
    assert agreement(labels, floats) >= 0.99


def test_value_range_of_uint16_exactly_equals_that_of_its_copies() -> None:
    image = PHOTO.astype(np.uint16) * np.uint16(257)
    expected = sp.slic(image, 40, value_range=(0, 65535))
    for dtype in (np.int32, np.uint32, np.int64, np.uint64, np.float64):
        labels = sp.slic(image.astype(dtype), 40, value_range=(0, 65535))
        np.testing.assert_array_equal(labels, expected)
    divided = sp.slic(image / 65535, 40, value_range=(0, 1))
    assert agreement(divided, expected) >= 0.99


def test_value_range_maps_its_ends_to_zero_and_one() -> None:
    image = 0.25 + PHOTO / 1024.0
    labels = sp.slic(image, 40, value_range=(0.25, 0.5))
    np.testing.assert_array_equal(labels, sp.slic(PHOTO / 256.0, 40, value_range=(0, 1)))


def test_value_range_makes_a_dark_copy_as_flat_as_it_is() -> None:
    half = sp.slic(GREY / 2, 40, compactness=0.25, channel_axis=None, value_range=(0, 1))
    full = sp.slic(GREY, 40, compactness=0.5, channel_axis=None, value_range=(0, 1))
    assert agreement(half, full) >= NEARLY_EQUAL


@pytest.mark.parametrize(
    "value_range", [(1, 1), (2, 1), (NAN, 1), (0, NAN), (-INF, 1), (0, INF), (0,), (0, 1, 2), ()]
)
def test_value_range_that_is_none_is_a_value_error(value_range: Any) -> None:
    with pytest.raises(ValueError, match="value_range"):
        sp.slic(PHOTO, value_range=value_range)


# --- not finite -----------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [NAN, INF, -INF])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("shape", "axis"), [((9, 8, 2), -1), ((9, 8), None), ((4, 5, 6), None)])
def test_unmasked_nan_or_infinity_is_a_value_error(
    value: float, dtype: Any, shape: tuple[int, ...], axis: int | None
) -> None:
    image = np.zeros(shape, dtype)
    image[-1, -1, ...].flat[-1] = value
    word = "nan" if math.isnan(value) else "inf"
    for value_range in (None, (0, 1)):
        with pytest.raises(ValueError, match=f"(?i){word}"):
            sp.slic(image, 4, channel_axis=axis, value_range=value_range)


def test_unmasked_nan_is_a_value_error_with_a_mask_too() -> None:
    image = GREY.copy()
    image[30, 40] = NAN
    assert MASK[30, 40]
    with pytest.raises(ValueError, match=r"(?i)nan"):
        sp.slic(image, 40, mask=MASK, channel_axis=None)


@pytest.mark.parametrize("value", [NAN, INF, -INF, 1e30])
@pytest.mark.parametrize("lab", [True, False])
def test_values_outside_the_mask_change_nothing(value: float, lab: bool) -> None:
    image = PHOTO.astype(np.float32) if lab else bands(2)
    spoilt = image.copy()
    spoilt[~MASK] = value
    other = np.where(MASK[..., None], image, np.float32(7))
    for value_range in (None, (0, image.max())):
        labels, expected = (
            sp.slic(x, 40, 10.0 if lab else 0.1, mask=MASK, value_range=value_range)
            for x in (spoilt, other)
        )
        np.testing.assert_array_equal(labels, expected)


def test_values_outside_the_mask_change_nothing_in_uint8() -> None:
    image = PHOTO // 2 + 50
    labels, expected = (
        sp.slic(np.where(MASK[..., None], image, np.uint8(value)), 40, mask=MASK)
        for value in (0, 255)
    )
    np.testing.assert_array_equal(labels, expected)


@pytest.mark.parametrize("value", [NAN, INF])
def test_values_outside_the_mask_do_not_spread_by_sigma(value: float) -> None:
    image = GREY.copy()
    image[~MASK] = value
    labels = sp.slic(image, 40, 0.2, sigma=2, mask=MASK, channel_axis=None)
    assert_gap_free(labels, 1, MASK)
    assert_connected(labels, MASK)
    assert 20 <= labels.max() <= 80
