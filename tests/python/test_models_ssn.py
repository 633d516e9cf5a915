"""SSN: the network, its inputs, pictures in and labels out, files of weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

import superpix  # noqa: E402
from superpix.models import SSN  # noqa: E402
from superpix.models.color import rgb_to_lab  # noqa: E402
from superpix.models.ssn import ConvLayer, DeepFeatures, choose_grid  # noqa: E402
from support.connectivity import assert_connected, assert_gap_free  # noqa: E402
from support.pictures import noisy_regions  # noqa: E402


def picture(height: int, width: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(height * width)
    y, x = np.mgrid[:height, :width]
    regions = (x > width // 3) + 2 * (y + x > height)
    image: NDArray[np.uint8] = np.clip(
        rng.integers(40, 216, (4, 3))[regions] + rng.normal(0, 6, (height, width, 3)), 0, 255
    ).astype(np.uint8)
    return image


def tensor(image: NDArray[np.uint8]) -> Any:
    return torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255


def test_deep_network_has_the_paper_s_parameters() -> None:
    assert sum(p.numel() for p in SSN().parameters()) == 214_578


def test_lab_is_that_of_scikit_image() -> None:
    color = pytest.importorskip("skimage.color")
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    image[0, 0], image[0, 1] = 0, 255
    found = rgb_to_lab(tensor(image).double())[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(found, color.rgb2lab(image), atol=2e-3)


@pytest.mark.parametrize("variant", ["deep", "linear", "pix"])
def test_returns_what_soft_slic_makes_of_its_features(variant: Any) -> None:
    torch.manual_seed(0)
    model = SSN(variant).eval()
    image = tensor(picture(37, 50))
    out = model(image, (4, 5))
    k = 5 if variant == "pix" else 20
    assert out.association.shape == (1, 9, 37, 50)
    assert out.centers.shape == (1, k, 20)
    assert out.labels.shape == (1, 37, 50)
    features = model.features(image, (4, 5))
    assert features.shape == (1, k, 37, 50)
    expected = superpix.torch.soft_slic(features, (4, 5), 10)
    torch.testing.assert_close(out.association, expected.association)
    torch.testing.assert_close(out.labels, superpix.torch.hard_labels(expected.association, (4, 5)))


def test_inputs_are_scaled_as_in_the_paper() -> None:
    image = picture(30, 60)
    features = SSN("pix").features(tensor(image), (3, 8))[0]
    lab = superpix.rgb_to_lab(image)
    np.testing.assert_allclose(features[:3].permute(1, 2, 0), 0.26 * lab, atol=2e-3)
    scale = 2.5 * max(3 / 30, 8 / 60)
    np.testing.assert_allclose(features[3], np.repeat(np.arange(30.0)[:, None], 60, 1) * scale)
    np.testing.assert_allclose(
        features[4], np.repeat(np.arange(60.0)[None], 30, 0) * scale, rtol=1e-6
    )


def test_more_iterations_are_for_use() -> None:
    model = SSN("pix", train_iter=1, test_iter=6)
    image = tensor(picture(40, 40))
    features = model.features(image, (4, 4))
    for training, num_iter in ((True, 1), (False, 6)):
        found = model.train(training)(image, (4, 4)).association
        expected = superpix.torch.soft_slic(features, (4, 4), num_iter).association
        torch.testing.assert_close(found, expected)


def test_folded_normalisation_is_the_normalisation() -> None:
    torch.manual_seed(0)
    network = DeepFeatures(3, 15).double()
    torch.nn.init.normal_(network.output.weight, std=0.1)
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(layer.running_mean, -1, 1)
            torch.nn.init.uniform_(layer.running_var, 0.5, 2)
            torch.nn.init.uniform_(layer.weight, 0.5, 2)
            torch.nn.init.uniform_(layer.bias, -1, 1)
    x = torch.randn(2, 3, 21, 34, dtype=torch.float64)
    found = network.eval()(x)
    for layer in network.modules():
        if isinstance(layer, ConvLayer):
            layer.train()  # takes convolution and normalisation one after the other
            layer[1].eval()  # with fixed statistics
    torch.testing.assert_close(found, network(x))


def test_learned_features_start_near_nothing_and_have_gradients() -> None:
    torch.manual_seed(0)
    model = SSN()
    image = tensor(picture(48, 64))
    features = model.features(image, (4, 5))
    assert features[:, 5:].abs().max() < 0.5
    out = model(image, (4, 5))
    (out.association.square().sum() + out.centers.sum()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("variant", ["deep", "linear"])
def test_what_is_learned_can_be_the_same_for_any_number_of_superpixels(variant: Any) -> None:
    image = tensor(picture(40, 48))
    for sees_positions in (False, True):
        torch.manual_seed(0)
        model = SSN(variant, sees_positions=sees_positions).eval()
        few, many = (model.features(image, grid)[:, 5:] for grid in ((2, 2), (10, 12)))
        assert torch.equal(few, many) is not sees_positions


@pytest.mark.parametrize(
    ("size", "n_segments", "grid"),
    [
        ((321, 481), 100, (8, 12)),
        ((201, 201), 100, (10, 10)),
        ((512, 1024), 1000, (22, 45)),
        ((5, 400), 20, (1, 20)),
        ((1, 1), 50, (1, 1)),
        ((3, 3), 1000, (3, 3)),
    ],
)
def test_grid_is_as_near_the_count_as_square_cells_allow(
    size: tuple[int, int], n_segments: int, grid: tuple[int, int]
) -> None:
    assert choose_grid(size, n_segments) == grid


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 200), (64, 96), (101, 53)])
@pytest.mark.parametrize("n_segments", [1, 30])
def test_segments_pictures_of_any_size(height: int, width: int, n_segments: int) -> None:
    labels = SSN().segment(picture(height, width), n_segments)
    assert labels.shape == (height, width)
    assert labels.dtype == np.int32
    assert_gap_free(labels, 1)
    assert_connected(labels)


def test_labels_may_start_at_0_and_stay_in_pieces() -> None:
    model, image = SSN("pix"), picture(60, 80)
    raw = model.segment(image, 40, enforce_connectivity=False, start_label=0)
    expected = model.eval()(tensor(image), choose_grid((60, 80), 40)).labels[0]
    np.testing.assert_array_equal(raw, expected)
    np.testing.assert_array_equal(model.segment(image, 40, enforce_connectivity=False), raw + 1)
    connected = model.segment(image, 40, start_label=0)
    assert connected.min() == 0


def test_pieces_and_borders_are_told_apart_and_joined_by_what_was_learned() -> None:
    torch.manual_seed(0)
    model = SSN("linear", gamma_color=0.2).eval()
    torch.nn.init.normal_(model.network.weight, std=0.3)
    image = picture(60, 80)
    raw = model.segment(image, 80, enforce_connectivity=False, start_label=0)
    with torch.inference_mode():
        features = model.features(tensor(image), choose_grid((60, 80), 80))[0]
    learned = torch.cat([2 * features[:3], features[5:]]).permute(1, 2, 0).numpy() / 0.2

    def connected(colors: NDArray[np.float32]) -> NDArray[np.int32]:
        return superpix.enforce_connectivity(
            raw, 24, 180, image=colors, refine_iter=5, position_weight=25 / 60
        )

    expected = superpix.enforce_connectivity(
        connected(learned),
        24,
        max_segments=40,
        image=learned,
        refine_iter=5,
        position_weight=25 / 120,
    )
    np.testing.assert_array_equal(model.segment(image, 40), expected)
    model.oversegmentation = 1
    np.testing.assert_array_equal(model.segment(image, 80), connected(learned))
    assert (connected(superpix.rgb_to_lab(image)) != connected(learned)).any()


def test_there_are_as_many_segments_as_asked_for() -> None:
    model = SSN("pix")
    image = noisy_regions()[0]
    for n_segments in (2, 25, 73):
        labels = model.segment(image, n_segments)
        assert labels.max() == n_segments
        assert_gap_free(labels, 1)
        assert_connected(labels)
        assert np.bincount(labels.ravel())[1:].min() >= int(0.4 * labels.size / (2 * n_segments))


def test_segment_leaves_the_mode_as_it_was() -> None:
    model = SSN("linear")
    model.segment(picture(20, 20), 4)
    assert model.training
    model.eval().segment(picture(20, 20), 4)
    assert not model.training


def test_wrong_arguments_are_refused() -> None:
    model, image = SSN("pix"), picture(20, 20)
    with pytest.raises(TypeError, match="image must be a NumPy array of uint8"):
        model.segment(image.astype(np.float32))
    with pytest.raises(ValueError, match=r"image must be \[H, W, 3\] and not empty"):
        model.segment(image[..., 0])
    with pytest.raises(TypeError, match="n_segments must be an integer"):
        model.segment(image, 2.5)
    with pytest.raises(ValueError, match="n_segments must be at least 1, got 0"):
        model.segment(image, 0)
    with pytest.raises(ValueError, match="start_label must be 0 or 1, got 2"):
        model.segment(image, start_label=2)
    with pytest.raises(ValueError, match="variant must be"):
        SSN("wide")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="gamma_color must be greater than 0"):
        SSN(gamma_color=0)
    with pytest.raises(ValueError, match="num_features must be greater than 5"):
        SSN(num_features=5)


def test_weights_are_read_back(tmp_path: Path) -> None:
    torch.manual_seed(1)
    model = SSN(num_features=12, gamma_pos=3.0)
    model.save(tmp_path / "w.safetensors")
    again = SSN.from_pretrained(tmp_path / "w.safetensors")
    assert again.options == model.options
    assert not again.training
    image = picture(40, 60)
    np.testing.assert_array_equal(again.segment(image, 20), model.segment(image, 20))


def test_other_files_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    with pytest.raises(ValueError, match="SSN has no weights 'nowhere'"):
        SSN.from_pretrained("nowhere")
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"no weights")
    with pytest.raises(ValueError, match="not a safetensors file"):
        SSN.from_pretrained(broken)
    other = tmp_path / "other.safetensors"
    save_file({"w": torch.zeros(1)}, other, {"model": "SCN", "options": "{}"})
    with pytest.raises(ValueError, match="weights of SCN, not of SSN"):
        SSN.from_pretrained(other)
    model = SSN("linear")
    model.options["variant"] = "deep"
    model.save(other)
    with pytest.raises(RuntimeError, match="Missing key"):
        SSN.from_pretrained(other)


def test_shipped_weights_find_what_is_there() -> None:
    assert SSN.available_weights() == ["bsds500"]
    model = SSN.from_pretrained("bsds500")
    assert sum(p.numel() for p in model.parameters()) == 213_156
    image, truth = noisy_regions()
    labels = model.segment(image, 60)
    accuracy = superpix.metrics.achievable_segmentation_accuracy(labels, truth)
    assert accuracy > 0.98
