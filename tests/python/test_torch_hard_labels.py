"""`superpix.torch.hard_labels`. Its values are those of `superpix.hard_labels`, tested there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import superpix as sp
from support import torch_ops

torch = pytest.importorskip("torch")
st = pytest.importorskip("superpix.torch")


def association_of(*shape: int, dtype: Any = torch.float32) -> Any:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0)).to(dtype)


def labels(association: Any) -> Any:
    return st.hard_labels(association, (3, 4))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(2, 9, 25, 37), (1, 9, 3, 4), (0, 9, 8, 8)])
def test_is_the_numpy_function(shape: tuple[int, ...], dtype: Any) -> None:
    association = association_of(*shape, dtype=dtype)
    found = labels(association)
    assert found.dtype == torch.int64
    expected = sp.hard_labels(association.double().numpy(), (3, 4))
    np.testing.assert_array_equal(found.numpy(), expected)


def test_have_no_gradient() -> None:
    association = association_of(1, 9, 12, 16).requires_grad_()
    found = labels(association)
    assert not found.requires_grad
    (association.sum() + found.sum()).backward()
    assert torch.equal(association.grad, torch.ones_like(association))


def test_op_is_registered_correctly() -> None:
    op = torch.ops.superpix.hard_labels.default
    results = torch.library.opcheck(op, (association_of(2, 9, 12, 14), 3, 4))
    assert set(results.values()) == {"SUCCESS"}


def test_compiles() -> None:
    association = association_of(2, 9, 24, 31).requires_grad_()
    for dynamic in (False, True):
        torch.compiler.reset()
        compiled = torch.compile(labels, fullgraph=True, backend="aot_eager", dynamic=dynamic)
        assert torch.equal(compiled(association), labels(association))


def test_vmaps() -> None:
    association = association_of(2, 3, 9, 24, 31)
    found = torch.func.vmap(labels, 1)(association)
    expected = torch.stack([labels(a) for a in association.unbind(1)])
    torch_ops.assert_all_equal([found], [expected])


def test_takes_any_strides() -> None:
    association = association_of(2, 9, 24, 31)
    expected = labels(association)
    assert torch.equal(labels(association.contiguous(memory_format=torch.channels_last)), expected)
    transposed = association.transpose(2, 3).contiguous().transpose(2, 3)
    assert torch.equal(labels(transposed), expected)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((np.zeros((1, 9, 3, 4)), (1, 1)), TypeError, "association must be a tensor"),
        ((torch.zeros(1, 9, 3, 4).int(), (1, 1)), TypeError, "association must be float"),
        ((torch.zeros(9, 3, 4), (1, 1)), ValueError, r"association must be \[B, 9, H, W\]"),
        ((torch.zeros(1, 8, 3, 4), (1, 1)), ValueError, "association must be"),
        ((torch.zeros(1, 9, 3, 4), 5), TypeError, r"grid must be \(rows, columns\)"),
        ((torch.zeros(1, 9, 3, 4), (4, 1)), ValueError, "from 1 to 3 rows"),
    ],
)
def test_errors(arguments: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        st.hard_labels(*arguments)
