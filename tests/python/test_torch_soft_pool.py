"""`superpix.torch.soft_pool` and `soft_unpool`. Values are also those of NumPy, tested there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import superpix as sp
from support import torch_ops

torch = pytest.importorskip("torch")
st = pytest.importorskip("superpix.torch")

from superpix.torch import _plain  # noqa: E402

GRID = (3, 4)


def random(*shape: int, dtype: Any = torch.float32, seed: int = 0) -> Any:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)


def shares(*shape: int, dtype: Any = torch.float32, seed: int = 9) -> Any:
    """Return an association that does not sum to 1."""
    generator = torch.Generator().manual_seed(seed)
    return 0.1 + torch.rand(*shape, generator=generator, dtype=torch.float64).to(dtype)


def pool(values: Any, association: Any) -> Any:
    return st.soft_pool(values, association, GRID, eps=1e-3)


def unpool(centers: Any, association: Any) -> Any:
    return st.soft_unpool(centers, association, GRID)


def unpool_as_it_is(centers: Any, association: Any) -> Any:
    return st.soft_unpool(centers, association, GRID, normalize=False)


def plain_pool(values: Any, association: Any) -> Any:
    return _plain.soft_pool(values, association, GRID, eps=1e-3)


def plain_unpool(centers: Any, association: Any) -> Any:
    return _plain.soft_unpool(centers, association, GRID)


def plain_unpool_as_it_is(centers: Any, association: Any) -> Any:
    return _plain.soft_unpool(centers, association, GRID, normalize=False)


PAIRS = [(pool, plain_pool), (unpool, plain_unpool), (unpool_as_it_is, plain_unpool_as_it_is)]
OURS = [ours for ours, _ in PAIRS]


def arguments(function: Callable[..., Any], *shape: int, dtype: Any = torch.float32) -> list[Any]:
    """Return what a function of [B, D, H, W] takes."""
    batch, channels, height, width = shape
    first = shape if function in (pool, plain_pool) else (batch, channels, GRID[0] * GRID[1])
    return [random(*first, dtype=dtype), shares(batch, 9, height, width, dtype=dtype)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "shape", [(1, 1, 3, 4), (2, 3, 17, 23), (3, 20, 31, 47), (1, 70, 12, 300), (0, 3, 8, 8)]
)
@pytest.mark.parametrize(("ours", "plain"), PAIRS)
def test_matches_plain_torch(
    ours: Callable[..., Any], plain: Callable[..., Any], shape: tuple[int, ...], dtype: Any
) -> None:
    inputs = arguments(ours, *shape, dtype=dtype)
    found = torch_ops.outputs_and_gradients(ours, inputs)
    expected = torch_ops.outputs_and_gradients(plain, [x.double() for x in inputs])
    assert [f.shape for f in found] == [e.shape for e in expected]
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == dtype
        scale = b.abs().max().item() if b.numel() else 1.0
        tolerance = 1e-5 if dtype == torch.float32 else 1e-12
        torch.testing.assert_close(a.double(), b, rtol=tolerance, atol=tolerance * scale)


def test_are_the_numpy_functions() -> None:
    values, association = arguments(pool, 2, 5, 30, 40)
    pooled = st.soft_pool(values, association, GRID)
    expected = sp.soft_pool(values.numpy(), association.numpy(), GRID)
    np.testing.assert_array_equal(pooled.numpy(), expected)
    for normalize in (True, False):
        out = st.soft_unpool(pooled, association, GRID, normalize=normalize)
        np.testing.assert_array_equal(
            out.numpy(),
            sp.soft_unpool(expected, association.numpy(), GRID, normalize=normalize),
        )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("function", OURS)
def test_half_precision_is_float32_rounded(function: Callable[..., Any], dtype: Any) -> None:
    inputs = arguments(function, 2, 6, 25, 37, dtype=dtype)
    found = torch_ops.outputs_and_gradients(function, inputs)
    expected = torch_ops.outputs_and_gradients(function, [x.float() for x in inputs])
    assert found[0].dtype == dtype
    assert torch.equal(found[0], expected[0].to(dtype))
    # What comes back is rounded too, once on the way in and once on the way out.
    for a, b in zip(found[1:], expected[1:], strict=True):
        assert a.dtype == dtype
        torch.testing.assert_close(a.float(), b, rtol=2e-2, atol=2e-2 * b.abs().max().item())


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize(("ours", "plain"), PAIRS)
def test_only_one_argument_may_have_a_gradient(
    ours: Callable[..., Any], plain: Callable[..., Any], which: int
) -> None:
    inputs = arguments(ours, 1, 3, 9, 11, dtype=torch.float64)

    def fix(function: Callable[..., Any]) -> Callable[..., Any]:
        def of_one(x: Any) -> Any:
            return function(x, inputs[1]) if which == 0 else function(inputs[0], x)

        return of_one

    found = torch_ops.outputs_and_gradients(fix(ours), [inputs[which]])
    expected = torch_ops.outputs_and_gradients(fix(plain), [inputs[which]])
    torch.testing.assert_close(found[1], expected[1], rtol=1e-10, atol=1e-12)
    tiny = arguments(ours, 1, 2, 4, 5, dtype=torch.float64)
    inputs[:] = tiny
    torch_ops.assert_gradients_are_right(fix(ours), tiny[which])


@pytest.mark.parametrize("function", OURS)
def test_gradients(function: Callable[..., Any]) -> None:
    torch_ops.assert_gradients_are_right(
        function, *arguments(function, 2, 2, 4, 5, dtype=torch.float64)
    )


def test_pixels_and_superpixels_without_weight_have_no_gradient() -> None:
    association = shares(1, 9, 12, 16, dtype=torch.float64)
    association[:, :, :4] = 0  # the cells of the first row
    association[:, :3] = 0  # nobody belongs to the row of cells above
    association.requires_grad_()
    centers = random(1, 2, 12, dtype=torch.float64).requires_grad_()
    out = unpool(centers, association)
    out.sum().backward()
    assert torch.equal(out[:, :, :4], torch.zeros_like(out[:, :, :4]))
    assert torch.equal(association.grad[:, :, :4], torch.zeros_like(association.grad[:, :, :4]))
    assert torch.equal(centers.grad[:, :, :4], torch.zeros_like(centers.grad[:, :, :4]))
    pooled = st.soft_pool(out.detach(), association, GRID)
    assert torch.equal(pooled[:, :, :4], torch.zeros_like(pooled[:, :, :4]))


def test_ops_are_registered_correctly() -> None:
    ops = torch.ops.superpix
    values, association = arguments(pool, 2, 3, 12, 14, dtype=torch.float64)
    torch_ops.assert_passes_opcheck(ops.soft_pool.default, values, association, 3, 4, 1e-3)
    pooled, weights = ops.soft_pool.default(values, association, 3, 4, 1e-3)
    torch_ops.assert_passes_opcheck(ops.soft_unpool.default, pooled, association, 3, 4, True)
    for wanted in ((True, True), (True, False), (False, True)):
        saved = (values, association, pooled, weights, pooled.sin())
        torch_ops.assert_passes_opcheck(ops.soft_pool_backward.default, *saved, 3, 4, 1e-3, *wanted)
        torch_ops.assert_passes_opcheck(
            ops.soft_unpool_backward.default, pooled, association, values, 3, 4, False, *wanted
        )


@pytest.mark.parametrize("function", OURS)
def test_works_with_all_that_torch_does(function: Callable[..., Any]) -> None:
    inputs = arguments(function, 2, 3, 24, 31)
    torch_ops.assert_compiles(function, *inputs)
    torch_ops.assert_vmaps(function, *inputs)
    torch_ops.assert_vmaps(lambda association, x: function(x, association), *inputs[::-1])
    torch_ops.assert_takes_any_strides(function, *inputs)
    torch_ops.assert_forward_mode_is_refused(function, *inputs)
    torch_ops.assert_batch_position_does_not_matter(function, *inputs)
    torch_ops.assert_repeats_bit_for_bit(function, *arguments(function, 3, 7, 120, 140))


def test_one_graph_serves_all_sizes_and_grids() -> None:
    def function(values: Any, association: Any) -> Any:
        grid = (values.shape[2] // 8, values.shape[3] // 8)
        return st.soft_unpool(st.soft_pool(values, association, grid), association, grid)

    torch.compiler.reset()
    graphs = []

    def count(graph: Any, inputs: Any) -> Any:
        graphs.append(graph)
        return graph.forward

    compiled = torch.compile(function, fullgraph=True, dynamic=True, backend=count)
    for height, width in ((32, 40), (48, 64), (80, 24)):
        inputs = arguments(pool, 1, 3, height, width)
        assert torch.equal(compiled(*inputs), function(*inputs))
    assert len(graphs) == 1


def test_autocast_takes_the_wider_dtype() -> None:
    layer = torch.nn.Conv2d(3, 4, 1)
    image, association = arguments(pool, 1, 3, 16, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        features = layer(image)
        assert features.dtype == torch.bfloat16
        pooled = st.soft_pool(features, association, GRID)
        assert pooled.dtype == torch.float32
        out = st.soft_unpool(pooled, association.bfloat16(), GRID)
        assert out.dtype == torch.float32
    out.square().sum().backward()
    assert layer.weight.grad is not None
    with pytest.raises(TypeError, match="values must be float32 like association, got float64"):
        st.soft_pool(image.double(), association, GRID)


def test_numpy_numbers_are_numbers() -> None:
    values, association = arguments(pool, 1, 2, 8, 9)
    expected = st.soft_pool(values, association, (2, 3), eps=0.5)
    grid = (np.int64(2), np.uint8(3))
    for eps in (np.float16(0.5), np.float32(0.5), np.float64(0.5)):
        assert torch.equal(st.soft_pool(values, association, grid, eps=eps), expected)
    assert torch.equal(
        st.soft_pool(values, association, (2, 3), eps=np.int64(1)),
        st.soft_pool(values, association, (2, 3), eps=1.0),
    )
    out = st.soft_unpool(expected, association, tuple(np.array([2, 3])))
    assert torch.equal(out, st.soft_unpool(expected, association, (2, 3)))


GOOD: dict[str, Any] = {
    "values": torch.zeros(1, 2, 8, 8),
    "association": torch.zeros(1, 9, 8, 8),
    "grid": (2, 2),
}


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"values": np.zeros((1, 2, 8, 8))}, TypeError, "values must be a tensor, got ndarray"),
        ({"values": torch.zeros(1, 2, 8, 8, dtype=torch.int64)}, TypeError, "values must be float"),
        ({"values": torch.zeros(2, 8, 8)}, ValueError, r"values must be \[B, D, H, W\]"),
        ({"values": torch.zeros(1, 0, 8, 8)}, ValueError, "values must have from 1"),
        ({"association": torch.zeros(1, 8, 8, 8)}, ValueError, "association must be"),
        ({"association": torch.zeros(2, 9, 8, 8)}, ValueError, "values must be"),
        ({"association": torch.zeros(1, 9, 8, 8).double()}, TypeError, "values must be float64"),
        ({"grid": 5}, TypeError, r"grid must be \(rows, columns\)"),
        ({"grid": (9, 1)}, ValueError, "from 1 to 8 rows"),
        ({"eps": -1.0}, ValueError, "eps must be"),
        ({"eps": float("nan")}, ValueError, "eps must be"),
        ({"eps": "small"}, TypeError, "eps must be a number"),
        ({"eps": True}, TypeError, "eps must be a number"),
        ({"eps": np.zeros(())}, TypeError, "eps must be a number"),
        ({"eps": torch.zeros(())}, TypeError, "eps must be a number"),
        (
            {"association": torch.zeros(1, 9, 8, 8, device="meta")},
            ValueError,
            "values must be on meta like association, got cpu",
        ),
        (
            {
                "values": torch.zeros(1, 2, 8, 8, device="meta"),
                "association": torch.zeros(1, 9, 8, 8, device="meta").double(),
            },
            TypeError,
            "values must be float64 like association, got float32",
        ),
    ],
)
def test_errors_of_soft_pool(changed: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        st.soft_pool(**{**GOOD, **changed})


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"centers": None}, TypeError, "centers must be a tensor"),
        ({"centers": torch.zeros(1, 2, 8, 8)}, ValueError, r"centers must be \[B, D, K\]"),
        ({"centers": torch.zeros(1, 2, 5)}, ValueError, "centers must be"),
        ({"association": torch.zeros(9, 8, 8)}, ValueError, "association must be"),
        ({"association": torch.zeros(1, 9, 8, 8).half()}, TypeError, "centers must be float16"),
        ({"grid": (2.0, 2)}, TypeError, "grid must be two ints"),
        ({"grid": (2, True)}, TypeError, "grid must be two ints"),
        ({"grid": "22"}, TypeError, "grid must be two ints"),
        ({"grid": torch.tensor([2, 2])}, TypeError, "grid must be two ints"),
        (
            {"centers": torch.zeros(1, 2, 4, device="meta")},
            ValueError,
            "centers must be on cpu like association, got meta",
        ),
        ({"normalize": 1}, TypeError, "normalize must be True or False"),
    ],
)
def test_errors_of_soft_unpool(
    changed: dict[str, Any], error: type[Exception], message: str
) -> None:
    good = {**GOOD, "centers": torch.zeros(1, 2, 4)}
    del good["values"]
    with pytest.raises(error, match=message):
        st.soft_unpool(**{**good, **changed})
