"""What SCN learns from, against the formulas pixel by pixel."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")

from superpix.models import losses_scn  # noqa: E402

GRID = (2, 3)
SIZE = (10, 12)


def association_of(batch: int = 2) -> Any:
    """Return random shares, those beyond the grid 0 and the others of sum 1."""
    from superpix.torch._plain import candidates

    generator = torch.Generator().manual_seed(0)
    shares = torch.rand(batch, 9, *SIZE, generator=generator, dtype=torch.float64)
    shares = shares * candidates(*SIZE, GRID, shares.device)[1].view(9, *SIZE)
    return shares / shares.sum(dim=1, keepdim=True)


def labels_of(batch: int = 2) -> Any:
    return torch.randint(0, 4, (batch, *SIZE), generator=torch.Generator().manual_seed(1))


def round_trip(shares: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values [D, H, W] that went to superpixels by shares [9, H, W], and back."""
    rows, columns = GRID
    height, width = SIZE
    sums = np.zeros((rows, columns, len(values)))
    weights = np.zeros((rows, columns))

    def around(y: int, x: int) -> list[tuple[int, int, int]]:
        row, column = y * rows // height, x * columns // width
        cells = [(row + k // 3 - 1, column + k % 3 - 1, k) for k in range(9)]
        return [(r, c, k) for r, c, k in cells if 0 <= r < rows and 0 <= c < columns]

    for y, x in np.ndindex(*SIZE):
        for r, c, k in around(y, x):
            sums[r, c] += shares[k, y, x] * values[:, y, x]
            weights[r, c] += shares[k, y, x]
    means = sums / (weights + 256e-8)[..., None]
    returned = np.zeros_like(values)
    for y, x in np.ndindex(*SIZE):
        for r, c, k in around(y, x):
            returned[:, y, x] += shares[k, y, x] * means[r, c]
    return returned


def test_semantic_is_the_formula() -> None:
    association, labels = association_of(), labels_of()
    expected = 0.0
    for shares, classes in zip(association.numpy(), labels.numpy(), strict=True):
        returned = round_trip(shares, np.eye(4)[classes].transpose(2, 0, 1))
        for y, x in np.ndindex(*SIZE):
            expected -= math.log(returned[classes[y, x], y, x] + 1e-8) / 2
    found = losses_scn.semantic(association, labels, GRID)
    assert float(found) == pytest.approx(expected, rel=1e-6)
    assert torch.equal(losses_scn.semantic(association, labels, GRID, num_classes=9), found)


def test_semantic_ignores_pixels_without_a_label() -> None:
    association, labels = association_of(1), labels_of(1)
    labels[0, :, :8] = -1
    # What is left has one class, which comes back wherever a superpixel has seen it.
    labels[0, :, 8:] = 2
    assert abs(float(losses_scn.semantic(association, labels, GRID))) < 1e-5
    labels[:] = -1
    assert float(losses_scn.semantic(association, labels, GRID)) == 0


def test_position_is_the_formula() -> None:
    association = association_of()
    positions = np.stack(np.mgrid[: SIZE[0], : SIZE[1]]).astype(float)
    offsets = [round_trip(shares, positions) - positions for shares in association.numpy()]
    expected = sum(np.sqrt((offset**2).sum(axis=0)).sum() for offset in offsets) / 2
    found = losses_scn.position(association, GRID)
    assert float(found) == pytest.approx(expected, rel=1e-9)


def test_position_is_in_full_precision_whatever_the_association_is() -> None:
    association = association_of()
    expected = losses_scn.position(association, GRID)
    for dtype in (torch.bfloat16, torch.float16):
        found = losses_scn.position(association.to(dtype), GRID)
        assert found.dtype == torch.float32
        assert float(found) == pytest.approx(float(expected), rel=0.02)


def test_pixels_that_come_back_to_where_they_were_have_no_gradient_of_position() -> None:
    # Cells of one pixel each, which keep it. Only position 0 comes back without rounding.
    association = torch.zeros(1, 9, 3, 3, dtype=torch.float64)
    association[:, 4] = 1
    association.requires_grad_()
    losses_scn.position(association, (3, 3)).backward()
    assert association.grad is not None
    assert torch.isfinite(association.grad).all()


def test_gradients() -> None:
    association, labels = association_of(1).requires_grad_(), labels_of(1)
    assert torch.autograd.gradcheck(
        lambda q: losses_scn.semantic(q, labels, GRID), association, fast_mode=True
    )
    assert torch.autograd.gradcheck(
        lambda q: losses_scn.position(q, GRID), association, fast_mode=True
    )
