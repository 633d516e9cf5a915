"""The parameters of `superpix.slic` that say how pixels are clustered."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import ndimage
from skimage.segmentation import slic as skimage_slic

import superpix as sp
from support.connectivity import (
    agreement,
    assert_connected,
    assert_gap_free,
    assert_same_partition,
    border_length,
)
from support.slic import (
    GREY,
    INF,
    MASK,
    NAN,
    NEARLY_EQUAL,
    PHOTO,
    Image,
    Options,
    bands,
    blocks,
    noise,
    quadrants,
    spread,
    volume,
)

# --- n_segments -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "n_segments"),
    [
        ((64, 64), 97),
        ((28, 28), 75),
        ((28, 28), 100),
        ((48, 48), 50),
        ((100, 37), 30),
        ((37, 100), 60),
        ((3, 600), 25),
        ((600, 3), 25),
        ((1, 500), 33),
        ((160, 240), 1000),
        ((20, 20, 20), 50),
        ((8, 30, 40), 90),
    ],
)
def test_n_segments_of_a_constant_image_is_met_within_15_percent(
    shape: tuple[int, ...], n_segments: int
) -> None:
    labels = sp.slic(np.zeros(shape), n_segments, channel_axis=None)
    assert np.unique(labels).size == pytest.approx(n_segments, rel=0.15)


@pytest.mark.parametrize(
    ("shape", "cell"),
    [
        ((40, 60), (10, 10)),
        ((60, 60), (10, 10)),
        ((1, 12), (1, 3)),
        ((12, 1), (3, 1)),
        ((20, 20, 20), (10, 10, 10)),
        ((1, 1, 20), (1, 1, 5)),
    ],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("slic_zero", [False, True])
def test_n_segments_that_divides_a_constant_image_gives_equal_boxes(
    shape: tuple[int, ...], cell: tuple[int, ...], dtype: Any, slic_zero: bool
) -> None:
    expected = blocks(shape, cell)
    n_segments = int(expected.max())
    labels = sp.slic(np.ones((*shape, 3), dtype), n_segments, slic_zero=slic_zero)
    np.testing.assert_array_equal(labels, expected)
    labels = sp.slic(np.ones(shape, dtype), n_segments, slic_zero=slic_zero, channel_axis=None)
    np.testing.assert_array_equal(labels, expected)


@pytest.mark.parametrize("image", [PHOTO, GREY[..., None], noise((9, 10, 11, 2))])
def test_n_segments_of_one_gives_one_label(image: Image) -> None:
    assert (sp.slic(image, 1) == 1).all()


@pytest.mark.parametrize("n_segments", [30 * 20, 30 * 20 + 1, 5000, 2**31, 10**12])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("slic_zero", [False, True])
def test_n_segments_of_at_least_the_pixels_gives_each_its_own_label(
    n_segments: int, dtype: Any, slic_zero: bool
) -> None:
    expected = np.arange(1, 601).reshape(20, 30)
    for image in (PHOTO[:20, :30], noise((20, 30, 3)), np.zeros((20, 30, 3)), bands(2)[:20, :30]):
        labels = sp.slic(image.astype(dtype), n_segments, slic_zero=slic_zero)
        np.testing.assert_array_equal(labels, expected)


def test_n_segments_of_at_least_the_voxels_gives_each_its_own_label() -> None:
    labels = sp.slic(noise((4, 5, 6), np.float32), 120, channel_axis=None)
    np.testing.assert_array_equal(labels, np.arange(1, 121).reshape(4, 5, 6))


def test_n_segments_of_at_least_the_masked_pixels_gives_each_its_own_label() -> None:
    mask = MASK[10:30, 20:50]
    labels = sp.slic(PHOTO[10:30, 20:50], 2000, mask=mask)
    np.testing.assert_array_equal(labels[mask], np.arange(1, mask.sum() + 1))


def test_n_segments_may_be_a_numpy_integer_or_an_integral_float() -> None:
    expected = sp.slic(PHOTO, 40)
    numbers: tuple[Any, ...] = (np.int16(40), np.uint8(40), np.int64(40), 40.0, np.float32(40))
    for n_segments in numbers:
        np.testing.assert_array_equal(sp.slic(PHOTO, n_segments), expected)
        np.testing.assert_array_equal(sp.slic(PHOTO, n_segments=n_segments, mask=None), expected)
    masked = sp.slic(PHOTO, 40, mask=MASK)
    np.testing.assert_array_equal(sp.slic(PHOTO, 40.0, mask=MASK), masked)


@pytest.mark.parametrize("n_segments", [99.5, 0.5, np.float64(7.25)])
def test_n_segments_that_is_no_whole_number_is_a_type_error(n_segments: float) -> None:
    with pytest.raises(TypeError, match="n_segments"):
        sp.slic(PHOTO, n_segments)


@pytest.mark.parametrize("n_segments", [0, -1, -100, 0.0, np.int32(-5)])
def test_n_segments_below_one_is_a_value_error(n_segments: int) -> None:
    with pytest.raises(ValueError, match="n_segments"):
        sp.slic(PHOTO, n_segments)


# --- compactness ----------------------------------------------------------------------------------


@pytest.mark.parametrize("compactness", [0, 0.0, -0.0, -1, -INF, NAN])
def test_compactness_not_above_zero_is_a_value_error(compactness: float) -> None:
    with pytest.raises(ValueError, match="compactness"):
        sp.slic(PHOTO, compactness=compactness)


@pytest.mark.parametrize(
    ("image", "scale"),
    [(PHOTO, 1), (PHOTO.astype(np.float32), 1), (volume(3), 2), (bands(2), 0.01)],
)
def test_compactness_trades_colour_for_shape(image: Image, scale: float) -> None:
    low, middle, high = (
        border_length(sp.slic(image, 40, c * scale, enforce_connectivity=False))
        for c in (1.0, 10.0, 100.0)
    )
    assert low > 1.1 * middle > 1.1**2 * high


@pytest.mark.parametrize("compactness", [20.0, 40.0, 80.0, 160.0])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_compactness_keeps_the_meaning_of_scikit_image_in_lab(
    dtype: Any, compactness: float
) -> None:
    # Without chroma, whose weight differs from scikit-image's (docs/accuracy.md).
    image = np.repeat(noise((60, 60, 1), dtype), 3, axis=2)
    theirs = skimage_slic(image, 36, compactness, enforce_connectivity=False)
    ours = sp.slic(image, 36, compactness, enforce_connectivity=False)
    assert border_length(ours) == pytest.approx(border_length(theirs), rel=0.15)


@pytest.mark.parametrize("compactness", [0.1, 0.2, 0.4, 0.8])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float64])
def test_compactness_keeps_the_meaning_of_scikit_image_without_lab(
    dtype: Any, compactness: float
) -> None:
    image = noise((60, 60), dtype)
    options: Options = {"enforce_connectivity": False, "channel_axis": None}
    theirs = skimage_slic(image, 36, compactness, **options)
    ours = sp.slic(image, 36, compactness, **options)
    assert border_length(ours) == pytest.approx(border_length(theirs), rel=0.15)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("compactness", [1e6, 1e30, 1e300])
def test_compactness_without_end_gives_the_grid(dtype: Any, compactness: float) -> None:
    labels = sp.slic(noise((40, 60, 3), dtype), 24, compactness)
    np.testing.assert_array_equal(labels, blocks((40, 60), (10, 10)))


@pytest.mark.parametrize("image", [PHOTO, bands(2)])
@pytest.mark.parametrize("compactness", [1e-3, 1e-30, 1e-300, 5e-324])
def test_compactness_near_zero_gives_whole_labels(image: Image, compactness: float) -> None:
    labels = sp.slic(image, 40, compactness)
    assert_connected(labels)
    assert_gap_free(labels, 1)
    assert labels.max() >= 5


def test_channels_add_up_in_the_distance() -> None:
    four = np.repeat(GREY[..., None], 4, axis=-1)
    labels = sp.slic(four, 40, compactness=0.5)
    one = sp.slic(GREY, 40, compactness=0.25, channel_axis=None)
    assert agreement(labels, one) >= NEARLY_EQUAL


# --- max_num_iter ---------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("options", [{}, {"slic_zero": True}, {"enforce_connectivity": False}])
def test_max_num_iter_of_zero_gives_the_initial_grid(dtype: Any, options: Options) -> None:
    image = noise((40, 60, 3), dtype)
    labels = sp.slic(image, 24, max_num_iter=0, **options)
    np.testing.assert_array_equal(labels, blocks((40, 60), (10, 10)))


def test_max_num_iter_of_zero_gives_the_initial_grid_of_a_volume() -> None:
    labels = sp.slic(noise((20, 20, 20)), 8, max_num_iter=0, channel_axis=None, start_label=0)
    np.testing.assert_array_equal(labels, blocks((20, 20, 20), (10, 10, 10), start=0))


@pytest.mark.parametrize("max_num_iter", [0, 1, 2, np.int64(3), 100])
def test_max_num_iter_of_any_size_gives_whole_labels(max_num_iter: int) -> None:
    for image, compactness in ((PHOTO, 10.0), (bands(2), 0.1)):
        labels = sp.slic(image, 40, compactness, max_num_iter)
        assert_connected(labels)
        assert_gap_free(labels, 1)
        assert 20 <= labels.max() <= 80


def test_max_num_iter_moves_the_labels_to_the_colours() -> None:
    before, after = (sp.slic(GREY, 40, 0.05, n, channel_axis=None) for n in (0, 10))
    assert spread(GREY, after) < 0.8 * spread(GREY, before)


@pytest.mark.parametrize("max_num_iter", [-1, -10])
def test_max_num_iter_below_zero_is_a_value_error(max_num_iter: int) -> None:
    with pytest.raises(ValueError, match="max_num_iter"):
        sp.slic(PHOTO, max_num_iter=max_num_iter)


# --- sigma ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("sigma", [1.5, (0, 2), (2.0, 0.0), [1, 3], np.array([0.5, 1.0]), 3])
def test_sigma_blurs_the_image_first_with_reflected_borders(sigma: Any) -> None:
    options: Options = {"compactness": 0.2, "channel_axis": None, "value_range": (0, 1)}
    blurred = ndimage.gaussian_filter(GREY, sigma, mode="reflect")
    labels = sp.slic(GREY, 40, sigma=sigma, **options)
    assert agreement(labels, sp.slic(blurred, 40, **options)) >= NEARLY_EQUAL
    assert agreement(labels, sp.slic(GREY, 40, **options)) < NEARLY_EQUAL


@pytest.mark.parametrize("sigma", [1.0, (1.0, 0, 2.0)])
def test_sigma_blurs_volumes_along_their_own_axes(sigma: Any) -> None:
    options: Options = {"compactness": 0.05, "channel_axis": None, "value_range": (0, 1)}
    image = noise((12, 14, 16), np.float64)
    blurred = ndimage.gaussian_filter(image, sigma, mode="reflect")
    labels = sp.slic(image, 12, sigma=sigma, **options)
    assert agreement(labels, sp.slic(blurred, 12, **options)) >= NEARLY_EQUAL


def test_sigma_blurs_no_channel_into_another() -> None:
    image = bands(2).astype(np.float64)
    options: Options = {"compactness": 0.2, "value_range": (0, 1)}
    blurred = ndimage.gaussian_filter(image, (2, 2, 0), mode="reflect")
    labels = sp.slic(image, 40, sigma=2, **options)
    assert agreement(labels, sp.slic(blurred, 40, **options)) >= NEARLY_EQUAL


def test_sigma_smooths_uint8_rgb_too() -> None:
    rough = sp.slic(noise((48, 64, 3)), 40, enforce_connectivity=False)
    smooth = sp.slic(noise((48, 64, 3)), 40, sigma=3, enforce_connectivity=False)
    assert border_length(smooth) < 0.7 * border_length(rough)


def test_sigma_wider_than_the_image_is_allowed() -> None:
    labels = sp.slic(PHOTO[:6, :7], 4, sigma=30)
    assert_connected(labels)


@pytest.mark.parametrize("sigma", [0, 0.0, (0, 0), [0.0, 0.0], np.zeros(2), np.float32(0)])
def test_sigma_of_zero_is_no_blur(sigma: Any) -> None:
    np.testing.assert_array_equal(sp.slic(PHOTO, 40, sigma=sigma), sp.slic(PHOTO, 40))


def test_sigma_scalar_is_divided_by_spacing() -> None:
    scalar = sp.slic(bands(2), 40, 0.1, sigma=2, spacing=(2, 1))
    sequence = sp.slic(bands(2), 40, 0.1, sigma=(1, 2), spacing=(2, 1))
    np.testing.assert_array_equal(scalar, sequence)


def test_sigma_sequence_is_not_divided_by_spacing() -> None:
    options: Options = {"compactness": 0.2, "channel_axis": None, "value_range": (0, 1)}
    blurred = ndimage.gaussian_filter(GREY, (2, 2), mode="reflect")
    labels = sp.slic(GREY, 40, sigma=(2, 2), spacing=(4, 1), **options)
    expected = sp.slic(blurred, 40, spacing=(4, 1), **options)
    assert agreement(labels, expected) >= NEARLY_EQUAL


@pytest.mark.parametrize("sigma", [(), (1,), (1, 2, 3, 4), np.ones(5)])
def test_sigma_of_a_wrong_length_is_a_value_error_in_2d(sigma: Any) -> None:
    with pytest.raises(ValueError, match="sigma"):
        sp.slic(PHOTO, sigma=sigma)


@pytest.mark.parametrize("sigma", [(), (1,), (1, 2), (1, 2, 3, 4)])
def test_sigma_of_a_wrong_length_is_a_value_error_in_3d(sigma: Any) -> None:
    with pytest.raises(ValueError, match="sigma"):
        sp.slic(volume(), sigma=sigma, channel_axis=None)


@pytest.mark.parametrize("sigma", [-1, -0.5, NAN, INF, (1, -1), (NAN, 0)])
def test_sigma_that_is_no_width_is_a_value_error(sigma: Any) -> None:
    with pytest.raises(ValueError, match="sigma"):
        sp.slic(PHOTO, sigma=sigma)


# --- spacing --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "options", "spacing"),
    [
        (PHOTO, {}, (1, 1)),
        (PHOTO, {"sigma": 1}, [1.0, 1.0]),
        (GREY, {"channel_axis": None}, np.ones(2)),
        (volume(), {"channel_axis": None}, (1, 1, 1)),
        (PHOTO, {"mask": MASK}, (1, 1)),
    ],
)
def test_spacing_of_ones_equals_none(image: Image, options: Options, spacing: Any) -> None:
    labels = sp.slic(image, 40, 0.2, spacing=spacing, **options)
    np.testing.assert_array_equal(labels, sp.slic(image, 40, 0.2, spacing=None, **options))


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_spacing_of_tall_pixels_splits_by_rows(dtype: Any) -> None:
    image = np.array([[1, 1, 1, 0, 0], [1, 1, 0, 0, 0]], dtype)
    options: Options = {"n_segments": 2, "compactness": 1.0, "channel_axis": None}
    plain = sp.slic(image, **options)
    np.testing.assert_array_equal(plain, [[1, 1, 1, 2, 2], [1, 1, 2, 2, 2]])
    spaced = sp.slic(image, spacing=[500, 1], **options)
    np.testing.assert_array_equal(spaced, [[1] * 5, [2] * 5])


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_spacing_flattens_the_labels_along_its_axis(axis: int, masked: bool, dtype: Any) -> None:
    spacing = [1.0, 1.0]
    spacing[axis] = 4.0
    mask = np.zeros((48, 48), bool)
    mask[2:-2, 2:-2] = True
    labels = sp.slic(
        noise((48, 48, 3), dtype),
        16,
        20.0,
        spacing=spacing,
        enforce_connectivity=False,
        mask=mask if masked else None,
    )
    index = np.indices(labels.shape)
    along, across = (spread(index[a], labels, mask) for a in (axis, 1 - axis))
    assert along < 0.7 * across


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_spacing_flattens_supervoxels_along_its_axis(axis: int) -> None:
    spacing = np.ones(3)
    spacing[axis] = 4
    image = noise((18, 18, 18), np.float32)
    labels = sp.slic(image, 8, 0.1, spacing=spacing, enforce_connectivity=False, channel_axis=None)
    widths = [spread(index, labels) for index in np.indices(labels.shape)]
    assert widths[axis] < 0.7 * min(np.delete(widths, axis))


def test_spacing_of_twos_weighs_space_like_twice_the_compactness() -> None:
    labels = sp.slic(bands(2), 40, 0.125, spacing=(2, 2))
    assert agreement(labels, sp.slic(bands(2), 40, 0.25)) >= NEARLY_EQUAL


@pytest.mark.parametrize("spacing", [1, 2.0, np.float64(3), True])
def test_spacing_scalar_is_a_type_error(spacing: Any) -> None:
    with pytest.raises(TypeError, match="spacing"):
        sp.slic(PHOTO, spacing=spacing)


@pytest.mark.parametrize("spacing", [(), (1,), (1, 1, 1, 1)])
def test_spacing_of_a_wrong_length_is_a_value_error_in_2d(spacing: Any) -> None:
    with pytest.raises(ValueError, match="spacing"):
        sp.slic(PHOTO, spacing=spacing)


@pytest.mark.parametrize("spacing", [(), (1,), (1, 1), (1, 1, 1, 1)])
def test_spacing_of_a_wrong_length_is_a_value_error_in_3d(spacing: Any) -> None:
    with pytest.raises(ValueError, match="spacing"):
        sp.slic(volume(), spacing=spacing, channel_axis=None)


@pytest.mark.parametrize("spacing", [(0, 1), (1, -1), (NAN, 1), (1, INF)])
def test_spacing_that_is_no_length_is_a_value_error(spacing: Any) -> None:
    with pytest.raises(ValueError, match="spacing"):
        sp.slic(PHOTO, spacing=spacing)


@pytest.mark.parametrize(
    ("name", "three", "two"), [("sigma", (7, 1, 2), (1, 2)), ("spacing", (7, 3, 1), (3, 1))]
)
@pytest.mark.parametrize(
    ("image", "axis"), [(PHOTO, -1), (GREY, None), (np.moveaxis(PHOTO, -1, 0), 0)]
)
def test_three_entries_on_a_2d_image_warn_and_are_z_y_x(
    name: str, three: Any, two: Any, image: Image, axis: int | None
) -> None:
    with pytest.warns(FutureWarning, match=name) as record:
        labels = sp.slic(image, 40, 0.2, channel_axis=axis, **{name: three})
    assert len(record) == 1
    assert record[0].filename == __file__  # the caller's line, not superpix's
    expected = sp.slic(image, 40, 0.2, channel_axis=axis, **{name: two})
    np.testing.assert_array_equal(labels, expected)


# --- convert2lab ----------------------------------------------------------------------------------


@pytest.mark.parametrize("image", [PHOTO, PHOTO / 255.0, volume(3)])
def test_convert2lab_none_converts_three_channels(image: Image) -> None:
    default = sp.slic(image, 40)
    np.testing.assert_array_equal(sp.slic(image, 40, convert2lab=None), default)
    np.testing.assert_array_equal(sp.slic(image, 40, convert2lab=True), default)
    assert agreement(sp.slic(image, 40, convert2lab=False), default) < NEARLY_EQUAL


@pytest.mark.parametrize("image", [GREY[..., None], bands(2), bands(5), volume(2)])
def test_convert2lab_none_leaves_other_channel_counts_alone(image: Image) -> None:
    labels = sp.slic(image, 40, 0.1, convert2lab=None)
    np.testing.assert_array_equal(labels, sp.slic(image, 40, 0.1, convert2lab=False))


@pytest.mark.parametrize("n_channels", [1, 2, 4, 5])
def test_convert2lab_of_other_channel_counts_is_a_value_error(n_channels: int) -> None:
    with pytest.raises(ValueError, match=r"convert2lab|Lab|RGB"):
        sp.slic(bands(n_channels), convert2lab=True)
    with pytest.raises(ValueError, match=r"convert2lab|Lab|RGB"):
        sp.slic(np.moveaxis(bands(n_channels), -1, 0), convert2lab=True, channel_axis=0)


def test_convert2lab_is_ignored_without_a_channel_axis() -> None:
    # an image, and a volume three pixels wide
    for image in (GREY, volume(3)[0]):
        labels, expected = (
            sp.slic(image, 4, 0.1, convert2lab=choice, channel_axis=None)
            for choice in (True, False)
        )
        np.testing.assert_array_equal(labels, expected)
    np.testing.assert_array_equal(sp.slic(image, 4, 0.1, channel_axis=None), expected)


def test_convert2lab_uses_the_lab_of_the_stretched_image() -> None:
    image = PHOTO.astype(np.float64)
    image = (image - image.min()) / np.ptp(image)
    lab = sp.rgb_to_lab(image) * np.sqrt([1.0, 3.0, 3.0])  # the weight of chroma
    converted = sp.slic(lab, 40, 10.0 / float(np.ptp(lab)), convert2lab=False)
    assert agreement(sp.slic(image, 40, 10.0), converted) >= NEARLY_EQUAL
    assert agreement(sp.slic(0.25 * image + 0.5, 40, 10.0), converted) >= NEARLY_EQUAL


# --- slic_zero ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_slic_zero_finds_boxes_of_distinct_colours(dtype: Any) -> None:
    boxes = quadrants((20, 21))
    colours = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]], dtype)
    assert_same_partition(sp.slic(colours[boxes], 4, slic_zero=True), boxes)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_slic_zero_adapts_to_texture(dtype: Any) -> None:
    image = noise((60, 60, 3), dtype)
    options: Options = {"compactness": 1.0, "enforce_connectivity": False}
    ragged = border_length(sp.slic(image, 36, **options))
    regular = border_length(sp.slic(image, 36, slic_zero=True, **options))
    assert regular < 0.7 * ragged
