"""The functions of NumPy arrays with device="cuda": the results of the CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import superpix as sp

pytestmark = pytest.mark.cuda

GRID = (3, 4)


def picture(seed: int, *shape: int) -> NDArray[np.uint8]:
    """Smooth blobs and some noise."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 230, (-(-shape[0] // 8), -(-shape[1] // 8), *shape[2:]))
    fine = coarse.repeat(8, 0).repeat(8, 1)[: shape[0], : shape[1]]
    return (fine + rng.integers(0, 20, shape)).astype(np.uint8)


def noise(seed: int, *shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def label_map(seed: int, *shape: int) -> NDArray[np.int32]:
    return np.random.default_rng(seed).integers(-1, 5, shape).astype(np.int32)


PHOTO = picture(1, 45, 62, 3)
ASSOCIATION = np.abs(noise(2, 2, 9, 21, 30))
CALLS: dict[str, Callable[[str], Any]] = {
    "rgb_to_lab": lambda device: sp.rgb_to_lab(PHOTO, device=device),
    "rgb_to_lab, channels first": lambda device: sp.rgb_to_lab(
        np.moveaxis(PHOTO, -1, 0), channel_axis=0, device=device
    ),
    "slic": lambda device: sp.slic(PHOTO, 30, device=device),
    "slic, labels alone": lambda device: sp.slic(
        PHOTO, 30, enforce_connectivity=False, device=device
    ),
    "enforce_connectivity": lambda device: sp.enforce_connectivity(
        label_map(3, 30, 41), 4, device=device
    ),
    "enforce_connectivity, colours": lambda device: sp.enforce_connectivity(
        label_map(3, 45, 62), 6, 40, image=sp.rgb_to_lab(PHOTO), device=device
    ),
    "enforce_connectivity, few": lambda device: sp.enforce_connectivity(
        label_map(3, 45, 62), 6, image=sp.rgb_to_lab(PHOTO), max_segments=9, device=device
    ),
    "hard_labels": lambda device: sp.hard_labels(ASSOCIATION, GRID, device=device),
    "soft_slic": lambda device: sp.soft_slic(noise(4, 5, 21, 30), GRID, 3, device=device),
    "soft_slic_backward": lambda device: sp.soft_slic_backward(
        noise(4, 2, 5, 21, 30), GRID, 3, grad_centers=noise(5, 2, 5, 12), device=device
    )[0],
    "soft_pool": lambda device: sp.soft_pool(
        noise(6, 2, 7, 21, 30), ASSOCIATION, GRID, device=device
    ),
    "soft_unpool": lambda device: sp.soft_unpool(
        noise(7, 2, 7, 12), ASSOCIATION, GRID, device=device
    ),
    "unpool": lambda device: sp.unpool(noise(8, 2, 3, 5), label_map(9, 2, 21, 30), device=device),
    "pyramid_pool": lambda device: sp.pyramid_pool(noise(10, 2, 3, 21, 30), device=device),
    "pyramid_pool_backward": lambda device: sp.pyramid_pool_backward(
        noise(10, 3, 21, 30),
        (noise(11, 3, 2, 2), noise(12, 3, 5, 5)),
        (2, 5),
        "max",
        device=device,
    ),
} | {
    f"pool, {reduce}": lambda device, reduce=reduce: sp.pool(
        noise(13, 2, 3, 21, 30), label_map(14, 2, 42, 60), 6, reduce, device=device
    )
    for reduce in ("mean", "sum", "max", "min")
}


def flat(result: Any) -> list[NDArray[Any]]:
    return list(result) if isinstance(result, tuple) else [result]


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_results_are_those_of_the_cpu(call: Callable[[str], Any]) -> None:
    for on_cuda, on_cpu in zip(flat(call("cuda")), flat(call("cpu")), strict=True):
        assert isinstance(on_cuda, np.ndarray)
        assert on_cuda.dtype == on_cpu.dtype
        if on_cpu.dtype.kind == "i":
            np.testing.assert_array_equal(on_cuda, on_cpu)
        else:
            np.testing.assert_allclose(on_cuda, on_cpu, rtol=2e-5, atol=2e-5)


def test_float_slic_is_nearly_that_of_the_cpu() -> None:
    image = picture(15, 64, 80, 3).astype(np.float32)
    options: dict[str, Any] = {"enforce_connectivity": False, "convert2lab": False}
    on_cuda = sp.slic(image, 40, device="cuda", **options)
    assert (on_cuda == sp.slic(image, 40, **options)).mean() > 0.99


@pytest.mark.parametrize("shape", [(48, 60, 3), (8, 20, 22, 3)])
def test_masked_slic_is_nearly_that_of_the_cpu(shape: tuple[int, ...]) -> None:
    image = picture(16, *shape).astype(np.float32)
    mask = picture(17, *shape[:-1], 1)[..., 0] > 100
    image[~mask] = np.nan
    options: dict[str, Any] = {"enforce_connectivity": False, "convert2lab": False, "mask": mask}
    on_cuda = sp.slic(image, 20, device="cuda", **options)
    assert not on_cuda[~mask].any()
    assert (on_cuda == sp.slic(image, 20, **options))[mask].mean() > 0.98
    with pytest.raises(ValueError, match="mask must be true somewhere"):
        sp.slic(image, 20, mask=np.zeros(shape[:-1], bool), device="cuda")


def test_a_device_has_a_number() -> None:
    np.testing.assert_array_equal(sp.slic(PHOTO, 30, device="cuda:0"), sp.slic(PHOTO, 30))
    with pytest.raises(RuntimeError, match="device 99"):
        sp.slic(PHOTO, 30, device="cuda:99")


def test_what_cannot_be_done_on_cuda_is_refused() -> None:
    with pytest.raises(ValueError, match="infinite values in image"):
        sp.slic(np.full((20, 30), np.nan), 6, channel_axis=None, device="cuda")


def test_labels_are_checked_before_they_are_copied() -> None:
    with pytest.raises(ValueError, match="labels must be from 0 to num_segments - 1 = 3, or -1"):
        sp.pool(noise(16, 2, 8, 8), np.full((8, 8), 4), 4, device="cuda")


def test_info_names_the_device() -> None:
    assert sp.cuda_available()
    assert sp.build_info()["cuda_devices"]
