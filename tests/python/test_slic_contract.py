"""`superpix.slic` line by line: what scikit-image's `slic` promises, and what superpix adds.

Black box: only labels, errors and warnings are looked at, never a particular segmentation, except
where the image leaves no choice. Labels that other arithmetic may decide otherwise (8-bit integers
against floats) are compared by agreement, all others exactly.
"""

from __future__ import annotations

import inspect
import itertools
import math
import re
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import slic as skimage_slic

import superpix as sp
from support.connectivity import (
    agreement,
    assert_connected,
    assert_gap_free,
    assert_no_small_pieces,
    assert_same_partition,
    border_length,
    components,
    sizes,
)

Image: TypeAlias = NDArray[Any]
Options: TypeAlias = dict[str, Any]

SIGNED = (np.int8, np.int16, np.int32, np.int64)
UNSIGNED = (np.uint8, np.uint16, np.uint32, np.uint64)
FLOATS = (np.float16, np.float32, np.float64)
DTYPES = (*SIGNED, *UNSIGNED, *FLOATS)

NAN, INF = math.nan, math.inf

# Agreement of labels that are computed in other arithmetic, or on an image rounded elsewhere.
NEARLY_EQUAL = 0.97


# --- images ---------------------------------------------------------------------------------------


def photo(height: int = 60, width: int = 80, seed: int = 0) -> Image:
    """uint8 RGB: coloured discs with soft shading and a little noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    image = np.stack([60 + 40 * y / height, 90 + 50 * x / width, 110 - 30 * y / height], axis=-1)
    for _ in range(9):
        cy, cx = rng.uniform(0, height), rng.uniform(0, width)
        radius = rng.uniform(0.1, 0.3) * min(height, width)
        disc = np.hypot(y - cy, x - cx) < radius
        image[disc] = rng.uniform(20, 235, 3) + 0.5 * (x - cx)[disc, None]
    image += rng.normal(0, 3, image.shape)
    return np.asarray(np.clip(image, 0, 255), np.uint8)


def grey(height: int = 60, width: int = 80) -> Image:
    """float64 in [0, 1], both ends taken."""
    image = photo(height, width)[..., 1].astype(np.float64)
    return np.asarray((image - image.min()) / np.ptp(image))


def noise(shape: tuple[int, ...], dtype: Any = np.uint8, seed: int = 0) -> Image:
    values = np.random.default_rng(seed).integers(0, 256, shape)
    return (values / 255).astype(dtype) if np.dtype(dtype).kind == "f" else values.astype(dtype)


def bands(n_channels: int) -> Image:
    """float32 image of several channels with structure in each."""
    channels = [np.roll(grey(), 7 * c, axis=1) for c in range(n_channels)]
    return np.stack(channels, axis=-1).astype(np.float32)


def volume(channels: int | None = None) -> Image:
    """float32 volume of smooth blobs."""
    shape = (10, 16, 20) if channels is None else (10, 16, 20, channels)
    sigma = (2.0, 2.0, 2.0) if channels is None else (2.0, 2.0, 2.0, 0.0)
    values = np.random.default_rng(3).random(shape)
    return np.asarray(ndimage.gaussian_filter(values, sigma), np.float32)


def blocks(shape: tuple[int, ...], cell: tuple[int, ...], start: int = 1) -> NDArray[np.int64]:
    """Row-major numbers of equal boxes."""
    counts = tuple(s // c for s, c in zip(shape, cell, strict=True))
    where = [i // c for i, c in zip(np.indices(shape), cell, strict=True)]
    return np.asarray(np.ravel_multi_index(where, counts), np.int64) + start


def quadrants(shape: tuple[int, ...]) -> NDArray[np.int64]:
    """2 ** len(shape) boxes that part the array in the middle of every axis, numbered from 0."""
    out = np.zeros(shape, np.int64)
    for index, size in zip(np.indices(shape), shape, strict=True):
        out = 2 * out + (index >= size // 2)
    return out


def two_halves(dtype: Any, low: float, high: float) -> Image:
    """2-D image with its left part `low` and its right part `high`."""
    image = np.full((12, 20), low, dtype)
    image[:, 9:] = high
    return image


def disc_mask(height: int = 60, width: int = 80) -> NDArray[np.bool_]:
    y, x = np.mgrid[:height, :width]
    return np.asarray(np.hypot(y - height / 2, x - width / 2) < 0.45 * min(height, width))


PHOTO = photo()
LARGE = photo(120, 160)  # where few pixels lie on borders: for agreement
GREY = grey()
MASK = disc_mask()

# One call of every kind: (image, options). Used where a promise holds for all of them.
KINDS: dict[str, tuple[Image, Options]] = {
    "uint8-rgb": (PHOTO, {}),
    "uint8-rgb-noise": (noise((48, 64, 3)), {}),
    "float32-rgb": (PHOTO.astype(np.float32), {}),
    "uint8-rgb-no-lab": (PHOTO, {"convert2lab": False, "compactness": 0.1}),
    "float64-grey": (GREY, {"channel_axis": None, "compactness": 0.1}),
    "uint8-grey": (PHOTO[..., 0], {"channel_axis": None, "compactness": 0.1}),
    "bool-grey": (GREY > 0.4, {"channel_axis": None}),
    "two-channels": (bands(2), {"compactness": 0.1}),
    "sixteen-channels": (bands(16), {"compactness": 0.1}),
    "grey-volume": (volume(), {"channel_axis": None, "compactness": 0.1}),
    "rgb-volume": (volume(3), {"compactness": 1.0}),
    "masked": (PHOTO, {"mask": MASK}),
    "masked-float": (GREY, {"mask": MASK, "channel_axis": None, "compactness": 0.1}),
    "slic-zero": (PHOTO, {"slic_zero": True}),
    "slic-zero-float": (GREY, {"slic_zero": True, "channel_axis": None}),
    "sigma": (PHOTO, {"sigma": 1.5}),
    "spacing": (PHOTO, {"spacing": (2.0, 1.0)}),
    "perturbed-seeds": (PHOTO, {"perturb_seeds": True}),
    "unconnected": (PHOTO, {"enforce_connectivity": False}),
    "value-range": (PHOTO, {"value_range": (0, 255)}),
}
kinds = pytest.mark.parametrize(("image", "options"), KINDS.values(), ids=KINDS.keys())


def spread(values: Any, labels: Image, inside: Image | None = None) -> float:
    """Mean standard deviation of the values within a label."""
    names = np.unique(labels if inside is None else labels[inside])
    return float(np.mean([np.std(values[labels == name]) for name in names]))


def spatial_shape(image: Image, options: Options) -> tuple[int, ...]:
    return image.shape if options.get("channel_axis", -1) is None else image.shape[:-1]


# --- signature ------------------------------------------------------------------------------------


POSITIONAL = {
    "image": inspect.Parameter.empty,
    "n_segments": 100,
    "compactness": 10.0,
    "max_num_iter": 10,
    "sigma": 0,
    "spacing": None,
    "convert2lab": None,
    "enforce_connectivity": True,
    "min_size_factor": 0.5,
    "max_size_factor": 3,
    "slic_zero": False,
    "start_label": 1,
    "mask": None,
}
KEYWORD_ONLY = {
    "channel_axis": -1,
    "value_range": None,
    "device": "cpu",
    "num_threads": None,
    "perturb_seeds": False,
    "refine_iter": 1,
}


def parameters(kind: Any) -> dict[str, Any]:
    found = inspect.signature(sp.slic).parameters.values()
    return {p.name: p.default for p in found if p.kind is kind}


def test_signature_positional_parameters_are_those_of_scikit_image_in_order() -> None:
    found = parameters(inspect.Parameter.POSITIONAL_OR_KEYWORD)
    assert list(found.items()) == list(POSITIONAL.items())


def test_signature_keyword_only_parameters_and_defaults() -> None:
    assert parameters(inspect.Parameter.KEYWORD_ONLY) == KEYWORD_ONLY


def test_signature_has_nothing_else() -> None:
    assert set(inspect.signature(sp.slic).parameters) == {*POSITIONAL, *KEYWORD_ONLY}


def test_signature_is_a_superset_of_the_installed_scikit_image() -> None:
    theirs = inspect.signature(skimage_slic).parameters
    ours = inspect.signature(sp.slic).parameters
    for name, parameter in theirs.items():
        assert (ours[name].kind, ours[name].default) == (parameter.kind, parameter.default), name


def test_positional_arguments_mean_what_their_names_say() -> None:
    values: tuple[Any, ...] = (40, 5.0, 4, 1.0, (1.0, 2.0), False, True, 0.3, 2, True, 0, MASK)
    named = dict(zip(list(POSITIONAL)[1:], values, strict=True))
    np.testing.assert_array_equal(sp.slic(PHOTO, *values), sp.slic(image=PHOTO, **named))


# --- what comes back ------------------------------------------------------------------------------


@kinds
def test_labels_are_int32_of_the_spatial_shape_contiguous_and_owned(
    image: Image, options: Options
) -> None:
    labels = sp.slic(image, 40, **options)
    assert isinstance(labels, np.ndarray)
    assert labels.dtype == np.int32
    assert labels.shape == spatial_shape(image, options)
    assert labels.flags.c_contiguous
    assert labels.flags.writeable
    assert not np.shares_memory(labels, image)


@kinds
def test_labels_are_connected_and_without_gaps(image: Image, options: Options) -> None:
    labels = sp.slic(image, 40, **{**options, "enforce_connectivity": True})
    assert_connected(labels, options.get("mask"))
    assert_gap_free(labels, 1, options.get("mask"))


@kinds
@pytest.mark.parametrize("enforce", [True, False])
def test_labels_number_about_n_segments(image: Image, options: Options, enforce: bool) -> None:
    labels = sp.slic(image, 40, **{**options, "enforce_connectivity": enforce})
    inside = options.get("mask", np.ones(labels.shape, bool))
    assert 20 <= np.unique(labels[inside]).size <= 80


@kinds
def test_start_label_0_gives_the_labels_of_start_label_1_less_one(
    image: Image, options: Options
) -> None:
    one = sp.slic(image, 40, start_label=1, **options)
    zero = sp.slic(image, 40, start_label=0, **options)
    np.testing.assert_array_equal(zero, one - 1)


@kinds
def test_repeated_calls_give_the_same_labels(image: Image, options: Options) -> None:
    np.testing.assert_array_equal(sp.slic(image, 40, **options), sp.slic(image, 40, **options))


@kinds
def test_num_threads_does_not_change_the_labels(image: Image, options: Options) -> None:
    expected = sp.slic(image, 40, num_threads=1, **options)
    for num_threads in (2, 3, 7, None):
        labels = sp.slic(image, 40, num_threads=num_threads, **options)
        np.testing.assert_array_equal(labels, expected)


@kinds
def test_image_and_mask_are_read_only_to_slic(image: Image, options: Options) -> None:
    before = image.copy()
    image = image.copy()
    image.flags.writeable = False
    options = dict(options)
    if "mask" in options:
        options["mask"] = options["mask"].copy()
        options["mask"].flags.writeable = False
    sp.slic(image, 40, **options)
    np.testing.assert_array_equal(image, before)
    if "mask" in options:
        np.testing.assert_array_equal(options["mask"], MASK)


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


# --- enforce_connectivity, min_size_factor, max_size_factor ---------------------------------------


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


# --- start_label ----------------------------------------------------------------------------------


@pytest.mark.parametrize("start_label", [-1, 2, 100])
def test_start_label_other_than_0_or_1_is_a_value_error(start_label: int) -> None:
    with pytest.raises(ValueError, match="start_label"):
        sp.slic(PHOTO, start_label=start_label)


def test_start_label_may_be_a_numpy_integer() -> None:
    zero: Any = np.int64(0)
    labels = sp.slic(PHOTO, 40, start_label=zero)
    np.testing.assert_array_equal(labels, sp.slic(PHOTO, 40, start_label=0))


# --- mask -----------------------------------------------------------------------------------------


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


# --- device ---------------------------------------------------------------------------------------


def test_device_cpu_is_the_default() -> None:
    np.testing.assert_array_equal(sp.slic(PHOTO, 40, device="cpu"), sp.slic(PHOTO, 40))


def test_device_cuda_without_cuda_is_a_runtime_error_that_says_so() -> None:
    if sp.cuda_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(RuntimeError, match=r"(?i)cuda"):
        sp.slic(PHOTO, device="cuda")


@pytest.mark.parametrize("device", ["tpu", "", "CPU:x"])
def test_device_of_another_name_is_a_value_error(device: str) -> None:
    with pytest.raises(ValueError, match="device"):
        sp.slic(PHOTO, device=device)


# --- perturb_seeds --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "axis"), [(PHOTO, -1), (PHOTO / 255.0, -1), (GREY, None), (volume(), None)]
)
def test_perturb_seeds_gives_whole_labels(image: Image, axis: int | None) -> None:
    for options in ({"compactness": 0.2}, {"slic_zero": True}, {"max_num_iter": 1}):
        labels = sp.slic(image, 40, perturb_seeds=True, channel_axis=axis, **options)
        assert_connected(labels)
        assert_gap_free(labels, 1)
        assert 20 <= labels.max() <= 80


def test_perturb_seeds_moves_seeds_off_edges() -> None:
    options: Options = {"compactness": 1.0, "max_num_iter": 1, "enforce_connectivity": False}
    plain = sp.slic(PHOTO, 100, **options)
    perturbed = sp.slic(PHOTO, 100, perturb_seeds=True, **options)
    assert (plain != perturbed).any()


# --- arguments of a wrong type --------------------------------------------------------------------


WRONG: dict[str, tuple[Any, ...]] = {
    "n_segments": (None, "100", [100], 1j, NAN, INF, {}),
    "compactness": (None, "10", [10.0], 1j, (1, 2)),
    "max_num_iter": (None, "10", [10], 2.5, 1j, NAN),
    "sigma": (None, "1", 1j, ["a", "b"], object()),
    "spacing": ("ab", ["a", "b"], [1j, 1], object()),
    "convert2lab": ("yes", [True], 2.5),
    "enforce_connectivity": ("no", [True], None),
    "min_size_factor": (None, "0.5", [0.5], 1j),
    "max_size_factor": (None, "3", [3], 1j),
    "slic_zero": ("no", [False]),
    "start_label": (None, "1", [1], 0.5, 1j, NAN),
    "mask": ("mask", 1.0, object()),
    "channel_axis": ("last", 1.5, [2]),
    "value_range": (1, "01", (None, 1), ("a", "b"), (1j, 2)),
    "device": (None, 3, ["cpu"]),
    "num_threads": ("2", 1.5, [2], 0, -1, 1j),
    "perturb_seeds": ("no", [False], None),
    "refine_iter": (-1, 1.5, "2", None, [2], 2**40),
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in WRONG.items() for value in values]
)
def test_argument_of_a_wrong_type_is_an_error_that_names_it(name: str, value: Any) -> None:
    arguments: Options = {name: value}
    with pytest.raises((TypeError, ValueError), match=re.escape(name)):
        sp.slic(PHOTO, **arguments)


def test_wrong_argument_is_covered_for_every_parameter() -> None:
    assert set(WRONG) == {*POSITIONAL, *KEYWORD_ONLY} - {"image"}


def test_unknown_argument_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="multichannel"):
        sp.slic(PHOTO, multichannel=True)  # type: ignore[call-arg]


def test_flags_may_be_numpy_bools() -> None:
    expected = sp.slic(PHOTO, 40, slic_zero=True, enforce_connectivity=False, convert2lab=False)
    yes: Any = np.True_
    no: Any = np.False_
    labels = sp.slic(PHOTO, 40, slic_zero=yes, enforce_connectivity=no, convert2lab=no)
    np.testing.assert_array_equal(labels, expected)


def test_numbers_may_be_numpy_scalars() -> None:
    numbers: Options = {
        "compactness": np.float32(5),
        "max_num_iter": np.uint8(4),
        "sigma": np.float64(1),
        "min_size_factor": np.float32(0.5),
        "max_size_factor": np.int64(3),
        "num_threads": np.int32(1),
    }
    expected = sp.slic(PHOTO, 40, 5, 4, 1, num_threads=1)
    np.testing.assert_array_equal(sp.slic(PHOTO, 40, **numbers), expected)


# --- extremes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shape",
    [(1, 1), (1, 2), (1, 37), (37, 1), (2, 2), (3, 2), (1, 1, 1), (1, 1, 9), (9, 1, 1), (2, 2, 2)],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("n_channels", [None, 1, 3, 4])
@pytest.mark.parametrize("n_segments", [1, 2, 100])
def test_smallest_images_give_whole_labels(
    shape: tuple[int, ...], dtype: Any, n_channels: int | None, n_segments: int
) -> None:
    full = shape if n_channels is None else (*shape, n_channels)
    axis = None if n_channels is None else -1
    for image in (noise(full, dtype), np.zeros(full, dtype)):
        for options in ({}, {"sigma": 1}, {"slic_zero": True}, {"perturb_seeds": True}):
            labels = sp.slic(image, n_segments, channel_axis=axis, **options)
            assert labels.shape == shape
            assert_connected(labels)
            assert_gap_free(labels, 1)
            if n_segments == 1:
                assert labels.max() == 1
