"""`superpix.torch.soft_slic`. Its values are also those of `superpix.soft_slic`, tested there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import superpix as sp
from support import torch_ops

torch = pytest.importorskip("torch")
st = pytest.importorskip("superpix.torch")

from superpix.torch import _plain  # noqa: E402


def random(*shape: int, dtype: Any = torch.float32, seed: int = 0) -> Any:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)


def small(x: Any, *args: Any) -> Any:
    return tuple(st.soft_slic(x, (3, 4), 3, *args))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("shape", "grid", "num_iter"),
    [
        ((1, 1, 1, 1), (1, 1), 1),
        ((2, 3, 17, 23), (3, 4), 1),
        ((1, 5, 40, 33), (40, 33), 2),
        ((3, 20, 31, 47), (2, 5), 5),
        ((1, 70, 12, 300), (1, 2), 3),
        ((0, 3, 8, 8), (2, 2), 3),
    ],
)
def test_matches_plain_torch(
    shape: tuple[int, ...], grid: tuple[int, int], num_iter: int, dtype: Any
) -> None:
    x = random(*shape, dtype=dtype)
    found = torch_ops.outputs_and_gradients(lambda x: st.soft_slic(x, grid, num_iter), [x])
    expected = torch_ops.outputs_and_gradients(
        lambda x: _plain.soft_slic(x, grid, num_iter), [x.double()]
    )
    assert [f.shape for f in found] == [e.shape for e in expected]
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == dtype
        scale = b.abs().max().item() if b.numel() else 1.0
        tolerance = 1e-5 if dtype == torch.float32 else 1e-12
        torch.testing.assert_close(a.double(), b, rtol=tolerance, atol=tolerance * scale)


def test_is_the_numpy_function() -> None:
    x = random(2, 5, 30, 40)
    association, centers = st.soft_slic(x, (4, 5), 7, temperature=0.5)
    expected = sp.soft_slic(x.numpy(), (4, 5), 7, temperature=0.5)
    np.testing.assert_array_equal(association.numpy(), expected.association)
    np.testing.assert_array_equal(centers.numpy(), expected.centers)


@pytest.mark.parametrize("grad_iter", [None, 1, 2, 3, 9])
@pytest.mark.parametrize("has_initial", [False, True])
def test_options_match_plain_torch(grad_iter: int | None, has_initial: bool) -> None:
    x = random(2, 3, 14, 18, dtype=torch.float64)
    start = [random(2, 3, 12, dtype=torch.float64, seed=1)] if has_initial else []

    def ours(x: Any, start: Any = None) -> Any:
        return st.soft_slic(
            x, (3, 4), 3, temperature=1.7, initial_centers=start, grad_iter=grad_iter
        )

    def plain(x: Any, start: Any = None) -> Any:
        result = _plain.soft_slic(x, (3, 4), 3, 1.7, start, grad_iter or 0)
        # Where gradients end before the start, it gets none; ours are zeros.
        return result if start is None else (*result, 0 * start)

    found = torch_ops.outputs_and_gradients(ours, [x, *start])
    expected = torch_ops.outputs_and_gradients(plain, [x, *start])
    if has_initial:
        del expected[2]
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_float32_rounded(dtype: Any) -> None:
    x = random(2, 6, 25, 37, dtype=dtype)
    found = torch_ops.outputs_and_gradients(lambda x: st.soft_slic(x, (3, 4), 4), [x])
    expected = torch_ops.outputs_and_gradients(lambda x: st.soft_slic(x, (3, 4), 4), [x.float()])
    for a, b in zip(found[:2], expected[:2], strict=True):
        assert a.dtype == dtype
        assert torch.equal(a, b.to(dtype))
    # What comes back is rounded too, once on the way in and once on the way out.
    torch.testing.assert_close(found[2].float(), expected[2], rtol=2e-2, atol=2e-2)


def test_only_one_of_the_outputs_may_be_used() -> None:
    for which in (0, 1):
        x = random(1, 3, 9, 11, dtype=torch.float64)
        found = torch_ops.outputs_and_gradients(lambda x, w=which: small(x)[w], [x])
        expected = torch_ops.outputs_and_gradients(
            lambda x, w=which: _plain.soft_slic(x, (3, 4), 3)[w], [x]
        )
        torch.testing.assert_close(found[1], expected[1], rtol=1e-10, atol=1e-12)


def test_gradients() -> None:
    def tiny(x: Any, start: Any = None) -> Any:
        return tuple(st.soft_slic(x, (2, 3), 2, initial_centers=start, temperature=0.8))

    x = random(2, 2, 4, 5, dtype=torch.float64)
    torch_ops.assert_gradients_are_right(tiny, x)
    torch_ops.assert_gradients_are_right(tiny, x, random(2, 2, 6, dtype=torch.float64, seed=1))


def test_ops_are_registered_correctly() -> None:
    x = random(2, 3, 12, 14, dtype=torch.float64)
    start = random(2, 3, 12, dtype=torch.float64)
    forward = torch.ops.superpix.soft_slic.default
    backward = torch.ops.superpix.soft_slic_backward.default
    for initial in (None, start):
        torch_ops.assert_passes_opcheck(forward, x, initial, 3, 4, 2, 1.0, 0)
    association, _, history = forward(x, start, 3, 4, 1, 1.0, 0)
    torch_ops.assert_passes_opcheck(backward, x, start, history, association, None, 3, 4, 1, 1.0, 0)


def test_works_with_all_that_torch_does() -> None:
    x = random(2, 3, 24, 31)
    torch_ops.assert_compiles(small, x)
    torch_ops.assert_vmaps(small, x)
    torch_ops.assert_takes_any_strides(small, x)
    torch_ops.assert_forward_mode_is_refused(small, x)
    torch_ops.assert_batch_position_does_not_matter(small, x)
    torch_ops.assert_repeats_bit_for_bit(
        lambda x: st.soft_slic(x, (9, 11), 3), random(3, 7, 120, 140)
    )


def test_one_graph_serves_all_sizes_and_grids() -> None:
    def function(x: Any) -> Any:
        return st.soft_slic(x, (x.shape[2] // 8, x.shape[3] // 8), 2).association

    torch.compiler.reset()
    graphs = []

    def count(graph: Any, inputs: Any) -> Any:
        graphs.append(graph)
        return graph.forward

    compiled = torch.compile(function, fullgraph=True, dynamic=True, backend=count)
    for shape in ((1, 3, 32, 40), (1, 3, 48, 64), (1, 3, 80, 24)):
        x = random(*shape)
        assert torch.equal(compiled(x), function(x))
    assert len(graphs) == 1


def test_vmaps_over_initial_centers_too() -> None:
    x, start = random(2, 3, 24, 31), random(2, 3, 12)

    def function(start: Any) -> Any:
        return tuple(st.soft_slic(x, (3, 4), 2, initial_centers=start))

    torch_ops.assert_vmaps(function, start)


def test_under_autocast_the_dtype_of_features_counts() -> None:
    layer = torch.nn.Conv2d(3, 4, 1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = st.soft_slic(layer(random(1, 3, 16, 16)), (2, 2), 2)
    assert result.association.dtype == torch.bfloat16
    result.association.float().square().sum().backward()
    assert layer.weight.grad is not None


def test_autocast_takes_the_wider_dtype() -> None:
    layer = torch.nn.Conv2d(3, 4, 1)
    start = random(1, 4, 4).requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        features = layer(random(1, 3, 16, 16))
        assert features.dtype == torch.bfloat16
        result = st.soft_slic(features, (2, 2), 2, initial_centers=start)
    expected = st.soft_slic(features.float(), (2, 2), 2, initial_centers=start)
    torch_ops.assert_all_equal(result, expected)
    result.association.square().sum().backward()
    assert layer.weight.grad is not None
    assert start.grad.dtype == torch.float32


def test_numpy_numbers_are_numbers() -> None:
    x = random(1, 3, 16, 16)
    expected = st.soft_slic(x, (2, 3), 4, temperature=0.5, grad_iter=2)
    options = {"temperature": np.float32(0.5), "grad_iter": np.int32(2)}
    found = st.soft_slic(x, (np.int64(2), np.int64(3)), np.uint8(4), **options)
    torch_ops.assert_all_equal(found, expected)
    layer = st.SoftSLIC((np.int64(2), np.int64(3)), np.uint8(4), **options)
    torch_ops.assert_all_equal(layer(x), expected)
    assert "grid=(2, 3), num_iter=4, temperature=0.5" in repr(layer)


def test_layer_is_the_function_and_trains() -> None:
    torch.manual_seed(0)
    layer = st.SoftSLIC((4, 4), 3, temperature=2.0)
    assert "grid=(4, 4)" in repr(layer)
    model = torch.nn.Sequential(torch.nn.Conv2d(2, 4, 3, padding=1), layer)
    x = random(1, 2, 32, 32)
    with torch.no_grad():
        target = model(x).association
        model[0].reset_parameters()
    optimizer = torch.optim.Adam(model.parameters(), 3e-2)
    losses = []
    for _ in range(20):
        loss = (model(x).association - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((np.zeros((1, 2, 3, 4)), (1, 1)), TypeError, "features must be a tensor, got ndarray"),
        ((torch.zeros(1, 2, 3, 4, dtype=torch.int64), (1, 1)), TypeError, "features must be float"),
        ((torch.zeros(2, 3, 4), (1, 1)), ValueError, r"features must be \[B, C, H, W\]"),
        ((torch.zeros(1, 0, 3, 4), (1, 1)), ValueError, "features must have channels"),
        ((torch.zeros(1, 2, 3, 4), 5), TypeError, r"grid must be \(rows, columns\)"),
        ((torch.zeros(1, 2, 3, 4), (1.0, 2)), TypeError, "grid must be two ints"),
        ((torch.zeros(1, 2, 3, 4), (4, 1)), ValueError, "from 1 to 3 rows"),
        ((torch.zeros(1, 2, 3, 4), (0, 1)), ValueError, "from 1 to 3 rows"),
        ((torch.zeros(1, 2, 3, 4), (1, 1), 0), ValueError, "num_iter must be at least 1"),
        ((torch.zeros(1, 2, 3, 4), (1, 1), -9), ValueError, "num_iter must be at least 1"),
        ((torch.zeros(1, 2, 3, 4), (1, 1), 2.0), TypeError, "num_iter must be an int"),
        ((torch.zeros(1, 2, 3, 4), (1, 1), True), TypeError, "num_iter must be an int"),
        ((torch.zeros(1, 2, 3, 4), (1, 1), 2**31), ValueError, "num_iter must fit 32 bits"),
    ],
)
def test_errors(arguments: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        st.soft_slic(*arguments)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"temperature": 0.0}, ValueError, "temperature must be"),
        ({"temperature": float("nan")}, ValueError, "temperature must be"),
        ({"temperature": "warm"}, TypeError, "temperature must be a number"),
        ({"temperature": torch.ones(())}, TypeError, "temperature must be a number"),
        ({"grad_iter": 0}, ValueError, "grad_iter must be at least 1"),
        ({"grad_iter": 2.0}, TypeError, "grad_iter must be an int"),
        ({"grad_iter": 2**31}, ValueError, "grad_iter must fit 32 bits"),
        (
            {"initial_centers": torch.zeros(1, 2, 4, device="meta")},
            ValueError,
            "initial_centers must be on cpu like features, got meta",
        ),
        ({"initial_centers": torch.zeros(1, 2, 5)}, ValueError, "initial_centers must be"),
        ({"initial_centers": torch.zeros(2, 4)}, ValueError, "initial_centers must be"),
        (
            {"initial_centers": torch.zeros(1, 2, 4, dtype=torch.float64)},
            TypeError,
            "initial_centers must be float32",
        ),
    ],
)
def test_errors_of_options(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        st.soft_slic(torch.zeros(1, 2, 8, 8), (2, 2), **options)


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"grid": 5}, TypeError, r"grid must be \(rows, columns\)"),
        ({"grid": (2.0, 2)}, TypeError, "grid must be two ints"),
        ({"grid": (2, 0)}, ValueError, "grid must have at least 1 row and 1 column"),
        ({"num_iter": 0}, ValueError, "num_iter must be at least 1"),
        ({"num_iter": 2.0}, TypeError, "num_iter must be an int"),
        ({"temperature": "warm"}, TypeError, "temperature must be a number"),
        ({"temperature": 0}, ValueError, "temperature must be finite and greater than 0"),
        ({"temperature": float("inf")}, ValueError, "temperature must be finite and greater"),
        ({"temperature": float("nan")}, ValueError, "temperature must be finite and greater"),
        ({"grad_iter": 0}, ValueError, "grad_iter must be at least 1"),
        ({"grad_iter": 2**31}, ValueError, "grad_iter must fit 32 bits"),
    ],
)
def test_layer_checks_its_parameters(
    parameters: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        st.SoftSLIC(**{"grid": (2, 2), **parameters})
