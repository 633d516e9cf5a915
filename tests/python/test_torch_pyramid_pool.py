"""`superpix.torch.pyramid_pool` and `PyramidPooling` against PyTorch's adaptive pooling."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import superpix as sp
from support import torch_ops

torch = pytest.importorskip("torch")
st = pytest.importorskip("superpix.torch")

MODULES = {"mean": torch.nn.AdaptiveAvgPool2d, "max": torch.nn.AdaptiveMaxPool2d}


def random(*shape: int, dtype: Any = torch.float32, seed: int = 0) -> Any:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)


def peer(x: Any, bins: tuple[int, ...], reduce: str) -> tuple[Any, ...]:
    return tuple(MODULES[reduce](b)(x) for b in bins)


@pytest.mark.parametrize("reduce", ["mean", "max"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("shape", "bins"),
    [
        ((2, 3, 60, 60), (1, 2, 3, 6)),
        ((1, 5, 65, 59), (6, 3, 2, 1)),
        ((1, 1, 1, 1), (1, 2)),
        ((2, 1, 7, 300), (9, 9)),
        ((0, 3, 8, 8), (1, 2)),
        ((1, 1, 400, 300), (1, 4)),
    ],
)
def test_is_adaptive_pooling(
    shape: tuple[int, ...], bins: tuple[int, ...], dtype: Any, reduce: str
) -> None:
    x = random(*shape, dtype=dtype)
    found = torch_ops.outputs_and_gradients(lambda x: st.pyramid_pool(x, bins, reduce), [x])
    expected = torch_ops.outputs_and_gradients(lambda x: peer(x, bins, reduce), [x.double()])
    assert [f.shape for f in found] == [e.shape for e in expected]
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == dtype
        torch.testing.assert_close(a.double(), b, rtol=tolerance, atol=tolerance)


def test_ties_and_not_finite_values_are_those_of_torch() -> None:
    values = torch.tensor([0.0, -0.0, 1.0, math.inf, -math.inf, math.nan])
    generator = torch.Generator().manual_seed(0)
    x = values[torch.randint(6, (3, 40, 13, 17), generator=generator)]
    ours = torch_ops.outputs_and_gradients(lambda x: st.pyramid_pool(x, (1, 4, 15), "max"), [x])
    theirs = torch_ops.outputs_and_gradients(lambda x: peer(x, (1, 4, 15), "max"), [x])
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, equal_nan=True)


@pytest.mark.parametrize("reduce", ["mean", "max"])
def test_is_the_numpy_function(reduce: str) -> None:
    x = random(2, 5, 30, 41)
    found = st.pyramid_pool(x, (1, 4), reduce)
    for a, b in zip(found, sp.pyramid_pool(x.numpy(), (1, 4), reduce), strict=True):
        np.testing.assert_array_equal(a.numpy(), b)


@pytest.mark.parametrize("reduce", ["mean", "max"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_float32_rounded(dtype: Any, reduce: str) -> None:
    x = random(2, 6, 25, 37, dtype=dtype)
    function = lambda x: st.pyramid_pool(x, (1, 2, 5), reduce)  # noqa: E731
    found = torch_ops.outputs_and_gradients(function, [x])
    expected = torch_ops.outputs_and_gradients(function, [x.float()])
    for a, b in zip(found[:-1], expected[:-1], strict=True):
        assert torch.equal(a, b.to(dtype))
    # What comes back is rounded too, once on the way in and once on the way out.
    torch.testing.assert_close(found[-1].float(), expected[-1], rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("reduce", ["mean", "max"])
def test_levels_may_be_left_unused_or_changed_in_place(reduce: str) -> None:
    x = random(2, 3, 14, 15, dtype=torch.float64)
    for which in range(3):
        found = torch_ops.outputs_and_gradients(
            lambda x, w=which: st.pyramid_pool(x, (3, 1, 4), reduce)[w].relu_(), [x]
        )
        expected = torch_ops.outputs_and_gradients(
            lambda x, w=which: peer(x, (3, 1, 4), reduce)[w].relu_(), [x]
        )
        for a, b in zip(found, expected, strict=True):
            torch.testing.assert_close(a, b)


@pytest.mark.parametrize("reduce", ["mean", "max"])
def test_gradients(reduce: str) -> None:
    x = random(2, 2, 5, 7, dtype=torch.float64)
    torch_ops.assert_gradients_are_right(lambda x: st.pyramid_pool(x, (1, 3), reduce), x)


@pytest.mark.parametrize("reduce", ["mean", "max"])
def test_second_derivatives_are_those_of_torch(reduce: str) -> None:
    def penalty(function: Any) -> Any:
        x = random(2, 2, 9, 11, dtype=torch.float64).requires_grad_()
        loss = sum(level.square().sum() for level in function(x, (2, 3), reduce))
        (gradient,) = torch.autograd.grad(loss, x, create_graph=True)
        return torch.autograd.grad(gradient.square().sum(), x)[0]

    torch.testing.assert_close(penalty(st.pyramid_pool), penalty(peer))


@pytest.mark.parametrize("reduce", ["mean", "max"])
def test_ops_are_registered_correctly(reduce: str) -> None:
    x = random(2, 3, 12, 14)
    forward = torch.ops.superpix.pyramid_pool.default
    backward = torch.ops.superpix.pyramid_pool_backward.default
    pooled, indices = forward(x, [1, 3], reduce)
    torch_ops.assert_passes_opcheck(forward, x, [1, 3], reduce)
    torch_ops.assert_passes_opcheck(backward, pooled, indices, 12, 14, [1, 3], reduce)


@pytest.mark.parametrize("reduce", ["mean", "max"])
def test_works_with_all_that_torch_does(reduce: str) -> None:
    def function(x: Any) -> Any:
        return st.pyramid_pool(x, (1, 2, 5), reduce)

    x = random(2, 3, 24, 31)
    torch_ops.assert_compiles(function, x)
    torch_ops.assert_vmaps(function, x)
    torch_ops.assert_takes_any_strides(function, x)
    torch_ops.assert_forward_mode_is_refused(function, x)
    torch_ops.assert_batch_position_does_not_matter(function, x)
    torch_ops.assert_repeats_bit_for_bit(function, random(3, 7, 120, 140))
    torch_ops.assert_repeats_bit_for_bit(function, random(1, 2, 400, 450))


def test_under_autocast_the_dtype_of_features_counts() -> None:
    layer = torch.nn.Conv2d(3, 4, 1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        levels = st.pyramid_pool(layer(random(1, 3, 16, 16)), (1, 2))
    assert [level.dtype for level in levels] == [torch.bfloat16] * 2
    levels[1].float().square().sum().backward()
    assert layer.weight.grad is not None


def test_module_is_that_of_pspnet() -> None:
    torch.manual_seed(0)
    module = st.PyramidPooling(8, (1, 3), 5).eval()
    assert "bins=(1, 3), reduce='mean'" in repr(module)
    for level in module.levels:
        level[1].running_mean.normal_()
        level[1].running_var.uniform_(0.5, 2)
    x = random(2, 8, 13, 17)
    found = module(x)
    assert found.shape == (2, 18, 13, 17)
    expected = [x]
    for b, (convolution, normalisation, _) in zip((1, 3), module.levels, strict=True):
        y = normalisation(convolution(torch.nn.AdaptiveAvgPool2d(b)(x))).relu()
        expected.append(
            torch.nn.functional.interpolate(y, (13, 17), mode="bilinear", align_corners=True)
        )
    torch.testing.assert_close(found, torch.cat(expected, 1))
    assert module.levels[0][0].bias is None


def test_module_keeps_as_many_channels_by_default() -> None:
    module = st.PyramidPooling(32)
    assert module(random(2, 32, 12, 12)).shape == (2, 64, 12, 12)
    assert st.PyramidPooling(2)(random(2, 2, 6, 6)).shape == (2, 6, 6, 6)


@pytest.mark.parametrize("reduce", ["mean", "max"])
def test_module_trains(reduce: str) -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(2, 8, 3, padding=1),
        st.PyramidPooling(8, (1, 2, 3), reduce=reduce),
        torch.nn.Conv2d(14, 1, 1),
    )
    x = random(4, 2, 20, 20)
    # What the whole image is like, which a convolution does not see.
    target = x.mean((1, 2, 3), keepdim=True).expand(-1, 1, 20, 20) * 10
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    losses = []
    for _ in range(30):
        loss = (model(x) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((np.zeros((1, 2, 3, 4)),), TypeError, "features must be a tensor, got ndarray"),
        ((torch.zeros(1, 2, 3, 4, dtype=torch.int64),), TypeError, "features must be float"),
        ((torch.zeros(2, 3, 4),), ValueError, r"features must be \[B, C, H, W\]"),
        ((torch.zeros(1, 2, 0, 4),), ValueError, "features must have pixels"),
        ((torch.zeros(1, 2, 3, 4), 5), TypeError, "bins must be a sequence of ints"),
        ((torch.zeros(1, 2, 3, 4), (1.0, 2)), TypeError, "bins must be a sequence of ints"),
        ((torch.zeros(1, 2, 3, 4), (True,)), TypeError, "bins must be a sequence of ints"),
        ((torch.zeros(1, 2, 3, 4), ()), ValueError, "bins must be one or more from 1"),
        ((torch.zeros(1, 2, 3, 4), (1, 0)), ValueError, "bins must be one or more from 1"),
        ((torch.zeros(1, 2, 3, 4), (40000,)), ValueError, "bins must be one or more from 1"),
        ((torch.zeros(1, 2, 3, 4), (np.array(2),)), TypeError, "bins must be a sequence of ints"),
        ((torch.zeros(1, 2, 3, 4), (torch.tensor(2),)), TypeError, "bins must be a sequence of"),
        ((torch.zeros(1, 2, 3, 4), "12"), TypeError, "bins must be a sequence of ints"),
        ((torch.zeros(1, 2, 3, 4), (1,), "sum"), ValueError, "reduce must be 'mean' or 'max'"),
        ((torch.zeros(1, 2, 3, 4), (1,), ["max"]), TypeError, "reduce must be a string"),
        (
            (torch.zeros(1, 2, 3, 4), (1,), np.array(["mean", "max"])),
            TypeError,
            "reduce must be a string",
        ),
    ],
)
def test_errors(arguments: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        st.pyramid_pool(*arguments)


def test_numpy_integers_are_ints() -> None:
    x = random(1, 4, 12, 12)
    bins = (np.int64(1), np.uint8(3))
    torch_ops.assert_all_equal(st.pyramid_pool(x, bins), st.pyramid_pool(x, (1, 3)))
    module = st.PyramidPooling(np.int64(4), bins, np.int32(5)).eval()
    assert module(x).shape == (1, 14, 12, 12)
    assert "bins=(1, 3)" in repr(module)


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"in_channels": 0}, ValueError, "in_channels must be at least 1"),
        ({"in_channels": 4.0}, TypeError, "in_channels must be an int"),
        ({"out_channels": 0}, ValueError, "out_channels must be at least 1"),
        ({"out_channels": 2.0}, TypeError, "out_channels must be an int"),
        ({"bins": (1, 0)}, ValueError, "bins must be one or more from 1"),
        ({"bins": 3}, TypeError, "bins must be a sequence of ints"),
        ({"reduce": "sum"}, ValueError, "reduce must be 'mean' or 'max'"),
        ({"reduce": ["max"]}, TypeError, "reduce must be a string"),
    ],
)
def test_module_checks_its_parameters(
    parameters: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        st.PyramidPooling(**{"in_channels": 4, **parameters})
