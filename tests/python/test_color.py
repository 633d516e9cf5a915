"""`superpix.rgb_to_lab`: sRGB to CIELAB (D65, 2 degrees), against scikit-image and a table."""

from __future__ import annotations

import inspect
from typing import Any, TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.color import rgb2lab

import superpix as sp

Array: TypeAlias = NDArray[Any]

# Largest difference to scikit-image, in units of L, a, b.
TOLERANCE = 1e-3

FLOATS = (np.float16, np.float32, np.float64)

# sRGB -> L*, a*, b* of the D65 white point, two digits, from public tables.
KNOWN = {
    "black": ((0, 0, 0), (0.00, 0.00, 0.00)),
    "white": ((255, 255, 255), (100.00, 0.00, 0.00)),
    "red": ((255, 0, 0), (53.24, 80.09, 67.20)),
    "green": ((0, 255, 0), (87.73, -86.18, 83.18)),
    "blue": ((0, 0, 255), (32.30, 79.19, -107.86)),
    "yellow": ((255, 255, 0), (97.14, -21.55, 94.48)),
    "cyan": ((0, 255, 255), (91.11, -48.09, -14.13)),
    "magenta": ((255, 0, 255), (60.32, 98.23, -60.82)),
    "middle grey": ((128, 128, 128), (53.59, 0.00, 0.00)),
}


def colours(*shape: int, dtype: Any = np.uint8) -> Array:
    values = np.random.default_rng(0).random((*shape, 3))
    if np.dtype(dtype).kind == "f":
        return values.astype(dtype)
    return (values * np.iinfo(dtype).max).astype(dtype)


def reference(image: Array) -> NDArray[np.float64]:
    """scikit-image in float64, of any shape [..., 3]."""
    scale = np.iinfo(image.dtype).max if image.dtype.kind == "u" else 1
    flat = image.reshape(-1, 1, 3).astype(np.float64) / scale
    return np.asarray(rgb2lab(flat), np.float64).reshape(image.shape)


def test_signature() -> None:
    found = inspect.signature(sp.rgb_to_lab).parameters
    assert next(iter(found)) == "image"
    keywords = {
        p.name: p.default for p in found.values() if p.kind is inspect.Parameter.KEYWORD_ONLY
    }
    assert keywords == {"channel_axis": -1, "device": "cpu", "num_threads": None}
    assert len(found) == 4


@pytest.mark.parametrize(("rgb", "lab"), KNOWN.values(), ids=KNOWN.keys())
def test_known_colours(rgb: tuple[int, ...], lab: tuple[float, ...]) -> None:
    for image in (
        np.array(rgb, np.uint8),
        np.array(rgb, np.uint16) * np.uint16(257),
        np.array(rgb) / 255,
    ):
        np.testing.assert_allclose(sp.rgb_to_lab(image), lab, rtol=0, atol=0.01)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, *FLOATS])
def test_every_dtype_comes_back_as_float32_even_float64(dtype: Any) -> None:
    lab = sp.rgb_to_lab(colours(6, 7, dtype=dtype))
    assert isinstance(lab, np.ndarray)
    assert lab.dtype == np.float32
    assert lab.shape == (6, 7, 3)
    assert lab.flags.c_contiguous
    assert lab.flags.writeable


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, *FLOATS])
@pytest.mark.parametrize(
    "shape", [(), (1,), (17,), (33, 41), (1, 1), (5, 6, 7), (2, 3, 4, 5), (2, 1, 2, 1, 2, 3)]
)
def test_every_shape_agrees_with_scikit_image(shape: tuple[int, ...], dtype: Any) -> None:
    image = colours(*shape, dtype=dtype)
    lab = sp.rgb_to_lab(image)
    assert lab.shape == image.shape
    np.testing.assert_allclose(lab, reference(image), rtol=0, atol=TOLERANCE)


def test_uint8_agrees_with_scikit_image_on_every_value_of_every_channel() -> None:
    for channel in range(3):
        image = np.zeros((4, 256, 3), np.uint8)
        image[...] = np.array([0, 10, 128, 255])[:, None, None]
        image[..., channel] = np.arange(256)
        np.testing.assert_allclose(sp.rgb_to_lab(image), reference(image), rtol=0, atol=TOLERANCE)


def test_uint8_is_divided_by_255() -> None:
    image = colours(9, 8)
    divided = sp.rgb_to_lab(image / 255)
    np.testing.assert_allclose(sp.rgb_to_lab(image), divided, rtol=0, atol=TOLERANCE)


def test_uint16_is_divided_by_65535() -> None:
    image = colours(9, 8, dtype=np.uint16)
    divided = sp.rgb_to_lab(image / 65535)
    np.testing.assert_allclose(sp.rgb_to_lab(image), divided, rtol=0, atol=TOLERANCE)


def test_dark_values_agree_with_scikit_image_on_both_sides_of_the_linear_parts() -> None:
    ramp = np.linspace(0, 0.1, 4001)
    image = np.stack([ramp, ramp[::-1], 0.05 + 0 * ramp], axis=-1)
    np.testing.assert_allclose(sp.rgb_to_lab(image), reference(image), rtol=0, atol=TOLERANCE)
    greys = np.repeat(ramp[:, None], 3, axis=1)
    np.testing.assert_allclose(sp.rgb_to_lab(greys), reference(greys), rtol=0, atol=TOLERANCE)


def test_floats_are_taken_as_they_are_outside_zero_and_one_too() -> None:
    image = np.random.default_rng(1).uniform(-0.2, 1.5, (50, 3))
    np.testing.assert_allclose(sp.rgb_to_lab(image), reference(image), rtol=0, atol=2 * TOLERANCE)


def test_greys_have_no_colour() -> None:
    greys = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    lab = sp.rgb_to_lab(greys)
    np.testing.assert_allclose(lab[:, 1:], 0, atol=0.01)
    assert (np.diff(lab[:, 0]) > 0).all()


def test_a_value_does_not_depend_on_its_place() -> None:
    image = colours(1, 1003, dtype=np.float32)
    together = sp.rgb_to_lab(image)
    for x in (0, 1, 7, 500, 1002):
        np.testing.assert_array_equal(sp.rgb_to_lab(image[:, x]), together[:, x])


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3, np.int64(0)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_channel_axis_may_be_any_axis_and_stays_where_it_is(axis: int, dtype: Any) -> None:
    image = colours(5, 6, dtype=dtype)
    moved = np.moveaxis(image, -1, axis)
    expected = np.moveaxis(sp.rgb_to_lab(image), -1, axis)
    for layout in (moved, np.ascontiguousarray(moved)):
        lab = sp.rgb_to_lab(layout, channel_axis=axis)
        assert lab.shape == moved.shape
        np.testing.assert_array_equal(lab, expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, *FLOATS])
def test_memory_layout_does_not_change_the_result(dtype: Any) -> None:
    image = colours(12, 14, dtype=dtype)
    expected = sp.rgb_to_lab(image)
    for other in (
        np.asfortranarray(image),
        np.swapaxes(np.swapaxes(image, 0, 1).copy(), 0, 1),
        np.repeat(np.repeat(image, 2, axis=0), 3, axis=1)[::2, ::3],
        image[::-1, ::-1, ::-1].copy()[::-1, ::-1, ::-1],
        image.astype(image.dtype.newbyteorder()),
    ):
        np.testing.assert_array_equal(sp.rgb_to_lab(other), expected)
    one = np.broadcast_to(image[:1], image.shape)
    np.testing.assert_array_equal(sp.rgb_to_lab(one), sp.rgb_to_lab(one.copy()))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_num_threads_does_not_change_the_result(dtype: Any) -> None:
    image = colours(150, 211, dtype=dtype)
    expected = sp.rgb_to_lab(image, num_threads=1)
    for num_threads in (2, 3, None):
        np.testing.assert_array_equal(sp.rgb_to_lab(image, num_threads=num_threads), expected)


def test_image_is_not_changed_and_may_be_read_only() -> None:
    image = colours(9, 8, dtype=np.float32)
    before = image.copy()
    image.flags.writeable = False
    lab = sp.rgb_to_lab(image)
    assert not np.shares_memory(lab, image)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("shape", [(0, 3), (0, 5, 3), (5, 0, 3)])
def test_empty_image_gives_an_empty_result(shape: tuple[int, ...]) -> None:
    lab = sp.rgb_to_lab(np.zeros(shape, np.uint8))
    assert lab.shape == shape
    assert lab.dtype == np.float32


@pytest.mark.parametrize("shape", [(5, 6), (5, 6, 4), (5, 6, 1), (3, 5, 6), (4,), (5, 6, 0)])
def test_other_than_three_channels_is_a_value_error(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"image|channel"):
        sp.rgb_to_lab(np.zeros(shape))


def test_scalar_array_is_a_value_error() -> None:
    with pytest.raises(ValueError, match=r"image|axis"):
        sp.rgb_to_lab(np.array(3.0))


@pytest.mark.parametrize("axis", [3, -4, 100])
def test_channel_axis_outside_the_image_is_a_value_error(axis: int) -> None:
    with pytest.raises(ValueError, match="axis"):
        sp.rgb_to_lab(colours(5, 6), channel_axis=axis)


@pytest.mark.parametrize("axis", [None, "last", 1.5])
def test_channel_axis_of_a_wrong_type_is_an_error_that_names_it(axis: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="channel_axis"):
        sp.rgb_to_lab(colours(5, 6), channel_axis=axis)


@pytest.mark.parametrize("image", [[[0.0, 0.5, 1.0]], (0, 0, 0), None, "red"])
def test_image_that_is_no_array_is_a_type_error(image: Any) -> None:
    with pytest.raises(TypeError, match="image"):
        sp.rgb_to_lab(image)


@pytest.mark.parametrize("dtype", [np.complex64, object, "U1"])
def test_image_of_a_dtype_without_colours_is_refused(dtype: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=r"image|dtype|complex"):
        sp.rgb_to_lab(np.zeros((4, 3)).astype(dtype))


@pytest.mark.parametrize("num_threads", [0, -1, "2", 1.5])
def test_num_threads_that_is_no_count_is_an_error_that_names_it(num_threads: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="num_threads"):
        sp.rgb_to_lab(colours(5, 6), num_threads=num_threads)
