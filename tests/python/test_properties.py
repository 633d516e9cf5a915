"""`superpix.slic` on random small images: what holds for every input that it accepts.

SUPERPIX_MAX_EXAMPLES sets how many examples each property gets (100 unless told); from there on it
is also random, so that a long run sees other images each time.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import event, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import superpix as sp
from support.connectivity import assert_connected, assert_gap_free

MAX_EXAMPLES = int(os.environ.get("SUPERPIX_MAX_EXAMPLES", "100"))

properties = settings(
    max_examples=MAX_EXAMPLES, derandomize="SUPERPIX_MAX_EXAMPLES" not in os.environ
)

DTYPES: tuple[Any, ...] = (
    np.uint8, np.uint8, np.uint8, np.bool_,
    np.int8, np.int16, np.int32, np.int64, np.uint16, np.uint32, np.uint64,
    np.float16, np.float32, np.float64,
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One call of slic; prints as something that can be pasted."""

    image: NDArray[Any]
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        grey = self.options["channel_axis"] is None
        return self.image.shape if grey else self.image.shape[:-1]

    @property
    def inside(self) -> NDArray[np.bool_]:
        mask = self.options["mask"]
        return np.ones(self.shape, bool) if mask is None else np.asarray(mask)

    def slic(self, **changes: Any) -> NDArray[np.int32]:
        return sp.slic(self.image, **{**self.options, **changes})


@st.composite
def images(draw: st.DrawFn, shape: tuple[int, ...]) -> NDArray[Any]:
    """Constant, few-valued, noisy, smooth or with the extremes of the dtype, in any layout."""
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    kind = draw(st.sampled_from(("constant", "few", "noise", "ramp", "extremes")))
    if kind == "constant":
        unit = np.full(shape, rng.random())
    elif kind == "few":
        unit = rng.integers(0, 3, shape) / 2
    elif kind == "ramp":
        unit = np.sum(np.indices(shape), axis=0) / max(1, sum(shape))
    else:
        unit = rng.random(shape)
    if dtype.kind == "b":
        image = unit > 0.5
    elif kind == "extremes":
        info: Any = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
        image = np.where(unit > 0.5, dtype.type(info.max), dtype.type(info.min))
    elif dtype.kind == "f":
        image = (unit * draw(st.sampled_from((1.0, 255.0, 1e-3)))).astype(dtype)
    else:
        image = (unit * min(255, int(np.iinfo(dtype).max))).astype(dtype)
    layout = draw(st.sampled_from(("plain", "plain", "fortran", "reversed", "strided")))
    if layout == "fortran":
        return np.asfortranarray(image)
    if layout == "reversed":
        return image[::-1].copy()[::-1]
    if layout == "strided":
        return np.repeat(image, 2, axis=1)[:, ::2]
    return image


@st.composite
def cases(draw: st.DrawFn) -> Case:
    sides = st.integers(1, 20)
    shape = draw(st.one_of(st.tuples(sides, sides), st.tuples(*[st.integers(1, 9)] * 3)))
    n_channels = draw(st.sampled_from((None, 1, 2, 3, 3, 3, 4, 7)))
    image = draw(images(shape if n_channels is None else (*shape, n_channels)))
    size = int(np.prod(shape))

    mask = None
    if draw(st.booleans()):
        share = draw(st.sampled_from((0.0, 0.1, 0.5, 0.9, 1.0)))
        mask = np.random.default_rng(draw(st.integers(0, 2**16))).random(shape) < share
        mask.flat[draw(st.integers(0, size - 1))] = True
        if image.dtype.kind == "f" and draw(st.booleans()):
            image = image.copy()
            image[~mask] = np.nan

    per_axis = [st.floats(0.25, 4.0)] * len(shape)
    blur = st.floats(0.1, 3.0)
    options: dict[str, Any] = {
        "n_segments": draw(st.integers(1, 200)),
        "compactness": 10.0 ** draw(st.floats(-2, 3)),
        "max_num_iter": draw(st.sampled_from((10, 10, 3, 1, 0))),
        "sigma": draw(st.one_of(st.just(0), blur, st.tuples(*[st.just(0.0) | blur] * len(shape)))),
        "spacing": draw(st.none() | st.tuples(*per_axis)),
        "convert2lab": draw(st.sampled_from((None, None, False))),
        "enforce_connectivity": draw(st.booleans()),
        "min_size_factor": draw(st.sampled_from((0.5, 0.5, 0.0, 0.25, 2.0))),
        "max_size_factor": draw(st.sampled_from((3, 3, 0.5, 1.5, 100))),
        "slic_zero": draw(st.booleans()),
        "start_label": draw(st.sampled_from((0, 1))),
        "mask": mask,
        "channel_axis": None if n_channels is None else -1,
        "perturb_seeds": draw(st.booleans()),
    }
    event(f"{image.dtype}, {len(shape)}-D, mask: {mask is not None}")
    return Case(image, options)


@properties
@given(cases())
def test_labels_are_in_range_and_the_mask_is_respected(case: Case) -> None:
    labels = case.slic()
    start, inside = case.options["start_label"], case.inside
    assert labels.dtype == np.int32
    assert labels.shape == case.shape
    assert labels.flags.c_contiguous
    assert (labels[~inside] == start - 1).all()
    assert labels[inside].min() >= start
    assert labels[inside].max() < start + labels.size


@properties
@given(cases())
def test_enforced_labels_are_connected_without_gaps(case: Case) -> None:
    labels = case.slic(enforce_connectivity=True)
    assert_connected(labels, case.inside)
    assert_gap_free(labels, case.options["start_label"], case.inside)


@properties
@given(cases())
def test_num_threads_does_not_change_the_labels(case: Case) -> None:
    expected = case.slic(num_threads=1)
    for num_threads in (2, 3):
        np.testing.assert_array_equal(case.slic(num_threads=num_threads), expected)


@properties
@given(cases())
def test_start_label_and_layout_only_rename_or_copy(case: Case) -> None:
    expected = case.slic(start_label=0)
    np.testing.assert_array_equal(case.slic(start_label=1), expected + 1)
    copy = Case(np.ascontiguousarray(case.image), case.options)
    np.testing.assert_array_equal(copy.slic(start_label=0), expected)


@properties
@given(cases())
def test_image_and_mask_are_not_changed(case: Case) -> None:
    before = case.image.copy()
    mask = None if case.options["mask"] is None else case.options["mask"].copy()
    case.slic()
    np.testing.assert_array_equal(case.image, before)
    if mask is not None:
        np.testing.assert_array_equal(case.options["mask"], mask)
