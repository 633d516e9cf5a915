"""`superpix.enforce_connectivity` on its own: any label map, in two or three dimensions."""

from __future__ import annotations

import inspect
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import ndimage

import superpix as sp
from support.connectivity import (
    assert_connected,
    assert_consecutive,
    assert_no_small_pieces,
    components,
    number_in_raster_order,
    sizes,
)

Array: TypeAlias = NDArray[Any]

SIGNED = (np.int8, np.int16, np.int32, np.int64)
UNSIGNED = (np.uint8, np.uint16, np.uint32, np.uint64)
THREADS = (1, 2, 3, None)

fast = settings(max_examples=100)


def pieces_by_ndimage(labels: Array) -> NDArray[np.int64]:
    """Components of equal labels by one call of ndimage.label per label; below 0 is outside."""
    out = np.zeros(labels.shape, np.int64)
    for name in np.unique(labels[labels >= 0]):
        found, _ = ndimage.label(labels == name)
        out[found > 0] = found[found > 0] + out.max()
    return number_in_raster_order(out, labels >= 0)


def patches(shape: tuple[int, ...], names: int = 6, seed: int = 0) -> NDArray[np.int64]:
    """Smooth patches with ragged borders and many specks."""
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.random(shape), 2) + 0.02 * rng.random(shape)
    ranks = np.argsort(np.argsort(smooth, axis=None)).reshape(shape)
    return np.asarray(ranks * names // smooth.size, np.int64)


def with_holes(labels: NDArray[np.int64], share: float = 0.2) -> NDArray[np.int64]:
    """The same labels, some pixels and a wall of them ignored."""
    out = labels.copy()
    out[np.random.default_rng(1).random(labels.shape) < share] = -1
    out[..., labels.shape[-1] // 2] = -7
    return out


MAPS: dict[str, NDArray[np.int64]] = {
    "patches": patches((40, 50)),
    "patches-with-holes": with_holes(patches((40, 50))),
    "noise": np.random.default_rng(0).integers(0, 3, (40, 50)),
    "noise-with-holes": np.random.default_rng(0).integers(-1, 3, (40, 50)),
    "all-different": np.arange(600).reshape(20, 30),
    "all-equal": np.zeros((20, 30), np.int64),
    "all-ignored": np.full((20, 30), -1, np.int64),
    "column": np.random.default_rng(0).integers(-1, 3, (90, 1)),
    "row": np.random.default_rng(0).integers(-1, 3, (1, 90)),
    "volume": patches((9, 12, 14)),
    "volume-with-holes": with_holes(patches((9, 12, 14))),
    "volume-noise": np.random.default_rng(0).integers(-1, 2, (9, 12, 14)),
}
maps = pytest.mark.parametrize("labels", MAPS.values(), ids=MAPS.keys())


def picture(labels: Array, channels: int | None = 3, dtype: Any = np.uint8) -> Array:
    """An image that knows nothing of the labels."""
    shape = labels.shape if channels is None else (*labels.shape, channels)
    return np.random.default_rng(9).integers(0, 256, shape).astype(dtype)


# --- signature and result -------------------------------------------------------------------------


def test_signature() -> None:
    found = [
        (p.name, p.kind, p.default)
        for p in inspect.signature(sp.enforce_connectivity).parameters.values()
    ]
    either, keyword = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
    empty = inspect.Parameter.empty
    assert found[:3] == [
        ("labels", either, empty),
        ("min_size", either, empty),
        ("max_size", either, None),
    ]
    assert sorted(found[3:]) == [
        ("channel_axis", keyword, -1),
        ("device", keyword, "cpu"),
        ("image", keyword, None),
        ("max_segments", keyword, None),
        ("num_threads", keyword, None),
        ("position_weight", keyword, 0.0),
        ("refine_iter", keyword, 0),
        ("smoothness", keyword, 2.0),
        ("start_label", keyword, 1),
    ]


@maps
@pytest.mark.parametrize("with_image", [False, True])
def test_result_is_int32_of_the_same_shape_contiguous_and_owned(
    labels: NDArray[np.int64], with_image: bool
) -> None:
    before = labels.copy()
    image = picture(labels) if with_image else None
    out = sp.enforce_connectivity(labels, 5, 50, image=image)
    assert isinstance(out, np.ndarray)
    assert out.dtype == np.int32
    assert out.shape == labels.shape
    assert out.flags.c_contiguous
    assert out.flags.writeable
    assert not np.shares_memory(out, labels)
    np.testing.assert_array_equal(labels, before)


def test_int32_labels_are_not_changed_in_place() -> None:
    labels = MAPS["patches"].astype(np.int32)
    before = labels.copy()
    out = sp.enforce_connectivity(labels, 20)
    assert not np.shares_memory(out, labels)
    np.testing.assert_array_equal(labels, before)


# --- min_size = 0: connected components -----------------------------------------------------------


@maps
@pytest.mark.parametrize("min_size", [0, 1])
@pytest.mark.parametrize("start_label", [0, 1])
def test_min_size_up_to_1_gives_the_components_of_equal_labels_in_raster_order(
    labels: NDArray[np.int64], min_size: int, start_label: int
) -> None:
    out = sp.enforce_connectivity(labels, min_size, start_label=start_label)
    np.testing.assert_array_equal(out, pieces_by_ndimage(labels) + start_label)


@pytest.mark.parametrize("dtype", [*SIGNED, *UNSIGNED])
def test_every_integer_dtype_gives_the_same_result(dtype: Any) -> None:
    labels = MAPS["patches"]
    expected = sp.enforce_connectivity(labels, 15)
    np.testing.assert_array_equal(sp.enforce_connectivity(labels.astype(dtype), 15), expected)
    swapped = labels.astype(np.dtype(dtype).newbyteorder())
    np.testing.assert_array_equal(sp.enforce_connectivity(swapped, 15), expected)


@pytest.mark.parametrize("dtype", SIGNED)
def test_every_negative_label_is_ignored(dtype: Any) -> None:
    low = np.iinfo(dtype).min
    labels = np.array([[3, -1, low, 3], [3, -2, -1, 3]], dtype)
    for start_label in (0, 1):
        out = sp.enforce_connectivity(labels, 0, start_label=start_label)
        expected = np.array([[0, -1, -1, 1], [0, -1, -1, 1]]) + start_label
        np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("dtype", [*SIGNED, *UNSIGNED])
def test_largest_label_of_a_dtype_is_a_label_like_any_other(dtype: Any) -> None:
    high = np.iinfo(dtype).max
    labels = np.array([[high, high, 0], [high - 1, high, 0]], dtype)
    out = sp.enforce_connectivity(labels, 0)
    np.testing.assert_array_equal(out, [[1, 1, 2], [3, 1, 2]])


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
@pytest.mark.parametrize("bit", [8, 16, 31, 32, 53, 62])
def test_wide_labels_are_told_apart_by_every_bit(dtype: Any, bit: int) -> None:
    labels = np.array([[1, 1 + 2**bit, 1]], dtype)
    np.testing.assert_array_equal(sp.enforce_connectivity(labels, 0), [[1, 2, 3]])


def test_components_join_through_edges_and_faces_only() -> None:
    flat = np.array([[1, 2], [2, 1]])
    np.testing.assert_array_equal(sp.enforce_connectivity(flat, 0), [[1, 2], [3, 4]])
    deep = np.zeros((2, 2, 2), int)
    deep[0, 0, 0] = deep[0, 1, 1] = 1
    out = sp.enforce_connectivity(deep, 0)
    np.testing.assert_array_equal(out, [[[1, 2], [2, 3]], [[2, 2], [2, 2]]])


def test_components_of_a_long_spiral_are_one() -> None:
    size = 61
    labels = np.zeros((size, size), int)
    for ring in range(0, size // 2, 2):
        labels[ring, ring : size - ring] = labels[size - 1 - ring, ring : size - ring] = 1
        labels[ring : size - ring, ring] = labels[ring : size - ring, size - 1 - ring] = 1
    labels[np.arange(2, size // 2, 2), np.arange(1, size // 2 - 1, 2)] = 1  # joins the rings
    out = sp.enforce_connectivity(labels, 0)
    np.testing.assert_array_equal(out, pieces_by_ndimage(labels) + 1)


# --- min_size: fragments join a neighbour ---------------------------------------------------------


@maps
@pytest.mark.parametrize("min_size", [2, 5, 30, 10**6, 2**40])
@pytest.mark.parametrize("with_image", [False, True])
def test_no_piece_below_min_size_remains_unless_it_has_no_neighbour(
    labels: NDArray[np.int64], min_size: int, with_image: bool
) -> None:
    inside = labels >= 0
    image = picture(labels) if with_image else None
    out = sp.enforce_connectivity(labels, min_size, image=image, start_label=0)
    assert_connected(out, inside)
    assert_consecutive(out, 0, inside)
    assert_no_small_pieces(out, min_size, inside)


@maps
@pytest.mark.parametrize("min_size", [2, 5, 30])
@pytest.mark.parametrize("with_image", [False, True])
def test_without_max_size_whole_pieces_are_joined_and_none_is_cut(
    labels: NDArray[np.int64], min_size: int, with_image: bool
) -> None:
    image = picture(labels) if with_image else None
    before = pieces_by_ndimage(labels)
    out = sp.enforce_connectivity(labels, min_size, image=image)
    inside = labels >= 0
    pairs = np.unique(np.stack([before[inside], out[inside]]), axis=1)
    assert pairs.shape[1] == np.unique(before[inside]).size


@maps
def test_pieces_of_at_least_min_size_are_not_joined_with_each_other(
    labels: NDArray[np.int64],
) -> None:
    before = pieces_by_ndimage(labels)
    inside = labels >= 0
    out = sp.enforce_connectivity(labels, 5)
    large = np.bincount(before[inside], minlength=1)
    for label in np.unique(out[inside]):
        parts = np.unique(before[out == label])
        # A fragment goes to one neighbour only, so it is never a bridge between two pieces.
        assert np.count_nonzero(large[parts] >= 5) <= 1


@maps
@pytest.mark.parametrize("min_size", [0, 5, 30])
def test_second_call_changes_nothing(labels: NDArray[np.int64], min_size: int) -> None:
    for image in (None, picture(labels)):
        once = sp.enforce_connectivity(labels, min_size, image=image, start_label=0)
        twice = sp.enforce_connectivity(once, min_size, image=image, start_label=0)
        np.testing.assert_array_equal(twice, once)


def test_everything_joins_into_one_piece_when_all_are_too_small() -> None:
    labels = np.arange(12).reshape(3, 4)
    np.testing.assert_array_equal(sp.enforce_connectivity(labels, 13), np.ones((3, 4)))


def test_island_below_min_size_stays() -> None:
    labels = np.array([[5, -1, 7, 7], [-1, -1, 7, 8]])
    out = sp.enforce_connectivity(labels, 4)
    np.testing.assert_array_equal(out, [[1, 0, 2, 2], [0, 0, 2, 2]])


def test_hole_joins_what_surrounds_it() -> None:
    labels = np.zeros((7, 9), int)
    labels[:, 6:] = 1
    labels[2:4, 2:4] = 2
    labels[3, 7] = 3
    out = sp.enforce_connectivity(labels, 6)
    np.testing.assert_array_equal(out, np.where(np.indices((7, 9))[1] < 6, 1, 2))


# One pixel of label 3 touches label 1 on three sides and label 2 on one.
SPECK = np.array(
    [
        [1, 1, 1, 1, 2, 2, 2],
        [1, 1, 1, 1, 2, 2, 2],
        [1, 1, 1, 3, 2, 2, 2],
        [1, 1, 1, 1, 2, 2, 2],
        [1, 1, 1, 1, 2, 2, 2],
    ]
)
SPECK_LEFT = np.where(SPECK == 3, 1, SPECK)
SPECK_RIGHT = np.where(SPECK == 3, 2, SPECK)


def test_without_an_image_a_fragment_joins_over_the_longest_border() -> None:
    np.testing.assert_array_equal(sp.enforce_connectivity(SPECK, 2), SPECK_LEFT)
    mirrored = SPECK[:, ::-1]
    out = sp.enforce_connectivity(mirrored, 2)
    np.testing.assert_array_equal(out, 3 - SPECK_LEFT[:, ::-1])


@pytest.mark.parametrize("axes", [(0, 1, 2), (1, 0, 2), (2, 1, 0)])
def test_without_an_image_a_fragment_joins_over_the_largest_face(axes: tuple[int, ...]) -> None:
    labels = np.transpose(np.repeat(SPECK[None], 3, axis=0), axes)
    out = sp.enforce_connectivity(labels, 4)
    expected = np.transpose(np.repeat(SPECK_LEFT[None], 3, axis=0), axes)
    np.testing.assert_array_equal(out, expected)


def test_border_with_ignored_pixels_does_not_count() -> None:
    labels = np.array([[1, 1, -1, -1], [1, 1, 3, -1], [1, 1, -1, -1]])
    np.testing.assert_array_equal(sp.enforce_connectivity(labels, 2) > 0, labels > 0)
    assert sp.enforce_connectivity(labels, 2).max() == 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("channels", [None, 1, 3, 5])
def test_with_an_image_a_fragment_joins_the_nearest_mean_colour(
    dtype: Any, channels: int | None
) -> None:
    for like, expected in ((2, SPECK_RIGHT), (1, SPECK_LEFT)):
        values = np.where(SPECK == 1, 20, 220)
        values[SPECK == 3] = 200 if like == 2 else 40
        values += np.indices(SPECK.shape)[0] % 2  # means, not single values
        image = values.astype(dtype)
        if channels is not None:
            image = np.repeat(image[..., None], channels, axis=-1)
        axis = None if channels is None else -1
        out = sp.enforce_connectivity(SPECK, 2, image=image, channel_axis=axis)
        np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("channel", [0, 1, 4])
def test_with_an_image_every_channel_counts(channel: int) -> None:
    image = np.zeros((*SPECK.shape, 5))
    image[..., channel] = np.where(SPECK == 1, 0, 99)
    out = sp.enforce_connectivity(SPECK, 2, image=image)
    np.testing.assert_array_equal(out, SPECK_RIGHT)


def test_with_an_image_of_small_contrast_equal_borders_leave_the_choice_to_colour() -> None:
    labels = np.array([[1, 1, 3, 2, 2], [1, 1, -1, 2, 2]])
    for value, expected in ((0.1, 1), (0.9, 2)):
        image = np.array([[0, 0, value, 1, 1], [0, 0, 0, 1, 1]])
        out = sp.enforce_connectivity(labels, 2, image=image, channel_axis=None)
        assert out[0, 2] == expected


def test_with_an_image_colour_counts_in_volumes() -> None:
    labels = np.repeat(SPECK[None], 3, axis=0)
    image = np.where(labels == 1, 20, 220).astype(np.uint8)
    out = sp.enforce_connectivity(labels, 4, image=image, channel_axis=None)
    np.testing.assert_array_equal(out, np.repeat(SPECK_RIGHT[None], 3, axis=0))


@pytest.mark.parametrize("axis", [0, 1, 2, -2])
def test_channel_axis_of_the_image_may_be_any_axis(axis: int) -> None:
    labels = MAPS["patches"]
    image = picture(labels)
    expected = sp.enforce_connectivity(labels, 15, image=image)
    moved = np.moveaxis(image, -1, axis)
    for layout in (moved, np.ascontiguousarray(moved)):
        out = sp.enforce_connectivity(labels, 15, image=layout, channel_axis=axis)
        np.testing.assert_array_equal(out, expected)


def test_image_is_not_changed() -> None:
    image = picture(MAPS["patches"])
    before = image.copy()
    image.flags.writeable = False
    sp.enforce_connectivity(MAPS["patches"], 15, 60, image=image)
    np.testing.assert_array_equal(image, before)


# --- max_segments ---------------------------------------------------------------------------------


@maps
@pytest.mark.parametrize("max_segments", [1, 5, 60])
@pytest.mark.parametrize("with_image", [False, True])
def test_with_max_segments_whole_pieces_are_joined_until_they_are_as_many(
    labels: NDArray[np.int64], max_segments: int, with_image: bool
) -> None:
    image = picture(labels) if with_image else None
    pieces = sp.enforce_connectivity(labels, 3, image=image)
    out = sp.enforce_connectivity(labels, 3, image=image, max_segments=max_segments)
    assert_connected(out, labels >= 0)
    assert_consecutive(out, 1, labels >= 0)
    assert len(np.unique(np.stack([pieces.ravel(), out.ravel()]), axis=1).T) == len(
        np.unique(pieces)
    )
    # What hangs together is joined to one in the end.
    least = components(np.zeros_like(labels), labels >= 0).max() + 1
    assert out.max() == max(least, min(max_segments, pieces.max()))


def test_max_segments_joins_what_is_alike() -> None:
    labels = np.arange(8).reshape(1, 8)
    image = np.array([[0.0, 1, 40, 41, 42, 90, 93, 94]])
    out = sp.enforce_connectivity(labels, 1, image=image, channel_axis=None, max_segments=3)
    np.testing.assert_array_equal(out, [[1, 1, 2, 2, 2, 3, 3, 3]])


def test_superpixels_of_slic_join_to_exactly_as_many_as_asked_for() -> None:
    image = np.random.default_rng(4).integers(0, 256, (60, 80, 3)).astype(np.uint8)
    labels = sp.slic(image, n_segments=90)
    for wanted in range(1, int(labels.max()), 7):
        out = sp.enforce_connectivity(
            labels, 0, image=sp.rgb_to_lab(image), max_segments=wanted, refine_iter=2
        )
        assert out.max() == wanted
        assert_connected(out)


# --- max_size: large pieces are split -------------------------------------------------------------


@maps
@pytest.mark.parametrize("max_size", [1, 2, 7, 50])
def test_pieces_above_max_size_are_split_into_connected_parts(
    labels: NDArray[np.int64], max_size: int
) -> None:
    inside = labels >= 0
    before = pieces_by_ndimage(labels)
    out = sp.enforce_connectivity(labels, 0, max_size, start_label=0)
    assert_connected(out, inside)
    assert_consecutive(out, 0, inside)
    assert sizes(out, inside).max(initial=0) <= max_size
    pairs = np.unique(np.stack([before[inside], out[inside]]), axis=1)
    assert pairs.shape[1] == np.unique(out[inside]).size  # each part is of one piece


@maps
def test_pieces_up_to_max_size_are_left_whole(labels: NDArray[np.int64]) -> None:
    largest = int(sizes(pieces_by_ndimage(labels), labels >= 0).max(initial=1))
    for max_size in (largest, 10**6, 2**40):
        out = sp.enforce_connectivity(labels, 0, max_size)
        np.testing.assert_array_equal(out, pieces_by_ndimage(labels) + 1)


@pytest.mark.parametrize("shape", [(10, 10), (1, 100), (100, 1), (4, 5, 5)])
def test_split_of_a_box_does_not_crumble(shape: tuple[int, ...]) -> None:
    out = sp.enforce_connectivity(np.zeros(shape, int), 0, 50)
    assert 2 <= out.max() <= 6


@maps
@pytest.mark.parametrize(("min_size", "max_size"), [(5, 50), (10, 20), (20, 5), (3, 1)])
@pytest.mark.parametrize("with_image", [False, True])
def test_min_size_holds_for_split_pieces_too(
    labels: NDArray[np.int64], min_size: int, max_size: int, with_image: bool
) -> None:
    inside = labels >= 0
    image = picture(labels) if with_image else None
    out = sp.enforce_connectivity(labels, min_size, max_size, image=image, start_label=0)
    assert_connected(out, inside)
    assert_consecutive(out, 0, inside)
    assert_no_small_pieces(out, min_size, inside)


# --- determinism and layout -----------------------------------------------------------------------


@maps
@pytest.mark.parametrize(("min_size", "max_size"), [(0, None), (20, None), (20, 60), (0, 7)])
def test_num_threads_does_not_change_the_result(
    labels: NDArray[np.int64], min_size: int, max_size: int | None
) -> None:
    for image in (None, picture(labels), picture(labels, dtype=np.float32)):
        results = [
            sp.enforce_connectivity(labels, min_size, max_size, image=image, num_threads=n)
            for n in THREADS
        ]
        for other in results[1:]:
            np.testing.assert_array_equal(other, results[0])


@pytest.mark.parametrize("shape", [(200, 310), (20, 50, 60)])
def test_num_threads_does_not_change_the_result_of_a_larger_map(shape: tuple[int, ...]) -> None:
    labels = np.random.default_rng(2).integers(-1, 4, shape)
    image = picture(labels)
    for options in ({}, {"image": image}, {"max_size": 30}, {"image": image, "max_size": 30}):
        results = [sp.enforce_connectivity(labels, 12, num_threads=n, **options) for n in (1, 2, 3)]
        assert_no_small_pieces(results[0], 12, labels >= 0)
        np.testing.assert_array_equal(results[1], results[0])
        np.testing.assert_array_equal(results[2], results[0])


@pytest.mark.parametrize("name", ["patches-with-holes", "volume-with-holes"])
def test_memory_layout_does_not_change_the_result(name: str) -> None:
    labels, image = MAPS[name], picture(MAPS[name])
    expected = sp.enforce_connectivity(labels, 15, 60, image=image)
    for layout in (
        np.asfortranarray,
        lambda a: np.swapaxes(np.swapaxes(a, 0, 1).copy(), 0, 1),
        lambda a: np.repeat(np.repeat(a, 2, axis=0), 3, axis=1)[::2, ::3],
        lambda a: a[::-1, ::-1].copy()[::-1, ::-1],
    ):
        out = sp.enforce_connectivity(layout(labels), 15, 60, image=image)
        np.testing.assert_array_equal(out, expected)
        out = sp.enforce_connectivity(labels, 15, 60, image=layout(image))
        np.testing.assert_array_equal(out, expected)


def test_read_only_labels_are_accepted() -> None:
    labels = MAPS["patches"].copy()
    labels.flags.writeable = False
    out = sp.enforce_connectivity(labels, 15)
    np.testing.assert_array_equal(out, sp.enforce_connectivity(MAPS["patches"], 15))


# --- extremes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0), (0, 3, 4), (2, 0, 3)])
def test_empty_map_gives_an_empty_map(shape: tuple[int, ...]) -> None:
    for image in (None, np.zeros((*shape, 3), np.uint8)):
        out = sp.enforce_connectivity(np.zeros(shape, int), 3, 9, image=image)
        assert out.shape == shape
        assert out.dtype == np.int32


@pytest.mark.parametrize("shape", [(1, 1), (1, 1, 1)])
@pytest.mark.parametrize("min_size", [0, 1, 5])
def test_single_pixel_is_the_first_label_or_ignored(shape: tuple[int, ...], min_size: int) -> None:
    for start_label in (0, 1):
        out = sp.enforce_connectivity(np.full(shape, 42), min_size, start_label=start_label)
        assert out.item() == start_label
        out = sp.enforce_connectivity(np.full(shape, -42), min_size, start_label=start_label)
        assert out.item() == start_label - 1


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, object, "U1"])
def test_labels_that_are_no_integers_are_a_type_error(dtype: Any) -> None:
    with pytest.raises(TypeError, match="labels"):
        sp.enforce_connectivity(np.zeros((3, 4)).astype(dtype), 1)


@pytest.mark.parametrize("labels", [[[1, 2], [3, 4]], None, 3])
def test_labels_that_are_no_array_are_a_type_error(labels: Any) -> None:
    with pytest.raises(TypeError, match="labels"):
        sp.enforce_connectivity(labels, 1)


@pytest.mark.parametrize("shape", [(), (5,), (2, 2, 2, 2), (0,)])
def test_labels_of_other_than_2_or_3_dimensions_are_a_value_error(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="labels"):
        sp.enforce_connectivity(np.zeros(shape, int), 1)


@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((4, 3, 3), -1),
        ((3, 5, 3), -1),
        ((3, 4), None),
        ((4, 3), None),
        ((3, 3, 4), -1),
        ((2, 3, 4, 3), -1),
        ((3, 4, 3), 0),
        ((3,), None),
        ((3, 4, 0), -1),
    ],
)
def test_image_of_another_shape_is_a_value_error(shape: tuple[int, ...], axis: int | None) -> None:
    labels = np.zeros((3, 4) if shape != (3, 4) else (4, 3), int)
    with pytest.raises(ValueError, match="image"):
        sp.enforce_connectivity(labels, 1, image=np.zeros(shape), channel_axis=axis)


@pytest.mark.parametrize("image", [[[1.0]], "image", 3])
def test_image_that_is_no_array_is_a_type_error(image: Any) -> None:
    with pytest.raises(TypeError, match="image"):
        sp.enforce_connectivity(np.zeros((1, 1), int), 1, image=image)


@pytest.mark.parametrize("dtype", [np.complex64, object, "U1"])
def test_image_of_another_dtype_is_refused(dtype: Any) -> None:
    image = np.zeros((3, 4, 3)).astype(dtype)
    with pytest.raises((TypeError, ValueError), match=r"image|dtype|complex"):
        sp.enforce_connectivity(np.zeros((3, 4), int), 1, image=image)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("min_size", -1),
        ("min_size", -(2**40)),
        ("max_size", 0),
        ("max_size", -1),
        ("max_segments", 0),
        ("max_segments", -1),
        ("refine_iter", -1),
        ("refine_iter", 1),  # without an image
        ("position_weight", -0.5),
        ("smoothness", float("nan")),
        ("smoothness", 1e31),
    ],
)
def test_number_out_of_range_is_a_value_error_that_names_it(name: str, value: float) -> None:
    arguments: dict[str, Any] = {"min_size": 1, name: value}
    with pytest.raises(ValueError, match=name):
        sp.enforce_connectivity(np.zeros((3, 4), int), **arguments)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("min_size", value) for value in (None, "1", 2.5, [1], 1j, float("nan"))),
        *(("max_size", value) for value in ("1", 2.5, [1], 1j, float("inf"))),
        *(("max_segments", value) for value in ("1", 2.5, [1], 1j, float("inf"))),
        *(("start_label", value) for value in (None, "1", 0.5, [1])),
        *(("refine_iter", value) for value in (None, "1", 0.5, 2**40)),
        *(("position_weight", value) for value in (None, "1", [1], 1j)),
        *(("smoothness", value) for value in (None, "1", [1])),
        *(("channel_axis", value) for value in ("last", 0.5, 3, -4)),
        *(("num_threads", value) for value in ("1", 1.5, 0, -1)),
    ],
)
def test_argument_of_a_wrong_type_is_an_error_that_names_it(name: str, value: Any) -> None:
    arguments: dict[str, Any] = {"min_size": 1, "image": np.zeros((3, 4, 3)), name: value}
    # numpy's own AxisError says "axis 3 is out of bounds"
    pattern = r"axis" if name == "channel_axis" else name
    with pytest.raises((TypeError, ValueError), match=pattern):
        sp.enforce_connectivity(np.zeros((3, 4), int), **arguments)


def test_sizes_may_be_numpy_integers() -> None:
    labels = MAPS["patches"]
    low: Any = np.int64(15)
    high: Any = np.uint16(60)
    out = sp.enforce_connectivity(labels, low, high)
    np.testing.assert_array_equal(out, sp.enforce_connectivity(labels, 15, 60))


# --- any map --------------------------------------------------------------------------------------


SHAPES = st.one_of(
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
    st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 5)),
)


@fast
@given(
    labels=SHAPES.flatmap(lambda s: arrays(np.int16, s, elements=st.integers(-1, 3))),
    min_size=st.integers(0, 20),
    max_size=st.none() | st.integers(1, 20),
    max_segments=st.none() | st.integers(1, 20),
    with_image=st.booleans(),
)
def test_any_map_keeps_every_promise(
    labels: NDArray[np.int16],
    min_size: int,
    max_size: int | None,
    max_segments: int | None,
    with_image: bool,
) -> None:
    inside = labels >= 0
    options: dict[str, Any] = {
        "max_size": max_size,
        "max_segments": max_segments,
        "image": picture(labels) if with_image else None,
    }
    out = sp.enforce_connectivity(labels, min_size, **options, num_threads=1)
    other = sp.enforce_connectivity(labels, min_size, **options, num_threads=2)
    np.testing.assert_array_equal(other, out)
    assert_connected(out, inside)
    assert_consecutive(out, 1, inside)
    assert_no_small_pieces(out, min_size, inside)
    if max_segments is not None:
        assert out.max() <= max(max_segments, components(np.zeros_like(labels), inside).max() + 1)
    if max_size is None and max_segments is None and min_size <= 1:
        np.testing.assert_array_equal(out, components(labels, inside) + 1)
