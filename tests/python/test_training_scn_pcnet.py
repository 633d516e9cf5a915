"""Training of SCN and PCNet: their data, their terms, and that a step helps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")
pytest.importorskip("safetensors")
pytest.importorskip("PIL")

from superpix.data import Dataset, Sample  # noqa: E402
from superpix.models import losses_pcnet  # noqa: E402
from superpix.models.boundaries import boundaries  # noqa: E402
from superpix.training.crops import RandomCrops  # noqa: E402
from superpix.training.pairs import PairAugmentation  # noqa: E402
from superpix.training.pcnet import PCNetConfig, PCNetTask  # noqa: E402
from superpix.training.scn import SCNConfig, SCNTask  # noqa: E402

SMALL = PairAugmentation(64, 96, num_patches=20)


class Pictures(Dataset[Sample]):
    """Discs on a background; labels are the images' green, which no interpolation keeps."""

    def __init__(self, *sizes: tuple[int, int], segments: int = 3) -> None:
        super().__init__([])
        self._sizes = sizes
        self._segments = segments

    def __len__(self) -> int:
        return len(self._sizes)

    def __getitem__(self, index: int) -> Sample:
        height, width = self._sizes[index]
        rng = np.random.default_rng(index)
        y, x = np.mgrid[:height, :width]
        labels = np.full((height, width), 10, np.int32)
        for i in range(1, self._segments):
            center = rng.uniform(0, 1, 2) * (height, width)
            labels[np.hypot(y - center[0], x - center[1]) < min(height, width) / 4] = 10 + 70 * i
        image = np.stack([rng.integers(0, 255, labels.shape), labels, labels], axis=2)
        return Sample(str(index), image.astype(np.uint8), [labels])


def test_pairs_are_a_function_of_their_number() -> None:
    sizes = ((90, 120), (200, 150), (50, 40))
    crops = RandomCrops([Pictures(*sizes)], SMALL, seed=3)
    items = [crops[n] for n in range(6)]
    again = RandomCrops([Pictures(*sizes)], SMALL, seed=3, cache_bytes=0)
    for n in reversed(range(6)):
        for a, b in zip(again[n], items[n], strict=True):
            assert torch.equal(a, b)
    other = RandomCrops([Pictures(*sizes)], SMALL, seed=4)
    assert not torch.equal(other[0][0], items[0][0])


def test_pairs_have_their_shapes_and_whole_labels() -> None:
    for size in ((90, 120), (200, 150), (50, 40), (64, 64)):
        crops = RandomCrops([Pictures(size)], SMALL, seed=0)
        for n in range(4):
            whole, whole_labels, patch, patch_labels, centers = crops[n]
            for image, labels in ((whole, whole_labels), (patch, patch_labels)):
                assert image.shape == (3, 64, 64)
                assert image.dtype == torch.uint8
                assert labels.shape == (64, 64)
                assert labels.dtype == torch.int64
                assert set(labels.unique().tolist()) <= {0, 1, 2}
            assert centers.shape == (20, 2)


def test_patch_has_the_image_s_own_pixels_around_a_boundary() -> None:
    crops = RandomCrops([Pictures((300, 400), segments=2)], SMALL, seed=0)
    for n in range(8):
        patch, labels = crops[n][2:4]
        # Nothing was interpolated: green is the label.
        values = patch[1].unique().tolist()
        assert values == [10, 80]
        assert torch.equal(labels, (patch[1] == 80).long())
        assert boundaries(labels).any()


def test_image_and_labels_of_the_whole_fit() -> None:
    crops = RandomCrops([Pictures((300, 400), segments=2)], SMALL, seed=0)
    for n in range(8):
        whole, labels = crops[n][:2]
        inner = ~boundaries(labels)
        if labels.max() == 1:
            agree = ((whole[1] > 45).long() == labels) | ~inner
            assert agree.float().mean() > 0.995


def test_image_without_boundaries() -> None:
    crops = RandomCrops([Pictures((100, 130), segments=1)], SMALL, seed=0)
    *_, labels, centers = crops[0]
    assert (labels == 0).all()
    assert (centers == -1).all()


def test_centers_are_at_boundaries_and_as_many_as_the_published_code_s() -> None:
    crops = RandomCrops([Pictures((300, 400))], SMALL, seed=0)
    for n in range(6):
        _, labels, _, _, centers = crops[n]
        edge = boundaries(labels)
        real = centers[centers[:, 0] >= 0]
        assert len(real) <= min(20, int(edge.sum()) // 5)
        assert len({tuple(center) for center in real.tolist()}) == len(real)
        assert edge[real[:, 0], real[:, 1]].all()
        assert ((real >= 5) & (real < 64 - 5)).all()


def test_flips_are_those_of_both() -> None:
    plain = PairAugmentation(64, 64, flip_x=0, flip_y=0)
    mirrored = PairAugmentation(64, 64, flip_x=1, flip_y=1)
    sample = Pictures((64, 64))[0]
    a, b = (
        x.item(sample.image, sample.annotations[0], np.random.default_rng(0))
        for x in (plain, mirrored)
    )
    for one, other in zip(a[:4], b[:4], strict=True):
        assert torch.equal(one.flip(-1, -2), other)


def scn_task(folder: Path) -> tuple[Any, Any]:
    config = SCNConfig(crop=64, learning_rate=1e-3)
    crops = RandomCrops([Pictures((90, 120))], SCNTask.augmentation(config), seed=0)
    return SCNTask(config, folder), collated(crops)


def pcnet_task(folder: Path) -> tuple[Any, Any]:
    config = PCNetConfig(crop=64, resized=96, num_patches=20, learning_rate=1e-3)
    crops = RandomCrops([Pictures((90, 120))], PCNetTask.augmentation(config), seed=0)
    return PCNetTask(config, folder), collated(crops)


def collated(crops: Any) -> list[Any]:
    return [torch.stack(parts) for parts in zip(crops[0], crops[1], strict=True)]


@pytest.mark.parametrize("make", [scn_task, pcnet_task])
def test_steps_lower_the_loss(make: Any, tmp_path: Path) -> None:
    torch.manual_seed(0)
    task, batch = make(tmp_path)
    optimizer = task.configure_optimizers()["optimizer"]
    values = []
    for _ in range(3):
        loss = sum(task.losses(batch).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    assert values[1] < values[0]
    assert values[-1] < values[1]
    assert all(p.grad is not None for p in task.model.parameters())


def test_terms_of_scn_are_scaled_as_in_the_published_code(tmp_path: Path) -> None:
    from superpix.models import losses_scn

    task, (pixels, labels) = scn_task(tmp_path)
    terms = task.losses((pixels, labels))
    association, grid = task.model(pixels / 255)
    semantic = losses_scn.semantic(association, labels, grid)
    position = losses_scn.position(association, grid)
    torch.testing.assert_close(terms["semantic"], 0.005 * semantic)
    torch.testing.assert_close(terms["position"], 0.005 * 0.003 / 16 * position)


def test_terms_of_pcnet_are_weighted_as_in_algorithm_1(tmp_path: Path) -> None:
    task, batch = pcnet_task(tmp_path)
    terms = task.losses(batch)
    names = ("semantic", "position", "restoration")
    expected = [f"{branch}_{name}" for branch in ("global", "local") for name in names]
    assert list(terms) == [*expected, "discrimination"]
    once = PCNetTask(PCNetConfig(loss_weights=(1, 1, 1), num_patches=20), tmp_path)
    once.model.load_state_dict(task.model.state_dict())
    for name, term in once.losses(batch).items():
        weight = {"local": 0.1, "discr": 0.5}.get(name[:5], 1.0)
        torch.testing.assert_close(terms[name], weight * term)


def test_discrimination_is_of_the_chosen_embedding(tmp_path: Path) -> None:
    task, batch = pcnet_task(tmp_path)
    output = task.model(batch[0] / 255)
    for name in ("sub_pixel", "features"):
        other = PCNetTask(PCNetConfig(embedding=name), tmp_path)
        other.model.load_state_dict(task.model.state_dict())
        expected = losses_pcnet.local_discrimination(getattr(output, name), batch[1], batch[4])
        torch.testing.assert_close(other.losses(batch)["discrimination"], 0.5 * expected)
    with pytest.raises(ValueError, match="embedding must be one of"):
        PCNetConfig(embedding="pixel")


@pytest.mark.parametrize(
    ("task", "config", "rates"),
    [
        (SCNTask, SCNConfig(), {0: 5e-5, 199_999: 5e-5, 200_000: 2.5e-5}),
        (PCNetTask, PCNetConfig(), {0: 5e-5, 1999: 5e-5, 2000: 5e-6, 3999: 5e-6}),
    ],
)
def test_learning_rates_are_the_paper_s(
    task: Any, config: Any, rates: dict[int, float], tmp_path: Path
) -> None:
    made = task(config, tmp_path)
    for step, expected in rates.items():
        assert config.learning_rate * made._rate(step) == pytest.approx(expected)
