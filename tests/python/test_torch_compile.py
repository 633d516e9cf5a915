"""A model of all ops, compiled by torch.compile's own backend and not only traced."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from support import torch_ops

torch = pytest.importorskip("torch")
st = pytest.importorskip("superpix.torch")

GRID = (4, 5)


def model(x: Any, labels: Any) -> tuple[Any, ...]:
    association, centers = st.soft_slic(x.tanh() * 2, GRID, 3)
    painted = st.soft_unpool(st.soft_pool(x, association, GRID), association, GRID)
    segments = st.unpool(st.pool(painted + x, labels, 20, "max").sigmoid(), labels)
    return (*st.pyramid_pool(segments, (1, 3)), centers.exp())


@pytest.mark.skipif(shutil.which("g++") is None, reason="Inductor wants a compiler")
def test_inductor_gives_what_eager_gives() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, 33, 41)
    labels = st.hard_labels(st.soft_slic(x, GRID, 2).association, GRID)
    torch.compiler.reset()
    compiled = torch.compile(model, fullgraph=True)
    expected = torch_ops.outputs_and_gradients(model, [x, labels])
    found = torch_ops.outputs_and_gradients(compiled, [x, labels])
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_vmap_may_be_inside() -> None:
    x = torch.randn(3, 1, 3, 20, 25)
    labels = torch.arange(500).reshape(1, 20, 25) % 20

    def function(x: Any) -> Any:
        return torch.func.vmap(lambda x: model(x, labels))(x)

    torch.compiler.reset()
    compiled = torch.compile(function, fullgraph=True, backend="aot_eager")
    torch_ops.assert_all_equal(compiled(x), function(x))


def test_exported_program_keeps_the_ops() -> None:
    class Module(torch.nn.Module):
        def forward(self, x: Any, labels: Any) -> tuple[Any, ...]:
            return model(x, labels)

    x = torch.randn(1, 3, 20, 25)
    labels = torch.arange(500).reshape(1, 20, 25) % 20
    program = torch.export.export(Module(), (x, labels))
    targets = {str(node.target) for node in program.graph.nodes}
    assert "superpix.soft_slic.default" in targets
    torch_ops.assert_all_equal(program.module()(x, labels), model(x, labels))
