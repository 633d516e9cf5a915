"""What `refine_iter` of `slic` and of `enforce_connectivity` does, against docs/accuracy.md."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

import superpix as sp
from support.connectivity import assert_connected, assert_gap_free, sizes

RING = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))
FOUR = (1, 3, 5, 7)
LAMBDA = 0.02
SPATIAL_WEIGHT = 0.25

Labels = NDArray[np.int32]


def smooth(labels: Labels) -> Labels:
    """The majority filter: two passes, each first the even rows and then the odd ones."""
    result = labels.copy()
    for parity in (0, 1, 0, 1):
        for row in range(parity, len(result) - 1, 2):
            if row == 0:
                continue
            old = result[row].copy()
            for x in range(1, len(old) - 1):
                own, west, east = old[x], old[x - 1], old[x + 1]
                north, south = result[row - 1, x], result[row + 1, x]
                alone = own not in (north, south, west, east)
                if (north == south and north in (west, east)) or (
                    alone and north in (south, west, east)
                ):
                    new = north
                elif (west == east and (west in (north, south) or alone)) or (
                    alone and south == west
                ):
                    new = west
                elif alone and south == east:
                    new = south
                else:
                    continue
                if own >= 0 and new >= 0:
                    result[row, x] = new
    return result


def smoothed(image: NDArray[Any], n: int, compactness: float = 10.0, **options: Any) -> Labels:
    """Superpixels before the border refinement: clustered, smoothed and connected."""
    factor = options.pop("min_size_factor", 0)
    axis = options.get("channel_axis", -1)
    clusters = sp.slic(image, n, compactness, enforce_connectivity=False, **options)
    mean_size = clusters.size / len(np.unique(clusters))
    # The rule of merging counts colours in units of a tenth of m.
    features = lab_features(image, compactness) if axis == -1 else image[..., np.newaxis]
    return sp.enforce_connectivity(
        smooth(clusters),
        image=(10 * features).astype(np.float32),
        min_size=int(factor * mean_size),
        max_size=int(3 * mean_size),
        start_label=0,
    )


def excess(image: NDArray[Any], n: int, compactness: float, before: Labels, **options: Any) -> Any:
    """What sums of colours [K, C] have too much at first: the only piece of a filtered cluster is
    taken to have the mean colour of the cluster before the filter. Nothing may have been merged.
    """
    clusters = sp.slic(image, n, compactness, enforce_connectivity=False, **options)
    axis = options.get("channel_axis", -1)
    features = lab_features(image, compactness) if axis == -1 else grey_features(image, compactness)
    filtered = smooth(clusters)
    result = np.zeros((before.max() + 1, features.shape[-1]))
    for cluster in np.unique(filtered):
        pieces = np.unique(before[filtered == cluster])
        if len(pieces) == 1:
            members = features[before == pieces[0]]
            mean = features[clusters == cluster].mean(axis=0)
            result[pieces[0]] = mean * len(members) - members.sum(axis=0)
    return result


def refine(
    labels: Labels,
    features: NDArray[np.float64],
    step: float,
    rounds: int,
    min_size: int = 0,
    excess: Any = 0.0,
) -> Labels:
    """Pixel by pixel. ``labels`` from 0, -1 outside; ``features`` [H, W, C] are colour / m."""
    result = labels.copy()
    height, width = labels.shape
    for _ in range(rounds):
        inside = result >= 0
        count = np.bincount(result[inside])
        y, x = np.mgrid[:height, :width]
        planes = [*np.moveaxis(features, -1, 0), y, x]
        sums = np.stack([np.bincount(result[inside], p[inside]) for p in planes], axis=-1)
        sums[:, :-2] += excess
        means = sums / count[:, np.newaxis]
        border = has_other_neighbor(result)
        for row in (*range(0, height, 2), *range(1, height, 2)):
            moved = np.zeros(width + 2, bool)  # from column -1 on
            for column in (*range(0, width, 2), *range(1, width, 2)):
                if moved[column] or moved[column + 2]:
                    continue
                if border[row, column] and result[row, column] >= 0:
                    old = result[row, column]
                    visit(result, features, means, step, row, column, min_size)
                    moved[column + 1] = result[row, column] != old
    return result


def has_other_neighbor(labels: Labels) -> NDArray[np.bool_]:
    found = np.zeros(labels.shape, bool)
    for axis in (0, 1):
        differs = np.diff(labels, axis=axis) != 0
        first: list[slice] = [slice(None)] * 2
        second: list[slice] = [slice(None)] * 2
        first[axis], second[axis] = slice(None, -1), slice(1, None)
        found[tuple(first)] |= differs
        found[tuple(second)] |= differs
    return found


def visit(
    labels: Labels,
    features: NDArray[np.float64],
    means: NDArray[np.float64],
    step: float,
    row: int,
    column: int,
    min_size: int,
) -> None:
    height, width = labels.shape
    around = [
        int(labels[row + dy, column + dx])
        if 0 <= row + dy < height and 0 <= column + dx < width
        else -1
        for dy, dx in RING
    ]
    own = int(labels[row, column])
    has = [label == own for label in around]
    groups = sum(has[i] and not (has[(i + 1) % 8] and has[(i + 2) % 8]) for i in FOUR)
    if groups != 1:
        return

    def cost(label: int) -> float:
        color = features[row, column] - means[label, :-2]
        dy, dx = row - means[label, -2], column - means[label, -1]
        space = SPATIAL_WEIGHT * (dy * dy + dx * dx) / step**2
        return float(color @ color + space - LAMBDA * around.count(label))

    best, least = own, cost(own)
    for i in FOUR:
        if around[i] not in (own, -1) and cost(around[i]) < least:
            best, least = around[i], cost(around[i])
    if best != own and np.count_nonzero(labels == own) > min_size:
        labels[row, column] = best


def picture(height: int, width: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(3)
    coarse = rng.integers(0, 256, (height // 9 + 1, width // 11 + 1, 3))
    image = np.kron(coarse, np.ones((9, 11, 1)))[:height, :width]
    return np.clip(image + rng.normal(0, 12, image.shape), 0, 255).astype(np.uint8)


def grey_features(image: NDArray[Any], compactness: float) -> NDArray[np.float64]:
    stretched = (image - image.min())[..., np.newaxis].astype(np.float64) / np.ptp(image)
    return stretched / compactness


def lab_features(image: NDArray[Any], compactness: float) -> NDArray[np.float64]:
    stretched = (image - image.min()) / np.ptp(image)
    lab = sp.rgb_to_lab(stretched).astype(np.float64)
    return lab * np.sqrt([1.0, 3.0, 3.0]) / compactness


# min_size 0: no superpixel can shrink below it, so that nothing follows the refinement.
@pytest.mark.parametrize("rounds", [1, 2, 3])
@pytest.mark.parametrize("compactness", [10.0, 30.0])
def test_float_matches_reference(rounds: int, compactness: float) -> None:
    image = picture(60, 80) / 255.0
    before = smoothed(image, 48, compactness, start_label=0)
    after = sp.slic(image, 48, compactness, min_size_factor=0, start_label=0, refine_iter=rounds)
    more = excess(image, 48, compactness, before, start_label=0)
    expected = refine(before, lab_features(image, compactness), 10.0, rounds, excess=more)
    assert np.mean(before == expected) < 0.99
    assert np.mean(after == expected) > 0.999


@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_integer_path_matches_reference(rounds: int) -> None:
    image = picture(60, 80)
    before = smoothed(image, 48, start_label=0)
    after = sp.slic(image, 48, min_size_factor=0, start_label=0, refine_iter=rounds)
    expected = refine(before, lab_features(image, 10.0), 10.0, rounds)
    assert (after != before).any()
    assert np.mean(after == expected) > 0.99


def test_grey_and_odd_sizes_match_reference() -> None:
    image = picture(33, 55)[..., 0].astype(np.float32)
    options: dict[str, Any] = {"start_label": 0, "channel_axis": None}
    before = smoothed(image, 15, 0.2, **options)
    after = sp.slic(image, 15, 0.2, refine_iter=2, min_size_factor=0, **options)
    more = excess(image, 15, 0.2, before, **options)
    expected = refine(before, grey_features(image, 0.2), 11.0, 2, excess=more)
    assert (after != before).any()
    assert np.mean(after == expected) > 0.999


def test_mask_is_left_alone() -> None:
    image = picture(40, 50)
    mask = np.hypot(*(np.mgrid[:40, :50] - np.array([20, 25])[:, None, None])) < 18
    labels = sp.slic(image, 20, mask=mask, refine_iter=4)
    assert (labels[~mask] == 0).all()
    assert (labels[mask] > 0).all()
    assert_connected(labels, mask)


@pytest.mark.parametrize("scale", [1.0, 1 / 255.0])
def test_superpixels_do_not_shrink_below_the_least_size(scale: float) -> None:
    rng = np.random.default_rng(1)
    smooth = ndimage.gaussian_filter(rng.normal(size=(60, 80, 3)), (2, 2, 0))
    image = np.clip(128 + 300 * smooth, 0, 255).astype(np.uint8)
    if scale != 1.0:
        image = image * scale
    options: dict[str, Any] = {"min_size_factor": 0.8, "start_label": 0}
    least = int(0.8 * 60 * 80 / 48)
    before = smoothed(image, 48, **options)
    features = lab_features(image, 10.0)
    assert sizes(refine(before, features, 10.0, 3)).min() < least
    labels = sp.slic(image, 48, refine_iter=3, **options)
    assert sizes(labels).min() >= least
    assert_connected(labels)
    assert_gap_free(labels, 0)
    assert np.mean(labels == refine(before, features, 10.0, 3, least)) > 0.99


def feature_map(height: int, width: int, channels: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(channels)
    noise = rng.normal(size=(height, width, channels))
    return (5 * ndimage.gaussian_filter(noise, (2, 2, 0)) + 0.5 * noise).astype(np.float32)


def any_labels(height: int, width: int, *, holes: bool) -> NDArray[np.int64]:
    y, x = np.mgrid[:height, :width]
    labels = (y + x // 3) // 7 * 100 + (x + y // 4) // 9
    if holes:
        labels[(y - 8) ** 2 + (x - 20) ** 2 < 20] = -3
        labels[-2:, 5:9] = -1
    return labels


@pytest.mark.parametrize("rounds", [1, 3])
@pytest.mark.parametrize(
    ("shape", "channels", "holes", "min_size"),
    [
        ((40, 51), 3, True, 0),
        ((33, 47), 1, False, 0),
        ((20, 31), 18, False, 12),
        ((30, 70), 4, True, 25),
        ((1, 40), 2, False, 0),
        ((40, 1), 2, False, 0),
        ((2, 2), 2, False, 0),
        ((1, 1), 2, False, 0),
    ],
)
def test_labels_of_any_kind_match_reference(
    shape: tuple[int, int], channels: int, holes: bool, min_size: int, rounds: int
) -> None:
    image = feature_map(*shape, channels)
    labels = any_labels(*shape, holes=holes)
    before = sp.enforce_connectivity(labels, min_size, image=image, start_label=0)
    weights = {"position_weight": 0.01, "smoothness": 0.3}
    after = sp.enforce_connectivity(
        labels, min_size, image=image, start_label=0, refine_iter=rounds, **weights
    )
    # The reference has weights of its own.
    scale = LAMBDA / weights["smoothness"]
    step = np.sqrt(SPATIAL_WEIGHT / (weights["position_weight"] * scale))
    features = image.astype(np.float64) * np.sqrt(scale)
    expected = refine(before, features, step, rounds, min_size)
    if min_size == 0:
        np.testing.assert_array_equal(after, expected)
    else:  # the reference moves pixels of a superpixel that is nearly too small in an order
        assert np.mean(after == expected) > 0.98
        assert_connected(after, after >= 0)
        assert sizes(after).min() >= min(min_size, sizes(before).min())
    if min(shape) > 2:
        assert (after != before).any()


def test_borders_go_where_the_image_has_them() -> None:
    truth = np.where(np.arange(60) < 30, 0, 1)[None].repeat(40, 0)
    guess = np.where(np.arange(60) + 3 * np.sin(np.arange(40))[:, None] < 31, 1, 2)
    image = truth[..., None].astype(np.float32) * 30
    found = sp.enforce_connectivity(guess, 0, image=image, refine_iter=20, start_label=0)
    np.testing.assert_array_equal(found, truth)


def test_threads_and_memory_layout_do_not_matter() -> None:
    image = feature_map(130, 90, 5)
    labels = any_labels(130, 90, holes=True)
    options: dict[str, Any] = {"min_size": 20, "refine_iter": 4, "position_weight": 0.01}
    one = sp.enforce_connectivity(labels, image=image, num_threads=1, **options)
    two = sp.enforce_connectivity(labels, image=image, num_threads=4, **options)
    np.testing.assert_array_equal(one, two)
    planes = np.ascontiguousarray(np.moveaxis(image, -1, 0))
    other = sp.enforce_connectivity(
        np.asfortranarray(labels), image=planes, channel_axis=0, **options
    )
    np.testing.assert_array_equal(one, other)


def test_volumes_are_not_refined() -> None:
    labels = np.zeros((3, 4, 5), np.int32)
    with pytest.raises(ValueError, match="refine_iter"):
        sp.enforce_connectivity(labels, 1, image=np.zeros((3, 4, 5, 2)), refine_iter=1)
