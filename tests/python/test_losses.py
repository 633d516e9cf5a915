"""Losses of superpixel models, against their formulas written out in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from superpix.models import losses  # noqa: E402

GRID = (3, 4)


def association(seed: int, *shape: int) -> Any:
    scores = np.random.default_rng(seed).normal(size=shape)
    return torch.softmax(torch.from_numpy(scores), dim=1)


def candidates(height: int, width: int) -> np.ndarray[Any, Any]:
    """Return [9, H, W] superpixels, -1 where there is none."""
    rows, columns = GRID
    found = np.full((9, height, width), -1)
    for y in range(height):
        for x in range(width):
            r, c = y * rows // height, x * columns // width
            for j in range(9):
                rr, cc = r + j // 3 - 1, c + j % 3 - 1
                if 0 <= rr < rows and 0 <= cc < columns:
                    found[j, y, x] = rr * columns + cc
    return found


def one_hot_cross_entropy(q: Any, labels: Any) -> float:
    """Go to superpixels and back pixel by pixel, with one-hot labels."""
    batch, _, height, width = q.shape
    where = candidates(height, width)
    num_classes = int(labels.max()) + 1
    total, known = 0.0, 0
    for b in range(batch):
        sums = np.zeros((GRID[0] * GRID[1], num_classes))
        pixels = [(y, x) for y in range(height) for x in range(width) if labels[b, y, x] >= 0]
        for y, x in pixels:
            for j in range(9):
                if where[j, y, x] >= 0:
                    sums[where[j, y, x], labels[b, y, x]] += q[b, j, y, x]
        parts = sums / np.maximum(sums.sum(1, keepdims=True), 1e-12)
        for y, x in pixels:
            back = sum(
                q[b, j, y, x] * parts[where[j, y, x], labels[b, y, x]]
                for j in range(9)
                if where[j, y, x] >= 0
            )
            total -= np.log(back + 1e-10)
            known += 1
    return total / max(known, 1)


@pytest.mark.parametrize(("height", "width"), [(9, 12), (10, 13), (3, 4)])
def test_cross_entropy_is_that_of_one_hot_labels(height: int, width: int) -> None:
    q = association(height, 2, 9, height, width)
    labels = torch.from_numpy(np.random.default_rng(1).integers(-1, 5, (2, height, width)))
    found = losses.reconstruction_cross_entropy(q, labels, GRID)
    assert found.item() == pytest.approx(one_hot_cross_entropy(q.numpy(), labels.numpy()))
    more = losses.reconstruction_cross_entropy(q, labels, GRID, num_classes=90)
    assert more.item() == pytest.approx(found.item())


def test_cross_entropy_of_superpixels_within_segments_is_0() -> None:
    labels = torch.arange(12).view(1, 3, 4).repeat_interleave(3, 1).repeat_interleave(4, 2)
    q = torch.zeros(1, 9, 9, 16)
    q[:, 4] = 1
    assert losses.reconstruction_cross_entropy(q, labels, GRID).item() == pytest.approx(0, abs=1e-6)


def test_cross_entropy_without_labels_is_0() -> None:
    q = association(0, 1, 9, 6, 8).requires_grad_()
    loss = losses.reconstruction_cross_entropy(q, torch.full((1, 6, 8), -1), GRID)
    loss.backward()
    assert loss.item() == 0
    assert not q.grad.any()


def test_cross_entropy_has_its_gradient() -> None:
    q = association(2, 2, 9, 7, 9).requires_grad_()
    labels = torch.from_numpy(np.random.default_rng(3).integers(-1, 4, (2, 7, 9)))
    assert torch.autograd.gradcheck(
        lambda a: losses.reconstruction_cross_entropy(a, labels, GRID), q
    )


def test_cross_entropy_of_halves_is_computed_in_single_precision() -> None:
    q = association(4, 1, 9, 60, 80)
    labels = torch.from_numpy(np.random.default_rng(5).integers(0, 4, (1, 60, 80)))
    exact = losses.reconstruction_cross_entropy(q, labels, GRID)
    half = losses.reconstruction_cross_entropy(q.bfloat16(), labels, GRID)
    assert half.dtype == torch.float32
    assert half.item() == pytest.approx(exact.item(), rel=1e-2)


def test_l1_is_the_mean_error_of_what_comes_back() -> None:
    from superpix.torch import soft_pool, soft_unpool

    q = association(6, 2, 9, 8, 9).requires_grad_()
    flow = torch.from_numpy(np.random.default_rng(7).normal(size=(2, 2, 8, 9)))
    back = soft_unpool(soft_pool(flow, q, GRID), q, GRID)
    found = losses.reconstruction_l1(q, flow, GRID)
    assert found.item() == pytest.approx(np.abs((back - flow).detach().numpy()).mean())
    assert torch.autograd.gradcheck(lambda a: losses.reconstruction_l1(a, flow, GRID), q)
    constant = losses.reconstruction_l1(q, torch.ones(2, 2, 8, 9).double(), GRID)
    assert constant.item() == pytest.approx(0)


def test_l1_leaves_out_what_is_unknown() -> None:
    q = association(9, 1, 9, 8, 9).requires_grad_()
    flow = torch.from_numpy(np.random.default_rng(10).normal(size=(1, 2, 8, 9)))
    flow[0, 0, :3, 4:] = np.nan
    flow[0, 1, 6, 6] = np.nan
    known = ~flow.isnan().any(dim=1)[0]
    where = candidates(8, 9)
    weights = np.zeros((12, 8, 9))  # of pixels in superpixels
    for j, y, x in np.argwhere(where >= 0):
        weights[where[j, y, x], y, x] += q[0, j, y, x].item()
    vectors, weights = flow[0][:, known].numpy(), weights[:, known.numpy()]
    means = weights @ vectors.T / weights.sum(1, keepdims=True)
    errors = np.abs(means.T @ weights / weights.sum(0) - vectors)
    found = losses.reconstruction_l1(q, flow, GRID)
    assert found.item() == pytest.approx(errors.mean().item())
    assert torch.autograd.gradcheck(lambda a: losses.reconstruction_l1(a, flow, GRID), q)
    unknown = torch.full_like(flow, np.nan)
    assert losses.reconstruction_l1(q, unknown, GRID).item() == 0


def test_compactness_is_half_the_squared_distances() -> None:
    rng = np.random.default_rng(8)
    centers = torch.from_numpy(rng.normal(size=(2, 2, 12))).requires_grad_()
    labels = torch.from_numpy(rng.integers(0, 12, (2, 6, 8)))
    positions = torch.from_numpy(rng.normal(size=(2, 2, 6, 8)))
    found = losses.compactness(centers, labels, positions)
    expected = sum(
        ((positions[b, :, y, x] - centers[b, :, labels[b, y, x]]) ** 2).sum().item()
        for b in range(2)
        for y in range(6)
        for x in range(8)
    )
    assert found.item() == pytest.approx(expected / 4)
    assert torch.autograd.gradcheck(lambda c: losses.compactness(c, labels, positions), centers)
