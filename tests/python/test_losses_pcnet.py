"""What PCNet learns from beside SCN's losses, against the formulas and scikit-image."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from superpix.models.boundaries import binary_mask, boundaries, near_boundaries  # noqa: E402
from superpix.models.losses_pcnet import local_discrimination, masked_l1  # noqa: E402


def labels_of(batch: int, height: int, width: int) -> Any:
    """Return segments of a few pixels a side."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randint(0, 4, (batch, height // 6 + 1, width // 6 + 1), generator=generator)
    return coarse.repeat_interleave(6, 1).repeat_interleave(6, 2)[:, :height, :width].clone()


def test_boundaries_are_those_of_scikit_image() -> None:
    segmentation = pytest.importorskip("skimage.segmentation")
    labels = labels_of(2, 40, 31)
    expected = [segmentation.find_boundaries(x, mode="thick") for x in labels.numpy()]
    np.testing.assert_array_equal(boundaries(labels).numpy(), np.stack(expected))


def test_pixels_without_a_segment_bound_none() -> None:
    labels = torch.tensor([[[0, 0, -1, -1, 1, 1, 2, 2]]])
    assert boundaries(labels).int().tolist() == [[[0, 0, 0, 0, 0, 1, 1, 0]]]


@pytest.mark.parametrize("side", [1, 2, 5, 16])
def test_dilation_is_opencv_s(side: int) -> None:
    labels = torch.zeros(1, 40, 50, dtype=torch.int64)
    labels[0, 18:22, 20] = 1
    expected = np.zeros((40, 50), bool)
    for y, x in boundaries(labels)[0].nonzero().tolist():
        before, after = side - 1 - side // 2, side // 2
        expected[max(0, y - before) : y + after + 1, max(0, x - before) : x + after + 1] = True
    np.testing.assert_array_equal(near_boundaries(labels, side)[0].numpy(), expected)


def test_binary_mask_is_the_segment_of_the_longest_boundary() -> None:
    labels = labels_of(3, 33, 47)
    labels[0, :5] = -1
    labels[2] = 1
    found = binary_mask(labels)
    edges = boundaries(labels)
    for image, edge, mask in zip(labels, edges, found, strict=True):
        lengths = [int((edge & (image == c)).sum()) for c in range(4)]
        expected = torch.where(image < 0, -1, (image == int(np.argmax(lengths))).long())
        assert torch.equal(mask, expected)


def test_masked_l1_is_the_formula() -> None:
    restored, image = torch.rand(2, 2, 3, 8, 9, dtype=torch.float64)
    mask = torch.rand(2, 8, 9) > 0.6
    expected = sum(
        abs(float(restored[b, c, y, x] - image[b, c, y, x]))
        for b, y, x in mask.nonzero().tolist()
        for c in range(3)
    ) / int(mask.sum())
    assert float(masked_l1(restored, image, mask)) == pytest.approx(expected)
    assert float(masked_l1(restored, image, torch.zeros_like(mask))) == 0


def patch_contrast(features: Any, labels: Any) -> float | None:
    """Return J of a patch, features [C, N] and labels [N], or nothing where it does not count."""
    if len(set(labels)) != 2 or min(labels) < 0:
        return None
    f, g = (features[:, labels == label] for label in sorted(set(labels)))
    spread = sum(((x - x.mean(axis=1, keepdims=True)) ** 2).sum() for x in (f, g))
    return float(((f.mean(axis=1) - g.mean(axis=1)) ** 2).sum() / (spread + 1e-10))


def test_local_discrimination_is_the_formula() -> None:
    labels = labels_of(2, 30, 36)
    labels[1, :4] = -1
    generator = torch.Generator().manual_seed(3)
    embedding = torch.randn(2, 4, 30, 36, dtype=torch.float64, generator=generator)
    centers = torch.randint(0, 36, (2, 60, 2), generator=generator)
    centers[1, 40:] = -1
    total = 0.0
    for b in range(2):
        values = []
        for y, x in centers[b].tolist():
            if 2 <= y < 28 and 2 <= x < 34:
                window = (slice(y - 2, y + 3), slice(x - 2, x + 3))
                features = embedding[(b, slice(None), *window)].reshape(4, 25).numpy()
                values.append(patch_contrast(features, labels[b][window].flatten().numpy()))
        counted = [value for value in values if value is not None]
        assert 3 < len(counted) < len(values)
        total -= np.mean(counted) / 2
    found = local_discrimination(embedding, labels, centers)
    assert float(found) == pytest.approx(total, rel=1e-9)


def test_local_discrimination_without_patches() -> None:
    embedding = torch.randn(2, 4, 12, 12, requires_grad=True)
    found = local_discrimination(
        embedding, torch.zeros(2, 12, 12, dtype=torch.int64), torch.full((2, 5, 2), -1)
    )
    found.backward()
    assert found.item() == 0
    assert torch.equal(embedding.grad, torch.zeros_like(embedding))


def test_gradients() -> None:
    labels = labels_of(1, 12, 12)
    embedding = torch.randn(1, 3, 12, 12, dtype=torch.float64, requires_grad=True)
    centers = torch.tensor([[[5, 5], [3, 6], [-1, -1]]])
    assert torch.autograd.gradcheck(
        lambda x: local_discrimination(x, labels, centers), embedding, fast_mode=True
    )
    restored = torch.rand(1, 3, 12, 12, dtype=torch.float64, requires_grad=True)
    mask = near_boundaries(labels, 3)
    assert torch.autograd.gradcheck(
        lambda x: masked_l1(x, torch.full_like(x, 2), mask), restored, fast_mode=True
    )
