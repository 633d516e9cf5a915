"""superpix.torch on CUDA: the results and gradients of the CPU, on any stream, in graphs.

Without a device, the kernels of a core whose CUDA the CPU executes run on CPU tensors.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from superpix import _core  # noqa: E402
from superpix.torch import (  # noqa: E402
    _library,
    hard_labels,
    pool,
    pyramid_pool,
    soft_pool,
    soft_slic,
    soft_unpool,
    unpool,
)

pytestmark = pytest.mark.cuda
needs_device = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="there is no CUDA device for PyTorch"
)

Tensor = torch.Tensor
GRID = (3, 4)
HALVES = (torch.float16, torch.bfloat16)


@pytest.fixture
def on_cuda(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return a function that calls another on CUDA, with copies of tensors there."""

    def call(f: Callable[..., Any], *tensors: Tensor) -> Any:
        if torch.cuda.is_available():
            return f(*[tensor.cuda() for tensor in tensors])
        with monkeypatch.context() as patched:
            patched.setattr(_library, "where", lambda _: (0, 0, _workspace))
            return f(*tensors)

    return call


def _workspace(size: int) -> Tensor:
    return torch.full((size,), 255, dtype=torch.uint8)


def noise(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def label_map(seed: int, *shape: int) -> Tensor:
    return torch.randint(-1, 6, shape, generator=torch.Generator().manual_seed(seed))


FEATURES = noise(1, 2, 5, 21, 30)
ASSOCIATION = noise(2, 2, 9, 21, 30).softmax(1)
CENTERS = noise(3, 2, 5, 12)
LABELS = label_map(4, 2, 21, 30)
FINE_LABELS = label_map(5, 2, 42, 61)
# A function of floating point tensors, and these.
Op = tuple[Callable[..., Any], tuple[Tensor, ...]]
OPS: dict[str, Op] = {
    "soft_slic": (lambda f: soft_slic(f, GRID, 3), (FEATURES,)),
    "soft_slic, initial": (
        lambda f, s: soft_slic(f, GRID, 3, initial_centers=s, grad_iter=2),
        (FEATURES, CENTERS),
    ),
    "soft_pool": (lambda f, q: soft_pool(f, q, GRID), (FEATURES, ASSOCIATION)),
    "soft_unpool": (lambda s, q: soft_unpool(s, q, GRID), (CENTERS, ASSOCIATION)),
    "unpool": (lambda s: unpool(s, LABELS.to(s.device)), (CENTERS,)),
    "pyramid_pool, mean": (lambda f: pyramid_pool(f, (1, 2, 5)), (FEATURES,)),
    "pyramid_pool, max": (lambda f: pyramid_pool(f, (3, 4), "max"), (FEATURES,)),
} | {
    f"pool, {reduce}": (
        lambda f, reduce=reduce: pool(f, FINE_LABELS.to(f.device), 7, reduce),
        (FEATURES,),
    )
    for reduce in ("mean", "sum", "max", "min")
}
op_cases = pytest.mark.parametrize("op", OPS.values(), ids=OPS.keys())


def flat(result: Any) -> tuple[Tensor, ...]:
    return tuple(result) if isinstance(result, tuple) else (result,)


def with_gradients(f: Callable[..., Any]) -> Callable[..., list[Tensor]]:
    """Return a function of what f returns and of the gradients of its weighted sum."""

    def run(*tensors: Tensor) -> list[Tensor]:
        inputs = [tensor.detach().requires_grad_() for tensor in tensors]
        outputs = flat(f(*inputs))
        weights = [
            noise(7 + i, *output.shape).to(output.dtype).to(output.device)
            for i, output in enumerate(outputs)
        ]
        gradients = torch.autograd.grad(outputs, inputs, weights)
        return [tensor.detach().cpu() for tensor in (*outputs, *gradients)]

    return run


@op_cases
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, *HALVES])
def test_values_and_gradients_are_those_of_the_cpu(
    on_cuda: Callable[..., Any], op: Op, dtype: Any
) -> None:
    f, tensors = op
    inputs = [tensor.to(dtype) for tensor in tensors]
    found = on_cuda(with_gradients(f), *inputs)
    expected = with_gradients(f)(*inputs)
    tolerance = {torch.float64: 1e-11, torch.float32: 1e-4, torch.float16: 4e-3}.get(dtype, 3e-2)
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_hard_labels_are_those_of_the_cpu(on_cuda: Callable[..., Any], dtype: Any) -> None:
    association = ASSOCIATION.to(dtype)
    found = on_cuda(lambda q: hard_labels(q, GRID), association)
    assert torch.equal(found.cpu(), hard_labels(association, GRID))


SMALL = (2, 2)
SMALL_LABELS = label_map(6, 1, 4, 5)
SMALL_OPS: dict[str, Op] = {
    "soft_slic": (
        lambda f, s: soft_slic(f, SMALL, 2, initial_centers=s),
        (noise(20, 1, 2, 4, 5), noise(21, 1, 2, 4)),
    ),
    "soft_slic, means": (lambda f: soft_slic(f, SMALL, 2), (noise(20, 1, 2, 4, 5),)),
    "soft_pool": (
        lambda f, q: soft_pool(f, q, SMALL),
        (noise(20, 1, 2, 4, 5), noise(22, 1, 9, 4, 5).softmax(1)),
    ),
    "soft_unpool": (
        lambda s, q: soft_unpool(s, q, SMALL),
        (noise(21, 1, 2, 4), noise(22, 1, 9, 4, 5).softmax(1)),
    ),
    "pool": (lambda f: pool(f, SMALL_LABELS.to(f.device), 6), (noise(20, 1, 2, 4, 5),)),
    "pool, max": (
        lambda f: pool(f, SMALL_LABELS.to(f.device), 6, "max"),
        (noise(20, 1, 2, 4, 5),),
    ),
    "unpool": (lambda s: unpool(s, SMALL_LABELS.to(s.device)), (noise(23, 1, 2, 6),)),
    "pyramid_pool": (lambda f: pyramid_pool(f, (1, 3)), (noise(20, 1, 2, 4, 5),)),
}


@pytest.mark.parametrize("op", SMALL_OPS.values(), ids=SMALL_OPS.keys())
def test_gradients_are_right_in_double_precision(on_cuda: Callable[..., Any], op: Op) -> None:
    f, tensors = op

    def check(*tensors: Tensor) -> bool:
        inputs = [tensor.detach().requires_grad_() for tensor in tensors]
        return bool(torch.autograd.gradcheck(f, inputs))

    assert on_cuda(check, *[tensor.double() for tensor in tensors])


@op_cases
def test_is_the_same_bits_each_time(on_cuda: Callable[..., Any], op: Op) -> None:
    f, tensors = op
    first = on_cuda(with_gradients(f), *tensors)
    for _ in range(100 if torch.cuda.is_available() else 2):
        for a, b in zip(on_cuda(with_gradients(f), *tensors), first, strict=True):
            assert torch.equal(a, b)


def _slic(image: Tensor, mask: Tensor | None = None, **options: Any) -> Tensor:
    """Segment in the memory of the device."""
    labels = torch.empty(image.shape[:-1], dtype=torch.int32, device=image.device)
    segments, spacing = options.get("num_segments", 30), (1.0, 1.0, 1.0)
    grid = None
    if mask is not None:
        grid = _core.choose_seed_grid(HOST_MASK.numpy(), segments, spacing)
    _core.slic(
        _view(image),
        None if mask is None else _view(mask),
        _view(labels),
        num_segments=segments,
        compactness=options.get("compactness", 10.0),
        max_num_iter=6,
        sigma=(0.0, 0.0, 0.0),
        spacing=spacing,
        convert_to_lab=image.shape[-1] == 3,
        value_range=None,
        slic_zero=False,
        perturb_seeds=False,
        enforce_connectivity=True,
        min_size_factor=0.5,
        max_size_factor=3.0,
        refine_iter=1,
        start_label=1,
        seed_grid=grid,
        where=_library.where(image),
    )
    return labels


def _connect(labels: Tensor, image: Tensor) -> Tensor:
    output = torch.empty_like(labels)
    _core.enforce_connectivity(
        _view(labels),
        _view(image),
        _view(output),
        min_size=6,
        max_size=60,
        max_segments=9,
        start_label=1,
        refine_iter=2,
        position_weight=1e-3,
        smoothness=0.1,
        where=_library.where(labels),
    )
    return output


def _lab(image: Tensor) -> Tensor:
    lab = torch.empty(image.shape, device=image.device)
    _core.rgb_to_lab(_view(image), _view(lab), _library.where(image))
    return lab


def _view(tensor: Tensor) -> tuple[int, str, tuple[int, ...]]:
    return tensor.data_ptr(), str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape)


PHOTO = (noise(30, 70, 90, 3).cumsum(0).cumsum(1) * 4 % 256).to(torch.uint8)
HOST_MASK = torch.linspace(-1, 1, 70)[:, None] ** 2 + torch.linspace(-1, 1, 90) ** 2 < 0.8
LABEL_OPS: dict[str, Op] = {
    "slic in integers": (_slic, (PHOTO,)),
    "slic in floats": (partial(_slic, compactness=0.1), (noise(31, 70, 90, 2).cumsum(1),)),
    "slic of a volume": (partial(_slic, compactness=0.1), (noise(32, 9, 30, 40, 1).cumsum(1),)),
    "slic with a mask": (_slic, (PHOTO, HOST_MASK)),
    "enforce_connectivity": (_connect, (label_map(33, 70, 90).int(), noise(34, 70, 90, 3))),
    "rgb_to_lab": (_lab, (PHOTO,)),
}
label_cases = pytest.mark.parametrize("op", LABEL_OPS.values(), ids=LABEL_OPS.keys())


@label_cases
def test_labels_are_the_same_bits_each_time(on_cuda: Callable[..., Any], op: Op) -> None:
    f, tensors = op
    first = on_cuda(f, *tensors)
    for _ in range(100 if torch.cuda.is_available() else 2):
        assert torch.equal(on_cuda(f, *tensors), first)


@needs_device
@label_cases
def test_labels_in_graphs_and_on_other_streams(on_cuda: Callable[..., Any], op: Op) -> None:
    f, tensors = op
    expected = on_cuda(f, *tensors)
    inputs = [torch.zeros_like(tensor, device="cuda") for tensor in tensors]
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        torch.cuda._sleep(50_000_000)
        for tensor, value in zip(inputs, tensors, strict=True):
            tensor.copy_(value)
        assert torch.equal(f(*inputs), expected)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = f(*inputs)
    captured.zero_()
    graph.replay()
    assert torch.equal(captured, expected)


@op_cases
def test_takes_any_strides_and_no_batch(on_cuda: Callable[..., Any], op: Op) -> None:
    f, tensors = op
    scattered = [tensor.movedim(1, -1).contiguous().movedim(-1, 1) for tensor in tensors]
    for a, b in zip(flat(on_cuda(f, *scattered)), flat(on_cuda(f, *tensors)), strict=True):
        assert torch.equal(a, b)
    empty = [tensor[:0] for tensor in tensors]
    if "LABELS" not in f.__code__.co_names and "FINE_LABELS" not in f.__code__.co_names:
        for output in flat(on_cuda(f, *empty)):
            assert output.shape[0] == 0


@needs_device
@op_cases
def test_runs_on_the_current_stream(on_cuda: Callable[..., Any], op: Op) -> None:
    f, tensors = op
    expected = on_cuda(with_gradients(f), *tensors)
    inputs = [tensor.cuda() for tensor in tensors]
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        # What the op must wait for: on another stream, it would read zeros.
        late = [torch.zeros_like(tensor) for tensor in inputs]
        torch.cuda._sleep(50_000_000)
        for tensor, value in zip(late, inputs, strict=True):
            tensor.copy_(value)
        found = with_gradients(f)(*late)
    for a, b in zip(found, expected, strict=True):
        assert torch.equal(a, b)


@needs_device
@op_cases
def test_graphs_capture_forward_and_backward(on_cuda: Callable[..., Any], op: Op) -> None:
    f, tensors = op
    inputs = [tensor.cuda().requires_grad_() for tensor in tensors]

    def step() -> tuple[Tensor, ...]:
        outputs = flat(f(*inputs))
        return (*outputs, *torch.autograd.grad([o.sum() for o in outputs], inputs))

    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = step()
    with torch.no_grad():
        for tensor in inputs:
            tensor.mul_(0.5)
    graph.replay()
    for a, b in zip(captured, step(), strict=True):
        assert torch.equal(a, b)


@needs_device
def test_arrays_of_more_than_2_to_the_31_elements() -> None:
    features = torch.randn(66, 8, 2048, 2048, device="cuda", dtype=torch.float16)
    assert features.numel() > 2**31
    association, centers = soft_slic(features, (32, 32), 2)
    alone = soft_slic(features[-1:], (32, 32), 2)
    assert torch.equal(association[-1:], alone.association)
    assert torch.equal(centers[-1:], alone.centers)
    labels = hard_labels(association, (32, 32))
    assert torch.equal(labels[-1:], hard_labels(alone.association, (32, 32)))
    assert torch.equal(pool(features, labels, 1024)[-1:], pool(features[-1:], labels[-1:], 1024))
    assert torch.equal(pyramid_pool(features)[2][-1:], pyramid_pool(features[-1:])[2])


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two devices")
def test_runs_where_its_tensors_are() -> None:
    with torch.cuda.device(0):
        found = soft_slic(FEATURES.to("cuda:1"), GRID, 3).centers
        assert torch.cuda.current_device() == 0
    assert found.device.index == 1
    torch.testing.assert_close(found.cpu(), soft_slic(FEATURES, GRID, 3).centers)
