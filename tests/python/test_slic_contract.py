"""`superpix.slic` line by line: what scikit-image's `slic` promises, and what superpix adds.

Black box, as in all test_slic_*.py: only labels, errors and warnings are looked at, never a
particular segmentation, except where the image leaves no choice. Labels that other arithmetic may
decide otherwise (8-bit integers against floats) are compared by agreement, all others exactly.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

import numpy as np
import pytest
from skimage.segmentation import slic as skimage_slic

import superpix as sp
from support.connectivity import assert_connected, assert_gap_free
from support.slic import (
    GREY,
    INF,
    MASK,
    NAN,
    PHOTO,
    Image,
    Options,
    kinds,
    noise,
    spatial_shape,
    volume,
)

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


# --- start_label ----------------------------------------------------------------------------------


@pytest.mark.parametrize("start_label", [-1, 2, 100])
def test_start_label_other_than_0_or_1_is_a_value_error(start_label: int) -> None:
    with pytest.raises(ValueError, match="start_label"):
        sp.slic(PHOTO, start_label=start_label)


def test_start_label_may_be_a_numpy_integer() -> None:
    zero: Any = np.int64(0)
    labels = sp.slic(PHOTO, 40, start_label=zero)
    np.testing.assert_array_equal(labels, sp.slic(PHOTO, 40, start_label=0))


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
