"""SCN and PCNet: their layers, cells at the border, tiles, and labels of any size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import superpix
from support.connectivity import assert_connected, assert_gap_free
from support.pictures import noisy_regions

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
st = pytest.importorskip("superpix.torch")
cells = pytest.importorskip("superpix.models.cells")
tiles = pytest.importorskip("superpix.models.tiles")

from superpix.models import SCN, PCNet  # noqa: E402
from superpix.models.encoder_decoder import ConvLayer  # noqa: E402
from superpix.models.resize import resize, resize_labels  # noqa: E402

MODELS = [SCN, PCNet]

ROOT = Path(__file__).resolve().parents[2]


def with_statistics(model: Any) -> Any:
    """Return the model in eval mode, as different from a new one as training would make it."""
    generator = torch.Generator().manual_seed(1)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
            module.weight.data.uniform_(0.5, 1.5, generator=generator)
            module.bias.data.normal_(0, 0.2, generator=generator)
    return model.eval()


@pytest.fixture(scope="module", params=MODELS, ids=lambda kind: kind.__name__)
def model(request: pytest.FixtureRequest) -> Any:
    torch.manual_seed(0)
    return with_statistics(request.param())


def picture(height: int, width: int) -> Any:
    """Return blobs of colour and noise, [1, 3, H, W]."""
    generator = torch.Generator().manual_seed(2)
    coarse = torch.rand(1, 3, 6, 6, generator=generator)
    image = torch.nn.functional.interpolate(coarse, (height, width), mode="nearest")
    return (image + 0.1 * torch.randn(image.shape, generator=generator)).clamp(0, 1)


def convolutions(model: Any) -> list[tuple[int, ...]]:
    """Return kind (4 of transposed ones), inputs, outputs and stride, sorted."""
    found = []
    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
            size, stride = module.kernel_size[0], module.stride[0]
            found.append((size, module.in_channels, module.out_channels, stride))
    return sorted(found)


SHARED = [
    *[(3, 3, 16, 1), (3, 16, 16, 1), (3, 16, 32, 2), (3, 32, 32, 1), (3, 32, 64, 2)],
    *[(3, 64, 64, 1), (3, 64, 128, 2), (3, 128, 128, 1), (3, 128, 256, 2), (3, 256, 256, 1)],
    *[(4, 256, 128, 2), (3, 256, 128, 1), (4, 128, 64, 2), (3, 128, 64, 1)],
    *[(4, 64, 32, 2), (3, 64, 32, 1), (4, 32, 16, 2), (3, 32, 16, 1)],
]


def test_networks_have_the_layers_of_the_published_code() -> None:
    assert convolutions(SCN()) == sorted([*SHARED, (3, 16, 9, 1)])
    enlarging = [(3, 16, 256, 1), (3, 16, 16, 1), (3, 16, 9, 1), (1, 16, 3, 1)]
    assert convolutions(PCNet()) == sorted([*SHARED, *enlarging])
    assert sum(p.numel() for p in SCN().parameters()) == 2_269_785
    assert sum(p.numel() for p in PCNet().parameters()) == 2_309_545


def test_folded_normalisation_is_the_normalisation() -> None:
    torch.manual_seed(0)
    for stride in (1, 2):
        layer = with_statistics(ConvLayer(3, 8, stride)).double()
        x = torch.randn(2, 3, 12, 10, dtype=torch.float64)
        expected = torch.nn.functional.leaky_relu(layer.norm(layer.conv(x)), 0.1)
        torch.testing.assert_close(layer(x), expected)


def test_association_has_the_image_s_size_and_sums_to_one(model: Any) -> None:
    image = picture(64, 128)
    output = model(torch.cat([image, image.flip(3)]))
    assert output.grid == (4, 8)
    assert output.association.shape == (2, 9, 64, 128)
    total = output.association.sum(dim=1)
    torch.testing.assert_close(total, torch.ones_like(total))


def test_cells_beyond_the_border_get_nothing(model: Any) -> None:
    association = model(picture(64, 128)).association.detach()[0].view(3, 3, 64, 128)
    assert (association[0, :, :16] == 0).all()
    assert (association[2, :, -16:] == 0).all()
    assert (association[:, 0, :, :16] == 0).all()
    assert (association[:, 2, :, -16:] == 0).all()
    assert (association[:, :, 16:-16, 16:-16] > 0).all()
    assert (association[1, 1] > 0).all()


def test_softmax_over_cells_has_the_right_gradient() -> None:
    scores = torch.randn(1, 9, 32, 16, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(1, 9, 32, 16, dtype=torch.float64)

    def total(x: Any) -> Any:
        return (cells.softmax_over_cells(x, (2, 1)) * weights).sum()

    assert torch.autograd.gradcheck(total, scores, fast_mode=True)


def test_training_and_embeddings_of_pcnet() -> None:
    model = PCNet()
    image = torch.cat([picture(64, 128), picture(64, 128).flip(3)])
    output = model(image)
    assert output.restored.shape == image.shape
    assert output.sub_pixel.shape == output.features.shape == (2, 16, 64, 128)
    # Tanh, to which the mean is added.
    assert (output.restored - model.mean[:, None, None]).abs().max() <= 1
    assert model.eval()(image).restored is None


def test_pcnet_sees_every_fourth_pixel() -> None:
    model = with_statistics(PCNet())
    image = picture(64, 64)
    other = torch.rand_like(image)
    other[:, :, ::4, ::4] = image[:, :, ::4, ::4]
    assert torch.equal(model(image).association, model(other).association)


@pytest.mark.parametrize("shape", [(1, 3, 40, 64), (1, 3, 64, 40), (3, 64, 64), (1, 4, 64, 64)])
def test_images_that_networks_cannot_take(model: Any, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"image.* must be"):
        model(torch.zeros(shape))


def whole_labels(model: Any, image: Any) -> Any:
    output = model(image)
    return st.hard_labels(output.association, output.grid)


def test_tiles_are_the_whole(model: Any, monkeypatch: Any) -> None:
    image = picture(256, 192)
    with torch.inference_mode():
        expected = whole_labels(model, image)
        assert len(expected.unique()) > 90
        for tile in (1, 2, 3, 5, 7, 11, 100):
            monkeypatch.setattr(tiles, "TILE", tile)
            found = model.labels(image[:, :, :: model.step, :: model.step], (16, 12))
            assert found.dtype == torch.int32
            assert torch.equal(found.long(), expected)


def test_tiles_of_batches(model: Any, monkeypatch: Any) -> None:
    image = torch.cat([picture(128, 64), picture(128, 64).flip(2)])
    monkeypatch.setattr(tiles, "TILE", 1)
    with torch.inference_mode():
        found = model.labels(image[:, :, :: model.step, :: model.step], (8, 4))
        assert torch.equal(found.long(), whole_labels(model, image))


def test_no_layer_sees_more_than_a_tile_of_a_large_image(model: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(tiles, "TILE", 4)
    sizes = []
    hook = model.output.register_forward_hook(lambda _m, _i, y: sizes.append(tuple(y.shape[2:])))
    with hook:
        model.predict(picture(256, 1024), 1024)
    assert len(sizes) == 4 * 16
    # A tile with the row around it that the last layer's inputs have, and columns of the first's.
    assert {height for height, _ in sizes} == {64 + 1, 64 + 2}
    assert max(width for _, width in sizes) <= 64 + 2 * 16


def test_tiles_are_about_equal(model: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(tiles, "TILE", 7)
    heights = set()
    hook = model.output.register_forward_hook(lambda _m, _i, y: heights.add(y.shape[2]))
    with hook:
        model.predict(picture(128, 128), 64)
    assert heights == {64 + 1}


@pytest.mark.parametrize(
    ("size", "n_segments", "step", "expected"),
    [
        ((320, 480), 600, 1, (20, 30)),
        ((321, 481), 600, 1, (20, 30)),
        ((321, 481), 54, 1, (6, 9)),
        ((481, 321), 384, 4, (24, 16)),
        ((5000, 5000), 97344, 4, (312, 312)),
        ((100, 100), 1, 4, (4, 4)),
        ((1, 1), 100, 1, (1, 1)),
        ((1, 400), 50, 1, (1, 50)),
        ((400, 1), 50, 1, (50, 1)),
        ((40, 300), 32, 4, (4, 8)),
        ((10, 10000), 100, 1, (1, 100)),
    ],
)
def test_choice_of_cells(
    size: tuple[int, int], n_segments: int, step: int, expected: tuple[int, int]
) -> None:
    assert cells.choose_cells(size, n_segments, step) == expected


@pytest.mark.parametrize(
    ("height", "width", "n_segments"), [(97, 131, 60), (40, 300, 32), (1, 1, 5), (64, 64, 1000)]
)
def test_labels_of_any_size_and_count(model: Any, height: int, width: int, n_segments: int) -> None:
    labels = model.predict(picture(height, width), n_segments).labels
    assert labels.shape == (1, height, width)
    rows, columns = cells.choose_cells((height, width), n_segments, model.multiple // 16)
    assert labels.min() >= 0
    assert labels.max() < rows * columns
    if height > 1:
        assert 0.6 * n_segments < rows * columns < 1.6 * n_segments


def test_labels_are_those_of_the_network_s_image(model: Any) -> None:
    image = picture(150, 200)
    with torch.inference_mode():
        expected = whole_labels(model, resize(image, (192, 256)))
    found = model.predict(image, 12 * 16).labels
    assert torch.equal(found.long(), resize_labels(expected, (150, 200)))


def test_segments_are_connected_and_their_numbers_without_gaps(model: Any) -> None:
    image = (picture(97, 131)[0].permute(1, 2, 0).numpy() * 255).astype(np.uint8)
    labels = model.segment(image, 48)
    assert labels.dtype == np.int32
    assert labels.shape == (97, 131)
    assert_connected(labels)
    assert_gap_free(labels, 1)
    assert not model.training


def test_there_are_as_many_segments_as_asked_for(model: Any) -> None:
    image = (picture(160, 192)[0].permute(1, 2, 0).numpy() * 255).astype(np.uint8)
    for n_segments in (3, 30):
        assert model.segment(image, n_segments).max() == n_segments


def test_weights_come_back(model: Any, tmp_path: Path) -> None:
    kind = type(model)
    model = with_statistics(kind(mean=(0.5, 0.4, 0.3)))
    model.save(tmp_path / "model.safetensors")
    again = kind.from_pretrained(tmp_path / "model.safetensors")
    assert again.mean.tolist() == pytest.approx([0.5, 0.4, 0.3])
    image = picture(64, 64)
    assert torch.equal(again(image).association, model(image).association)


def test_weights_of_half_the_size(model: Any, tmp_path: Path) -> None:
    kind = type(model)
    model = with_statistics(kind())
    model.save(tmp_path / "whole.safetensors")
    model.save(tmp_path / "half.safetensors", torch.float16)
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("whole", "half")]
    assert sizes[1] < 0.51 * sizes[0]
    again = kind.from_pretrained(tmp_path / "half.safetensors")
    for (name, value), rounded in zip(
        model.state_dict().items(), again.state_dict().values(), strict=True
    ):
        assert rounded.dtype == value.dtype, name
        assert torch.equal(rounded, value.to(torch.float16).to(value.dtype)), name
    image = picture(64, 64)
    error = (again(image).association - model(image).association).abs().max()
    assert 0 < error < 0.02


def test_weights_that_no_half_can_hold(model: Any, tmp_path: Path) -> None:
    model = type(model)()
    with torch.no_grad():
        model.output.bias[3] = 7e4
    with pytest.raises(ValueError, match=r"output.bias is beyond the range of torch.float16"):
        model.save(tmp_path / "half.safetensors", torch.float16)
    with pytest.raises(ValueError, match=r"dtype must be float16.* got torch.int8"):
        model.save(tmp_path / "half.safetensors", torch.int8)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("kind", "name"), [(SCN, "scn_bsds500"), (PCNet, "pcnet_bsds500")])
def test_weights_of_the_repository_find_what_is_there(
    kind: type[SCN] | type[PCNet], name: str
) -> None:
    model = kind.from_pretrained(ROOT / "weights" / f"{name}.safetensors")
    assert not model.training
    image, truth = noisy_regions()
    labels = model.segment(image, 60)
    assert superpix.metrics.achievable_segmentation_accuracy(labels, truth) > 0.97
    assert_gap_free(labels, 1)
