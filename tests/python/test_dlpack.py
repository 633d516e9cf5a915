"""Arrays of other libraries in the functions of NumPy arrays: they come back as what they were."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import superpix as sp
from superpix import _core
from superpix._device_array import DeviceArray

GRID = (3, 4)


class Other:
    """An array of a library of ours, in this module: on the CPU, or on a device as if on one."""

    def __init__(self, array: Any, kind: int = 1) -> None:
        self.array = array
        self.kind = kind

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.kind, 0

    def __dlpack__(self, stream: int | None = None, **_: object) -> Any:
        if self.kind == 1:
            return self.array.__dlpack__()
        assert stream == 1  # what we compute on
        if isinstance(self.array, DeviceArray):
            return self.array.__dlpack__()
        memory = _core.DeviceMemory(self.array.nbytes)
        memory.copy_from(np.ascontiguousarray(self.array))
        shape = self.array.shape
        strides = np.empty(shape, np.int8).strides
        return _core.lend(
            memory.data_ptr(),
            self.array.dtype.name,
            shape,
            tuple(s * self.array.itemsize for s in strides),
            0,
            memory,
        )

    def __array_namespace__(self) -> Any:
        return Library

    def numpy(self) -> NDArray[Any]:
        """Return its values."""
        if not isinstance(self.array, DeviceArray):
            return np.asarray(self.array)
        device = self.array
        flat = np.empty(device.size, device.dtype)
        assert isinstance(device.owner, _core.DeviceMemory)
        device.owner.copy_to(flat)
        steps = [s // device.dtype.itemsize for s in device.strides]
        index = sum(
            (np.arange(n).reshape(-1, *[1] * (device.ndim - 1 - i)) * step)
            for i, (n, step) in enumerate(zip(device.shape, steps, strict=True))
        )
        return flat[index]


class Library:
    """What `__array_namespace__` returns."""

    @staticmethod
    def from_dlpack(other: Any) -> Other:
        return Other(other, kind=other.__dlpack_device__()[0])


def noise(seed: int, *shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


PHOTO = np.random.default_rng(0).integers(0, 256, (45, 62, 3)).astype(np.uint8)
LABELS = np.random.default_rng(1).integers(-1, 5, (2, 21, 30)).astype(np.int32)
ASSOCIATION = np.abs(noise(2, 2, 9, 21, 30))
CALLS: dict[str, tuple[Any, ...]] = {
    "rgb_to_lab": (lambda x: sp.rgb_to_lab(x), PHOTO),
    "rgb_to_lab, channels first": (
        lambda x: sp.rgb_to_lab(x, channel_axis=0),
        np.ascontiguousarray(np.moveaxis(PHOTO, -1, 0)),
    ),
    "slic": (lambda x: sp.slic(x, 30), PHOTO),
    "slic, grey": (lambda x: sp.slic(x, 30, channel_axis=None), noise(3, 40, 50)),
    "enforce_connectivity": (lambda x: sp.enforce_connectivity(x, 4), LABELS[0]),
    "enforce_connectivity, colours": (
        lambda x, c: sp.enforce_connectivity(x, 4, image=c),
        LABELS[0],
        noise(4, 21, 30, 3),
    ),
    "hard_labels": (lambda q: sp.hard_labels(q, GRID), ASSOCIATION),
    "soft_slic": (lambda f: sp.soft_slic(f, GRID, 3), noise(5, 2, 5, 21, 30)),
    "soft_slic, one image": (lambda f: sp.soft_slic(f, GRID, 3), noise(5, 5, 21, 30)),
    "soft_slic_backward": (
        lambda f, g: sp.soft_slic_backward(f, GRID, 3, grad_centers=g)[0],
        noise(5, 2, 5, 21, 30),
        noise(6, 2, 5, 12),
    ),
    "soft_pool": (lambda v, q: sp.soft_pool(v, q, GRID), noise(7, 2, 7, 21, 30), ASSOCIATION),
    "soft_unpool": (lambda s, q: sp.soft_unpool(s, q, GRID), noise(8, 2, 7, 12), ASSOCIATION),
    "pool": (lambda f, k: sp.pool(f, k, 5, "max"), noise(9, 2, 3, 21, 30), LABELS),
    "unpool": (lambda s, k: sp.unpool(s, k), noise(10, 2, 3, 5), LABELS),
    "pyramid_pool": (lambda f: sp.pyramid_pool(f, (1, 3)), noise(11, 3, 21, 30)),
    "pyramid_pool_backward": (
        lambda f, g, h: sp.pyramid_pool_backward(f, (g, h), (2, 5), "max"),
        noise(11, 2, 3, 21, 30),
        noise(12, 2, 3, 2, 2),
        noise(13, 2, 3, 5, 5),
    ),
}
calls = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())


def check(call: tuple[Any, ...], kind: int) -> None:
    f, *arrays = call
    expected = f(*arrays)
    found = f(*[Other(array, kind) for array in arrays])
    assert type(found) is type(expected) if isinstance(expected, tuple) else True
    pairs = (
        zip(found, expected, strict=True) if isinstance(expected, tuple) else [(found, expected)]
    )
    for a, b in pairs:
        assert isinstance(a, Other)
        assert a.kind == kind
        assert a.numpy().dtype == b.dtype
        if b.dtype.kind == "i" and "grey" not in str(call):
            assert (a.numpy() == b).mean() > (0.99 if arrays[0].dtype.kind == "f" else 0.9999)
        else:
            np.testing.assert_allclose(a.numpy(), b, rtol=2e-5, atol=2e-5)


@calls
def test_arrays_on_the_cpu_come_back_as_what_they_were(call: tuple[Any, ...]) -> None:
    check(call, 1)


@calls
@pytest.mark.cuda
def test_arrays_on_cuda_stay_there(call: tuple[Any, ...]) -> None:
    check(call, 2)


@pytest.mark.cuda
def test_arrays_on_cuda_and_of_numpy_go_together() -> None:
    features = noise(12, 3, 21, 30)
    found = sp.pool(Other(features, 2), LABELS[0], 5)
    np.testing.assert_allclose(
        found.numpy(),
        sp.pool(features, LABELS[0], 5),
        rtol=1e-5,
        atol=1e-6,
    )


@pytest.mark.cuda
def test_levels_on_cuda_and_of_numpy_go_together() -> None:
    features = noise(14, 3, 21, 30)
    levels = noise(15, 3, 1, 1), noise(16, 3, 4, 4)
    found = sp.pyramid_pool_backward(Other(features, 2), (levels[0], Other(levels[1], 2)), (1, 4))
    np.testing.assert_allclose(
        found.numpy(), sp.pyramid_pool_backward(features, levels, (1, 4)), rtol=1e-5, atol=1e-6
    )


@pytest.mark.cuda
def test_arrays_of_numpy_may_go_with_those_of_cuda() -> None:
    image, disc = noise(18, 24, 30, 2), np.hypot(*np.ogrid[-1:1:24j, -1:1:30j]) < 0.9
    expected = sp.slic(image, 9, mask=disc, device="cuda")
    np.testing.assert_array_equal(sp.slic(image, 9, mask=Other(disc, 2)).numpy(), expected)
    features, level = noise(19, 3, 8, 9), noise(20, 3, 2, 2)
    np.testing.assert_allclose(
        sp.pyramid_pool_backward(features, (Other(level, 2),), (2,)).numpy(),
        sp.pyramid_pool_backward(features, (level,), (2,)),
        rtol=1e-5,
    )


@pytest.mark.cuda
def test_arrays_of_two_devices_are_refused() -> None:
    other = DeviceArray.empty((21, 30), np.int32, 0)
    other.index = 1
    with pytest.raises(ValueError, match="arrays must be on one device, got one on cuda:1"):
        sp.pool(Other(noise(21, 3, 21, 30), 2), other, 5)


def test_numbers_of_other_libraries_are_numbers() -> None:
    torch = pytest.importorskip("torch")
    low, high = torch.tensor(0.0), torch.tensor(255.0)
    labels = sp.slic(PHOTO, 30, value_range=(low, high))
    assert isinstance(labels, np.ndarray)
    np.testing.assert_array_equal(labels, sp.slic(PHOTO, 30, value_range=(0, 255)))


@pytest.mark.cuda
def test_masks_on_cuda_may_have_any_strides() -> None:
    image = noise(17, 40, 30, 2)
    disc = np.hypot(*np.ogrid[-1:1:40j, -0.7:1:30j]) < 0.9
    device = Other(disc.T, 2)
    lent = DeviceArray.from_dlpack(device, "mask").moveaxis(0, 1)
    np.testing.assert_array_equal(lent.to_numpy(), disc)
    found = sp.slic(Other(image, 2), 12, mask=Other(lent, 2)).numpy()
    np.testing.assert_array_equal(found, sp.slic(image, 12, mask=disc, device="cuda"))
    backwards = DeviceArray(
        lent.address + 40 * 30 - 1, lent.dtype, (30, 40), (-40, -1), 0, lent.owner
    )
    np.testing.assert_array_equal(backwards.to_numpy(), disc.T[::-1, ::-1])


@pytest.mark.cuda
def test_what_cannot_be_done_on_cuda_is_refused() -> None:
    with pytest.raises(TypeError, match="image must be float32 on CUDA"):
        sp.enforce_connectivity(
            Other(LABELS[0], 2),
            4,
            image=Other(np.zeros((21, 30, 3)), 2),
        )
    turned = DeviceArray.empty((3, 8, 8), np.float32, 0).moveaxis(0, 2)
    with pytest.raises(ValueError, match="features must be C-contiguous on CUDA"):
        sp.soft_slic(Other(turned, 2), (2, 2))


def test_other_devices_are_refused() -> None:
    with pytest.raises(
        TypeError, match="arrays must be on the CPU or on CUDA, got DLPack's device 8"
    ):
        sp.soft_slic(Other(noise(1, 3, 8, 8), 8), (2, 2))


@pytest.mark.skipif(_core.cuda_available(), reason="there is a CUDA device")
def test_cuda_arrays_without_cuda_are_a_clear_error() -> None:
    with pytest.raises(RuntimeError, match="cuda"):
        sp.soft_slic(Other(noise(1, 3, 8, 8), 2), (2, 2))


def test_tensors_come_back_as_tensors() -> None:
    torch = pytest.importorskip("torch")
    labels = sp.slic(torch.from_numpy(PHOTO), 30)
    assert isinstance(labels, torch.Tensor)
    np.testing.assert_array_equal(labels.numpy(), sp.slic(PHOTO, 30))


def _of_cupy(array: NDArray[Any]) -> tuple[Any, Any]:
    cupy = pytest.importorskip("cupy")
    return cupy.asarray(array), cupy.asnumpy


def _of_jax(array: NDArray[Any]) -> tuple[Any, Any]:
    jax = pytest.importorskip("jax")
    return jax.device_put(array, jax.devices("cuda")[0]), np.asarray


def _of_torch(array: NDArray[Any]) -> tuple[Any, Any]:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device for PyTorch")
    return torch.from_numpy(array).cuda(), lambda tensor: tensor.cpu().numpy()


@pytest.mark.cuda
@pytest.mark.parametrize("library", [_of_cupy, _of_jax, _of_torch])
def test_libraries_on_their_devices(library: Any) -> None:
    features = noise(13, 3, 21, 30)
    there, to_numpy = library(features)
    found = sp.soft_slic(there, GRID, 3).centers
    assert type(found) is type(there)
    expected = sp.soft_slic(features, GRID, 3).centers
    np.testing.assert_allclose(to_numpy(found), expected, rtol=1e-4, atol=1e-5)
    for level, wanted in zip(
        sp.pyramid_pool(there, (1, 4)), sp.pyramid_pool(features, (1, 4)), strict=True
    ):
        assert type(level) is type(there)
        np.testing.assert_allclose(to_numpy(level), wanted, rtol=1e-5, atol=1e-6)
