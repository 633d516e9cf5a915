"""Connected components, sizes and agreement of label maps, in the most obvious way.

Neighbours share an edge (2-D, four) or a face (3-D, six). The functions know nothing of superpix.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Labels: TypeAlias = NDArray[Any]
Flags: TypeAlias = NDArray[np.bool_]


def _neighbours(shape: tuple[int, ...]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Flat indices of both ends of every edge of the pixel grid."""
    index = np.arange(int(np.prod(shape)), dtype=np.intp).reshape(shape)
    first = [index[_cut(axis, slice(None, -1))].ravel() for axis in range(len(shape))]
    second = [index[_cut(axis, slice(1, None))].ravel() for axis in range(len(shape))]
    return np.concatenate(first), np.concatenate(second)


def _cut(axis: int, piece: slice) -> tuple[slice, ...]:
    return (*([slice(None)] * axis), piece)


def number_in_raster_order(labels: Labels, inside: Flags | None = None) -> NDArray[np.int64]:
    """Rename the labels 0, 1, ... in the order of their first pixels; -1 outside."""
    inside = np.ones(labels.shape, bool) if inside is None else inside
    _, first, inverse = np.unique(labels[inside], return_index=True, return_inverse=True)
    rank = np.empty(first.size, np.int64)
    rank[np.argsort(first)] = np.arange(first.size)
    out = np.full(labels.shape, -1, np.int64)
    out[inside] = rank[inverse.ravel()]
    return out


def components(labels: Labels, inside: Flags | None = None) -> NDArray[np.int64]:
    """Components of equal labels, numbered from 0 in raster order; -1 outside."""
    flat = labels.ravel()
    keep = np.ones(flat.size, bool) if inside is None else inside.ravel()
    first, second = _neighbours(labels.shape)
    joined = keep[first] & keep[second] & (flat[first] == flat[second])
    first, second = first[joined], second[joined]
    graph = coo_array((np.ones(first.size, bool), (first, second)), shape=(flat.size, flat.size))
    found = connected_components(graph, directed=False)[1]
    return number_in_raster_order(found.reshape(labels.shape), inside)


def sizes(labels: Labels, inside: Flags | None = None) -> NDArray[np.int64]:
    """Pixels of every label that occurs, in the order of the labels."""
    picked = labels.ravel() if inside is None else labels[inside]
    return np.asarray(np.unique(picked, return_counts=True)[1], np.int64)


def border_length(labels: Labels) -> int:
    """Number of neighbouring pairs of pixels whose labels differ."""
    first, second = _neighbours(labels.shape)
    flat = labels.ravel()
    return int(np.count_nonzero(flat[first] != flat[second]))


def lonely(labels: Labels, inside: Flags | None = None) -> set[int]:
    """Labels inside that touch no other label inside."""
    flat = labels.ravel()
    keep = np.ones(flat.size, bool) if inside is None else inside.ravel()
    first, second = _neighbours(labels.shape)
    touching = keep[first] & keep[second] & (flat[first] != flat[second])
    social = np.concatenate([flat[first[touching]], flat[second[touching]]])
    return set(flat[keep].tolist()) - set(social.tolist())


def agreement(a: Labels, b: Labels) -> float:
    """Share of pixels in agreement when every label is named after its best match: 1 if equal.

    The smaller of both directions, so that neither a finer nor a coarser map agrees for free.
    """
    _, a = np.unique(a.ravel(), return_inverse=True)
    _, b = np.unique(b.ravel(), return_inverse=True)
    table = coo_array((np.ones(a.size), (a, b)), shape=(int(a.max()) + 1, int(b.max()) + 1))
    overlap = table.tocsr()
    return float(min(overlap.max(axis=1).sum(), overlap.max(axis=0).sum()) / a.size)


def assert_same_partition(a: Labels, b: Labels) -> None:
    """Equal up to the names of the labels."""
    np.testing.assert_array_equal(number_in_raster_order(a), number_in_raster_order(b))


def assert_connected(labels: Labels, inside: Flags | None = None) -> None:
    """Every label inside is one component."""
    found = components(labels, inside)
    keep = np.ones(labels.shape, bool) if inside is None else inside
    pairs = np.unique(np.stack([labels[keep].astype(np.int64), found[keep]]), axis=1)
    names, counts = np.unique(pairs[0], return_counts=True)
    assert (counts == 1).all(), f"labels in several pieces: {names[counts > 1].tolist()[:10]}"


def assert_consecutive(labels: Labels, start: int, inside: Flags | None = None) -> None:
    """Inside, start, start + 1, ... in the order of the first pixels; outside start - 1."""
    expected = number_in_raster_order(labels, inside) + start
    np.testing.assert_array_equal(labels, expected)


def assert_gap_free(labels: Labels, start: int, inside: Flags | None = None) -> None:
    """Inside, every number from start to the largest, in any order; outside start - 1."""
    keep = np.ones(labels.shape, bool) if inside is None else inside
    names = np.unique(labels[keep])
    np.testing.assert_array_equal(names, np.arange(start, start + names.size))
    assert (labels[~keep] == start - 1).all()


def assert_no_small_pieces(labels: Labels, min_size: int, inside: Flags | None = None) -> None:
    """A label below min_size has nothing that it could have joined."""
    picked = labels if inside is None else labels[inside]
    names, counts = np.unique(picked, return_counts=True)
    small = set(names[counts < min_size].tolist()) - lonely(labels, inside)
    assert not small, f"below {min_size} pixels with neighbours: {sorted(small)[:10]}"
