"""What every differentiable op of superpix.torch must do, whatever it computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad

Function = Callable[..., Any]


def outputs_of(function: Function, tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return the outputs of a function as a list."""
    outputs = function(*tensors)
    return [outputs] if isinstance(outputs, Tensor) else list(outputs)


def loss_of(outputs: Sequence[Tensor]) -> Tensor:
    """Return a number that every element of the outputs matters to, each differently."""
    total = torch.zeros((), dtype=torch.float64)
    for output in outputs:
        weights = torch.linspace(-1, 2, output.numel(), dtype=torch.float64).sin()
        total = total + (weights * output.double().flatten()).sum()
    return total


def outputs_and_gradients(function: Function, tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return outputs of a function, and what its floating arguments get from `loss_of` them."""
    leaves = [t.detach().requires_grad_(t.is_floating_point()) for t in tensors]
    outputs = outputs_of(function, leaves)
    loss_of(outputs).backward()
    gradients = [leaf.grad for leaf in leaves if leaf.is_floating_point()]
    assert all(g is not None for g in gradients)
    return [o.detach() for o in outputs] + [g for g in gradients if g is not None]


def assert_all_equal(found: Sequence[Tensor], expected: Sequence[Tensor]) -> None:
    """Compare bits."""
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        assert torch.equal(a, b)


def assert_gradients_are_right(function: Function, *tensors: Tensor) -> None:
    """Run gradcheck and gradgradcheck with their default tolerances; tensors are float64."""
    leaves = [t.detach().requires_grad_(t.is_floating_point()) for t in tensors]
    assert torch.autograd.gradcheck(function, leaves)
    assert torch.autograd.gradgradcheck(function, leaves)


def assert_passes_opcheck(op: Any, *args: Any) -> None:
    """Run opcheck without and with gradients."""
    for requires_grad in (False, True):
        leaves = [
            a.detach().requires_grad_(requires_grad and a.is_floating_point())
            if isinstance(a, Tensor)
            else a
            for a in args
        ]
        results = torch.library.opcheck(op, leaves)
        assert set(results.values()) == {"SUCCESS"}


def assert_compiles(function: Function, *tensors: Tensor) -> None:
    """Compile without a break in the graph, for these shapes and for others of the same rank."""
    expected = outputs_and_gradients(function, tensors)
    for dynamic in (False, True):
        torch.compiler.reset()
        compiled = torch.compile(function, fullgraph=True, backend="aot_eager", dynamic=dynamic)
        assert_all_equal(outputs_and_gradients(compiled, tensors), expected)
        outputs = expected[: len(outputs_of(function, tensors))]
        assert_all_equal(outputs_of(compiled, tensors), outputs)
        with torch.no_grad():
            assert_all_equal(outputs_of(compiled, tensors), outputs)
    torch.compiler.reset()


def assert_vmaps(function: Function, *tensors: Tensor) -> None:
    """Compare with a loop: over the first of three inputs, then over the gradients of all."""
    stacked = [torch.stack([tensors[0], tensors[0].flip(-1), tensors[0] * 0.5], dim=1)]
    in_dims = (1, *[None for _ in tensors[1:]])
    arguments = [*stacked, *tensors[1:]]
    outputs = torch.func.vmap(function, in_dims)(*arguments)
    looped = [outputs_of(function, [x, *tensors[1:]]) for x in stacked[0].unbind(1)]
    found = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    assert_all_equal(found, [torch.stack(each) for each in zip(*looped, strict=True)])

    def loss(*args: Tensor) -> Tensor:
        return loss_of(outputs_of(function, args))

    gradient = torch.func.grad(loss)
    gradients = torch.func.vmap(gradient, in_dims)(*arguments)
    one_by_one = [gradient(x, *tensors[1:]) for x in stacked[0].unbind(1)]
    assert_all_equal([gradients], [torch.stack(one_by_one)])


def assert_takes_any_strides(function: Function, *tensors: Tensor) -> None:
    """Compare transposed, channels_last (images) and expanded inputs with contiguous ones."""
    expected = outputs_and_gradients(function, tensors)
    transposed = [t.transpose(-1, -2).contiguous().transpose(-1, -2) for t in tensors]
    assert not all(t.is_contiguous() for t in transposed)
    assert_all_equal(outputs_and_gradients(function, transposed), expected)
    channels_last = [
        t.contiguous(memory_format=torch.channels_last) if t.dim() == 4 else t for t in tensors
    ]
    assert_all_equal(outputs_and_gradients(function, channels_last), expected)
    expanded = [t[..., :1].expand(t.shape) for t in tensors]
    expected = outputs_and_gradients(function, [t.contiguous() for t in expanded])
    assert_all_equal(outputs_and_gradients(function, expanded), expected)


def assert_repeats_bit_for_bit(function: Function, *tensors: Tensor) -> None:
    """Compare one, two and three threads, also where torch wants deterministic algorithms."""
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        expected = outputs_and_gradients(function, tensors)
        torch.use_deterministic_algorithms(True)
        for threads in (2, 3):
            torch.set_num_threads(threads)
            assert_all_equal(outputs_and_gradients(function, tensors), expected)
    finally:
        torch.use_deterministic_algorithms(False)
        torch.set_num_threads(before)


def assert_batch_position_does_not_matter(function: Function, *tensors: Tensor) -> None:
    """Compare each image of a batch with itself alone: outputs and gradients."""
    size = len(tensors[0])

    def by_image(*batch: Tensor) -> list[Tensor]:
        outputs = outputs_of(function, batch)
        return [output[i : i + 1] for i in range(size) for output in outputs]

    found = outputs_and_gradients(by_image, tensors)
    gradients = [found.pop() for t in tensors if t.is_floating_point()][::-1]
    outputs = len(found) // size
    for i in range(size):
        alone = outputs_and_gradients(function, [t[i : i + 1] for t in tensors])
        of_image = found[i * outputs : (i + 1) * outputs] + [g[i : i + 1] for g in gradients]
        assert_all_equal(alone, of_image)


def assert_forward_mode_is_refused(function: Function, *tensors: Tensor) -> None:
    """Nothing is differentiated wrongly: an op without forward mode says so."""
    with pytest.raises(NotImplementedError, match="jvp"):
        torch.func.jvp(lambda x: function(x, *tensors[1:]), tensors[:1], tensors[:1])
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(tensors[0], tensors[0])
        for grad in (True, False):
            with torch.set_grad_enabled(grad), pytest.raises(NotImplementedError, match="jvp"):
                function(dual, *tensors[1:])
