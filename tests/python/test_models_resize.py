"""Images and labels at other sizes, as the networks resize them."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from superpix.models.resize import resize, resize_labels  # noqa: E402


@pytest.mark.parametrize(
    ("size", "new"), [((40, 50), (64, 80)), ((90, 70), (32, 48)), ((33, 64), (48, 64))]
)
@pytest.mark.parametrize("step", [1, 4])
def test_resize_is_pytorch_s(size: tuple[int, int], new: tuple[int, int], step: int) -> None:
    image = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    expected = torch.nn.functional.interpolate(image, new, mode="bicubic", antialias=True)
    expected = expected.clamp(0, 1)[:, :, ::step, ::step]
    batch = torch.cat([image, image.flip(2)])
    found = resize(batch, new, step)
    assert found.shape == (2, *expected.shape[1:])
    # Where interpolate rounds positions to float32.
    torch.testing.assert_close(found[:1], expected, atol=1e-5, rtol=0)


def test_labels_are_never_mixed() -> None:
    labels = torch.tensor([[[0, 7], [9, 3]]], dtype=torch.int32)
    found = resize_labels(labels, (4, 3))
    assert found.tolist() == [[[0, 7, 7], [0, 7, 7], [9, 3, 3], [9, 3, 3]]]
    assert torch.equal(resize_labels(found, (2, 2)), labels)
