"""`superpix.torch.pool` and `unpool` against plain PyTorch. More is in tests/cpp/test_pool.cpp."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import superpix as sp
from support import torch_ops

torch = pytest.importorskip("torch")
st = pytest.importorskip("superpix.torch")

REDUCTIONS = ["sum", "mean", "max", "min"]
NAMES = {"sum": "sum", "mean": "mean", "max": "amax", "min": "amin"}


def random(*shape: int, dtype: Any = torch.float32, seed: int = 0) -> Any:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)


def labels_of(*shape: int, segments: int = 7, dtype: Any = torch.int64) -> Any:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(-1, segments, shape, generator=generator, dtype=dtype)


def plain(x: Any, labels: Any, segments: int, reduce: str) -> Any:
    """Repeat cells for the pixels in them, and reduce what has the label k, for every k."""
    height, width = x.shape[2:]
    rows = torch.arange(labels.shape[1]) * height // labels.shape[1]
    columns = torch.arange(labels.shape[2]) * width // labels.shape[2]
    pixels = x[:, :, rows][:, :, :, columns].flatten(2)
    index = labels.flatten(1).long()[:, None].expand_as(pixels)
    # Segment K takes what has no label.
    index = torch.where(index < 0, segments, index)
    out = x.new_zeros(*x.shape[:2], segments + 1)
    reduced = out.scatter_reduce(2, index, pixels, NAMES[reduce], include_self=False)
    return reduced[:, :, :segments]


@pytest.mark.parametrize("reduce", REDUCTIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("shape", "label_shape", "segments"),
    [
        ((2, 3, 17, 23), (17, 23), 12),
        ((1, 1, 1, 1), (1, 1), 2),
        ((3, 20, 31, 47), (31, 47), 400),
        ((1, 70, 12, 300), (12, 300), 3),
        ((0, 3, 8, 8), (8, 8), 3),
        ((2, 5, 10, 13), (37, 41), 6),
        ((1, 18, 16, 16), (48, 32), 30),
    ],
)
def test_matches_plain_torch(
    shape: tuple[int, ...], label_shape: tuple[int, int], segments: int, dtype: Any, reduce: str
) -> None:
    x = random(*shape, dtype=dtype)
    labels = labels_of(shape[0], *label_shape, segments=segments)
    found = torch_ops.outputs_and_gradients(lambda x: st.pool(x, labels, segments, reduce), [x])
    expected = torch_ops.outputs_and_gradients(
        lambda x: plain(x, labels, segments, reduce), [x.double()]
    )
    if label_shape != shape[2:] and reduce in ("max", "min"):
        del found[1], expected[1]  # PyTorch shares it out among the pixels of the cell
    assert [f.shape for f in found] == [e.shape for e in expected]
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == dtype
        scale = b.abs().max().item() if b.numel() else 1.0
        tolerance = 1e-5 if dtype == torch.float32 else 1e-12
        torch.testing.assert_close(a.double(), b, rtol=tolerance, atol=tolerance * scale)


def test_unpool_is_indexing() -> None:
    pooled = random(2, 5, 7)
    labels = labels_of(2, 20, 30)

    def plain_unpool(pooled: Any) -> Any:
        index = labels.clamp(min=0).flatten(1)[:, None].expand(-1, 5, -1)
        painted = pooled.gather(2, index).unflatten(2, (20, 30))
        return painted.masked_fill(labels[:, None] < 0, 0)

    found = torch_ops.outputs_and_gradients(lambda p: st.unpool(p, labels), [pooled])
    expected = torch_ops.outputs_and_gradients(plain_unpool, [pooled.double()])
    assert torch.equal(found[0].double(), expected[0])
    torch.testing.assert_close(found[1].double(), expected[1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_are_the_numpy_functions(reduce: Any) -> None:
    x, labels = random(2, 5, 30, 40), labels_of(2, 60, 41)
    pooled = st.pool(x, labels, 7, reduce)
    np.testing.assert_array_equal(pooled.numpy(), sp.pool(x.numpy(), labels.numpy(), 7, reduce))
    np.testing.assert_array_equal(
        st.unpool(pooled, labels).numpy(), sp.unpool(pooled.numpy(), labels.numpy())
    )


def test_labels_of_either_width_and_of_any_strides_are_the_same() -> None:
    x, labels = random(2, 5, 30, 40), labels_of(2, 30, 40)
    expected = torch_ops.outputs_and_gradients(lambda x: st.pool(x, labels, 7), [x])
    transposed = labels.transpose(1, 2).contiguous().transpose(1, 2)
    for other in (labels.int(), transposed, labels.int()[:, :, None].expand(2, 30, 3, 40)[:, :, 1]):
        found = torch_ops.outputs_and_gradients(lambda x, o=other: st.pool(x, o, 7), [x])
        torch_ops.assert_all_equal(found, expected)
        assert torch.equal(st.unpool(expected[0], other), st.unpool(expected[0], labels))


@pytest.mark.parametrize("reduce", REDUCTIONS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_float32_rounded(dtype: Any, reduce: str) -> None:
    x, labels = random(2, 18, 25, 37, dtype=dtype), labels_of(2, 25, 37)

    def function(x: Any) -> Any:
        return st.pool(x, labels, 7, reduce)

    found = torch_ops.outputs_and_gradients(function, [x])
    expected = torch_ops.outputs_and_gradients(function, [x.float()])
    assert torch.equal(found[0], expected[0].to(dtype))
    # What comes back is rounded too, once on the way in and once on the way out.
    torch.testing.assert_close(found[1].float(), expected[1], rtol=2e-2, atol=2e-2)
    assert torch.equal(st.unpool(found[0], labels), st.unpool(found[0].float(), labels).to(dtype))


@pytest.mark.parametrize("reduce", REDUCTIONS)
@pytest.mark.parametrize("scale", [1, 3])
def test_gradients(reduce: str, scale: int) -> None:
    labels = labels_of(2, 4 * scale, 5 * scale, segments=4)
    torch_ops.assert_gradients_are_right(
        lambda x: st.pool(x, labels, 5, reduce), random(2, 3, 4, 5, dtype=torch.float64)
    )


def test_gradients_of_unpool() -> None:
    labels = labels_of(2, 4, 5, segments=4)
    torch_ops.assert_gradients_are_right(
        lambda x: st.unpool(x, labels), random(2, 3, 5, dtype=torch.float64)
    )


@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_second_derivatives_are_those_of_torch(reduce: str) -> None:
    labels = labels_of(2, 9, 11)

    def penalty(function: Any) -> Any:
        x = random(2, 2, 9, 11, dtype=torch.float64).requires_grad_()
        loss = function(x, labels, 7, reduce).pow(3).sum()
        (gradient,) = torch.autograd.grad(loss, x, create_graph=True)
        return torch.autograd.grad(gradient.square().sum(), x)[0]

    torch.testing.assert_close(penalty(st.pool), penalty(plain))


@pytest.mark.parametrize("reduce", REDUCTIONS)
@pytest.mark.parametrize("scale", [1, 2])
def test_ops_are_registered_correctly(reduce: str, scale: int) -> None:
    ops = torch.ops.superpix
    x, labels = random(2, 3, 12, 14), labels_of(2, 12 * scale, 14 * scale)
    pooled, saved = ops.pool.default(x, labels, 7, reduce)
    torch_ops.assert_passes_opcheck(ops.pool.default, x, labels, 7, reduce)
    torch_ops.assert_passes_opcheck(
        ops.pool_backward.default, pooled, labels, saved, 12, 14, reduce
    )
    torch_ops.assert_passes_opcheck(ops.unpool.default, pooled, labels)


@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_works_with_all_that_torch_does(reduce: str) -> None:
    x, labels = random(2, 3, 24, 31), labels_of(2, 24, 31)

    def function(x: Any) -> Any:
        return st.unpool(st.pool(x, labels, 7, reduce).square(), labels)

    torch_ops.assert_compiles(function, x)
    torch_ops.assert_vmaps(function, x)
    torch_ops.assert_takes_any_strides(function, x)
    torch_ops.assert_forward_mode_is_refused(function, x)
    torch_ops.assert_batch_position_does_not_matter(
        lambda x, labels: st.pool(x, labels, 7, reduce), x, labels
    )
    large = labels_of(2, 400, 450)
    torch_ops.assert_repeats_bit_for_bit(
        lambda x: st.pool(x, large, 7, reduce), random(2, 3, 400, 450)
    )


def test_unpool_works_with_all_that_torch_does() -> None:
    pooled, labels = random(2, 3, 7), labels_of(2, 24, 31)

    def function(pooled: Any) -> Any:
        return st.unpool(pooled, labels)

    torch_ops.assert_compiles(function, pooled)
    torch_ops.assert_vmaps(function, pooled)
    torch_ops.assert_takes_any_strides(function, pooled)
    torch_ops.assert_forward_mode_is_refused(function, pooled)
    torch_ops.assert_repeats_bit_for_bit(function, pooled)


def test_vmaps_over_labels() -> None:
    x, labels = random(2, 3, 12, 14), labels_of(5, 2, 12, 14)
    found = torch.func.vmap(lambda labels: st.pool(x, labels, 7))(labels)
    expected = torch.stack([st.pool(x, each, 7) for each in labels])
    assert torch.equal(found, expected)


def test_one_graph_serves_all_sizes_and_numbers_of_segments() -> None:
    def function(x: Any, labels: Any) -> Any:
        return st.pool(x, labels, x.shape[3] + 7)

    torch.compiler.reset()
    graphs = []

    def count(graph: Any, inputs: Any) -> Any:
        graphs.append(graph)
        return graph.forward

    compiled = torch.compile(function, fullgraph=True, dynamic=True, backend=count)
    for height, width in ((32, 40), (48, 64), (80, 24)):
        x, labels = random(2, 3, height, width), labels_of(2, height, width)
        assert torch.equal(compiled(x, labels), function(x, labels))
    assert len(graphs) == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_large_outputs_own_their_memory(dtype: Any) -> None:
    # More than 32 MiB, so that the core's memory is used, time and again.
    channels = 40 if dtype == torch.float32 else 80
    labels = labels_of(1, 500, 500)
    pooled = random(1, channels, 7, dtype=dtype)
    rows = pooled.movedim(1, 2)[0]
    alive = []
    for i in range(3):
        out = st.unpool(pooled + i, labels)
        assert out.is_contiguous()
        alive.append(out)
        del out
    for i, out in enumerate(alive):
        for point in ((0, 0), (250, 17), (499, 499)):
            label = labels[0, point[0], point[1]]
            expected = (rows + i)[label] if label >= 0 else torch.zeros(channels, dtype=dtype)
            assert torch.equal(out[0, :, point[0], point[1]], expected)
    features = alive.pop().requires_grad_()
    alive.clear()
    st.pool(features, labels, 7, "sum").sum().backward()
    st.pool(features, labels, 7, "sum").sum().backward()
    expected = 2 * (labels >= 0)[:, None].expand_as(features).to(dtype)
    assert torch.equal(features.grad, expected)


def test_large_outputs_can_be_changed_in_place() -> None:
    labels = torch.arange(1024 * 1024).reshape(1, 1024, 1024) % 2
    pooled = torch.tensor([2.0, -1.0]).expand(1, 9, 2).clone().requires_grad_()
    association = torch.zeros(1, 9, 1024, 1024)
    association[:, 4] = 1
    for out, expected in (
        (st.unpool(pooled, labels), [2.0, 0.0]),
        (st.soft_unpool(pooled, association, (1, 2)), [2.0, 0.0]),
    ):
        pooled.grad = None
        assert out.is_contiguous()
        assert not out._is_view()
        changed = out.mul_(2).relu_()
        assert changed is out
        changed.sum().backward()
        found = pooled.grad / 2**19
        assert torch.equal(found, torch.tensor(expected).expand(1, 9, 2))
    features = torch.zeros(1, 1, 1024, 1024, requires_grad=True)
    st.soft_slic(features, (1, 1), 1).association.mul_(2).sum().backward()
    with torch.inference_mode():
        out = st.unpool(pooled, labels)
        assert out.is_inference()
        assert torch.equal(out.mul_(2)[0, :, 0, :2], 2 * pooled[0])


def test_large_outputs_compile_and_vmap() -> None:
    labels = torch.arange(1024 * 1024).reshape(1, 1024, 1024) % 7
    pooled = random(3, 1, 3, 7)

    def function(pooled: Any) -> Any:
        return st.unpool(pooled, labels).mul_(2)

    expected = torch.stack([2 * p[:, :, labels[0]] for p in pooled])
    assert torch.equal(torch.func.vmap(function)(pooled), expected)
    torch.compiler.reset()
    compiled = torch.compile(function, fullgraph=True, backend="aot_eager")
    x = pooled.flatten(0, 2)[None].requires_grad_()
    out = compiled(x)
    assert torch.equal(out, 2 * x[:, :, labels[0]])
    out.sum().backward()
    torch.testing.assert_close(x.grad, 2 * labels.flatten().bincount().expand(1, 9, 7).float())


def test_memory_of_large_outputs_is_used_again() -> None:
    labels = torch.zeros(1, 1024, 1024, dtype=torch.int64)
    pooled = torch.ones(1, 25, 1)  # larger than what other tests leave
    out = st.unpool(pooled, labels)
    address = out.data_ptr()
    as_numpy = out.numpy()  # which keeps it alive as well as a tensor does
    del out
    other = st.unpool(2 * pooled, labels)
    assert other.data_ptr() != address
    assert (as_numpy == 1).all()
    del as_numpy
    assert st.unpool(pooled, labels).data_ptr() == address


def test_large_outputs_can_be_copied_saved_and_shared(tmp_path: Path) -> None:
    labels = torch.zeros(1, 1024, 1024, dtype=torch.int64)
    out = st.unpool(torch.ones(1, 9, 1), labels)
    torch.save(out, tmp_path / "out.pt")
    assert torch.equal(torch.load(tmp_path / "out.pt"), out)
    assert copy.deepcopy(out).data_ptr() != out.data_ptr()
    assert (out.share_memory_() == 1).all()


def test_under_autocast_the_dtype_of_features_counts() -> None:
    layer = torch.nn.Conv2d(3, 4, 1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        pooled = st.pool(layer(random(1, 3, 16, 16)), labels_of(1, 16, 16), 7)
    assert pooled.dtype == torch.bfloat16
    pooled.float().square().sum().backward()
    assert layer.weight.grad is not None


def test_labels_that_change_before_backward_are_noticed() -> None:
    x, labels = random(1, 3, 16, 16).requires_grad_(), labels_of(1, 16, 16)
    pooled = st.pool(x, labels, 7)
    labels.zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        pooled.sum().backward()


@pytest.mark.parametrize("reduce", ["mean", "max"])
def test_layer_is_the_function_and_trains(reduce: str) -> None:
    torch.manual_seed(0)
    layer = st.SuperpixelPool(9, reduce)
    assert f"num_segments=9, reduce='{reduce}'" in repr(layer)
    net = torch.nn.Conv2d(2, 4, 3, padding=1)
    x, labels = random(1, 2, 32, 32), labels_of(1, 64, 64, segments=9)
    with torch.no_grad():
        target = layer(net(x), labels)
        net.reset_parameters()
    optimizer = torch.optim.Adam(net.parameters(), 3e-2)
    losses = []
    for _ in range(20):
        loss = (layer(net(x), labels) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"features": np.zeros((1, 2, 3, 4))}, TypeError, "features must be a tensor, got ndarray"),
        ({"features": torch.zeros(1, 2, 3, 4).int()}, TypeError, "features must be float"),
        ({"features": torch.zeros(2, 3, 4)}, ValueError, r"features must be \[B, C, H, W\]"),
        ({"features": torch.zeros(1, 2, 0, 4)}, ValueError, "features must have pixels"),
        ({"features": torch.zeros(2, 2, 3, 4)}, ValueError, "labels must have as many images"),
        ({"features": torch.zeros(1, 2, 4, 4)}, ValueError, "labels must be at least as high"),
        ({"labels": None}, TypeError, "labels must be a tensor, got NoneType"),
        ({"labels": torch.zeros(1, 3, 4)}, TypeError, "labels must be int32 or int64"),
        ({"labels": torch.zeros(3, 4).long()}, ValueError, r"labels must be \[B, H, W\]"),
        ({"labels": torch.full((1, 3, 4), 5)}, ValueError, "labels must be from -1 to 4, got 5"),
        ({"num_segments": 0}, ValueError, "num_segments must be at least 1"),
        ({"num_segments": 2**31}, ValueError, "num_segments must fit 32 bits"),
        ({"num_segments": 2.0}, TypeError, "num_segments must be an int"),
        ({"num_segments": np.float64(2)}, TypeError, "num_segments must be an int"),
        ({"num_segments": True}, TypeError, "num_segments must be an int"),
        ({"num_segments": np.True_}, TypeError, "num_segments must be an int"),
        ({"num_segments": "5"}, TypeError, "num_segments must be an int"),
        ({"num_segments": torch.tensor(5)}, TypeError, "num_segments must be an int"),
        ({"num_segments": np.array(5)}, TypeError, "num_segments must be an int"),
        (
            {"labels": torch.zeros(1, 3, 4, device="meta").long()},
            ValueError,
            "labels must be on cpu like features, got meta",
        ),
        ({"reduce": "median"}, ValueError, "reduce must be one of"),
        ({"reduce": ["mean"]}, TypeError, "reduce must be a string"),
        ({"reduce": np.array(["mean", "max"])}, TypeError, "reduce must be a string"),
        ({"reduce": np.array("mean")}, TypeError, "reduce must be a string"),
    ],
)
def test_errors_of_pool(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    good = {
        "features": torch.zeros(1, 2, 3, 4),
        "labels": torch.zeros(1, 3, 4, dtype=torch.int64),
        "num_segments": 5,
    }
    with pytest.raises(error, match=message):
        st.pool(**{**good, **arguments})


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"pooled": torch.zeros(1, 2, 5).long()}, TypeError, "pooled must be float"),
        ({"pooled": torch.zeros(2, 5)}, ValueError, r"pooled must be \[B, C, K\]"),
        ({"pooled": torch.zeros(2, 2, 5)}, ValueError, "labels must have as many images"),
        ({"labels": torch.zeros(1, 3, 4)}, TypeError, "labels must be int32 or int64"),
        ({"labels": torch.full((1, 3, 4), -2)}, ValueError, "labels must be from -1 to 4, got -2"),
        (
            {"pooled": torch.zeros(1, 2, 5, device="meta")},
            ValueError,
            "labels must be on meta like pooled, got cpu",
        ),
    ],
)
def test_errors_of_unpool(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    good = {"pooled": torch.zeros(1, 2, 5), "labels": torch.zeros(1, 3, 4, dtype=torch.int64)}
    with pytest.raises(error, match=message):
        st.unpool(**{**good, **arguments})


def test_numpy_integers_are_ints() -> None:
    x, labels = random(1, 2, 8, 9), labels_of(1, 8, 9)
    expected = st.pool(x, labels, 7)
    assert torch.equal(st.pool(x, labels, np.uint8(7)), expected)
    layer = st.SuperpixelPool(np.int64(7))
    assert torch.equal(layer(x, labels), expected)
    assert "num_segments=7," in repr(layer)


def test_layer_checks_its_parameters() -> None:
    with pytest.raises(ValueError, match="num_segments must be at least 1"):
        st.SuperpixelPool(0)
    with pytest.raises(ValueError, match="reduce must be one of"):
        st.SuperpixelPool(4, "median")
