"""How ops are made known to PyTorch, and how tensors are handed to the core."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.autograd import forward_ad

from superpix import _arguments, _core

_LIBRARY = torch.library.Library("superpix", "DEF")

_DTYPE_NAMES = {
    torch.float16: "float16",
    torch.bfloat16: "bfloat16",
    torch.float32: "float32",
    torch.float64: "float64",
    torch.int32: "int32",
    torch.int64: "int64",
}
_FLOATING = (torch.float16, torch.bfloat16, torch.float32, torch.float64)

# Bytes from which on allocators ask the system for every array (glibc: always more than 32 MiB).
_LARGE = 2**25

View = tuple[int, str, tuple[int, ...]]


def define(
    schema: str,
    kernel: Callable[..., Any],
    fake: Callable[..., Any],
    batch_dims: tuple[int | None, ...],
    out_batch_dims: tuple[int, ...],
) -> Any:
    """Define an op of the namespace ``superpix`` and return it.

    ``kernel`` calls the core, on whatever device its tensors are. ``fake`` makes outputs of the
    right shapes. ``batch_dims`` tells for each argument which of its dimensions is the batch, into
    which `torch.vmap` folds its own; None for what is no tensor.
    """
    name = schema.partition("(")[0]
    _LIBRARY.define(schema, tags=(torch.Tag.pt2_compliant_tag,))
    _LIBRARY.impl(name, kernel, "CPU")
    _LIBRARY.impl(name, kernel, "CUDA")
    torch.library.register_fake(f"superpix::{name}", fake, lib=_LIBRARY)
    op = getattr(torch.ops.superpix, name).default
    torch.library.register_vmap(
        f"superpix::{name}", _folded(op, batch_dims, out_batch_dims), lib=_LIBRARY
    )
    return op


def differentiable(
    op: Any, setup_context: Callable[..., None], backward: Callable[..., Any]
) -> Callable[..., Any]:
    """Give an op a gradient, and return a way to call it that is faster where it can be.

    ``setup_context`` and ``backward`` are those of a `torch.autograd.Function`. torch.compile takes
    the op itself, whose gradient is registered; but in eager mode that costs a small call more than
    all the rest, and torch.func does not take it. A function around the op does both.
    """
    name = op.name()
    torch.library.register_autograd(name, backward, setup_context=setup_context, lib=_LIBRARY)

    def forward(ctx: Any, *args: Any) -> Any:
        with torch._C._AutoDispatchBelowAutograd():
            output = op(*args)
        setup_context(ctx, args, output)
        return output

    shown = name.partition("::")[2]
    base = (torch.autograd.Function,)
    steps = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    eager: Any = type(shown, base, steps)
    # Its arguments are bound by name in every call, which takes as long as all the rest.
    transformed: Any = type(
        shown,
        base,
        {
            **steps,
            "forward": staticmethod(op),
            "setup_context": staticmethod(setup_context),
            "generate_vmap_rule": True,
        },
    )

    def call(*args: Any) -> Any:
        if torch.compiler.is_compiling():
            return op(*args)
        if torch._C._are_functorch_transforms_active():
            return transformed.apply(*args)
        if not torch.is_grad_enabled() and forward_ad._current_level < 0:
            with torch._C._AutoDispatchBelowAutograd():
                return op(*args)
        return eager.apply(*args)  # which refuses forward mode

    return call


def view(tensor: Tensor) -> View:
    """Return what the core takes for a contiguous tensor."""
    return tensor.data_ptr(), _DTYPE_NAMES[tensor.dtype], tensor.shape


def optional_view(tensor: Tensor | None) -> View | None:
    """Return `view` of a tensor, or None."""
    return None if tensor is None else view(tensor)


def where(tensor: Tensor) -> Any:
    """Return what the core takes for where to compute: a number of threads, or a stream of CUDA.

    Workspace on CUDA is PyTorch's, of the current stream, so that nobody else gets it before the
    kernels have run, and a graph that captures them keeps it.
    """
    if not tensor.is_cuda:
        return torch.get_num_threads()
    device = tensor.device
    stream = torch.cuda.current_stream(device).cuda_stream

    def allocate(size: int) -> Tensor:
        return torch.empty(size, dtype=torch.uint8, device=device)

    return device.index, stream, allocate


def in_kept_memory(output: Tensor) -> Tensor:
    """Return a contiguous output that nothing was written to yet, with other memory if it is large.

    Large outputs lie in memory that the core keeps for the next one of the size: PyTorch would hand
    it back to the system, and new pages cost several times what is done with them here.
    """
    if output.nbytes < _LARGE or output.is_cuda:
        return output
    memory = torch.frombuffer(_core.Memory(output.nbytes), dtype=output.dtype)
    # A view of this tensor would not do: autograd lets nothing change it in place.
    return output.set_(memory.untyped_storage(), 0, output.shape, output.stride())


def contiguous(tensor: Tensor | None) -> Tensor | None:
    """Return a tensor in row-major order, or None."""
    return None if tensor is None else tensor.contiguous()


def check_floating(tensor: object, name: str, ndim: int, layout: str) -> None:
    """Raise unless ``tensor`` is one of floating point numbers with ``ndim`` dimensions."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name} must be a tensor, got {type(tensor).__name__}")
    if tensor.dtype not in _FLOATING:
        raise TypeError(f"{name} must be float16, bfloat16, float32 or float64, got {tensor.dtype}")
    if tensor.dim() != ndim:
        raise ValueError(f"{name} must be {layout}, got shape {list(tensor.shape)}")


def check_device(tensor: Tensor, name: str, other: Tensor, other_name: str) -> None:
    """Raise unless two tensors are on the same device."""
    if tensor.device != other.device:
        raise ValueError(f"{name} must be on {other.device} like {other_name}, got {tensor.device}")


def alike(tensor: Tensor, name: str, other: Tensor, other_name: str) -> tuple[Tensor, Tensor]:
    """Return two tensors if their devices and dtypes are the same.

    Under autocast, both get the wider dtype, as for PyTorch's ops of several tensors.
    """
    check_device(tensor, name, other, other_name)
    if tensor.dtype == other.dtype:
        return tensor, other
    device = tensor.device.type
    if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
        dtype = torch.promote_types(tensor.dtype, other.dtype)
        return tensor.to(dtype), other.to(dtype)
    wanted, found = _DTYPE_NAMES[other.dtype], _DTYPE_NAMES[tensor.dtype]
    raise TypeError(f"{name} must be {wanted} like {other_name}, got {found}")


def check_grid(grid: object, height: int, width: int) -> tuple[int, int]:
    """Return (rows, columns) if superpixels of as many fit the image."""
    rows, columns = sides(grid)
    if not (1 <= rows <= height and 1 <= columns <= width):
        raise ValueError(
            f"grid must have from 1 to {height} rows and from 1 to {width} columns, "
            f"got {(rows, columns)}"
        )
    return rows, columns


def sides(grid: Any) -> tuple[int, int]:
    """Return (rows, columns)."""
    try:
        rows, columns = grid
    except (TypeError, ValueError):
        raise TypeError(f"grid must be (rows, columns), got {_arguments.shown(grid)}") from None
    return integer(rows, "grid", "two ints"), integer(columns, "grid", "two ints")


def integer(value: Any, name: str, kind: str = "an int") -> int:
    """Return ``value`` as an int, or as it is if `torch` traces it; NumPy integers pass."""
    if type(value) is int:
        return value
    if isinstance(value, torch.SymInt):
        return cast(int, value)
    if not isinstance(value, int | np.integer) or isinstance(value, bool):
        raise TypeError(f"{name} must be {kind}, got {_arguments.shown(value)}")
    return operator.index(value)


def positive(value: object, name: str) -> int:
    """Return ``value`` like `integer` if it is at least 1 and the core's 32 bits can hold it."""
    n = integer(value, name)
    if n < 1:
        raise ValueError(f"{name} must be at least 1, got {n}")
    if n >= 2**31:
        raise ValueError(f"{name} must fit 32 bits, got {n}")
    return n


def number(value: Any, name: str) -> float:
    """Return ``value`` as a float, or as it is if `torch` traces it; NumPy numbers pass."""
    if type(value) is float:
        return value
    if isinstance(value, torch.SymFloat):
        return cast(float, value)
    if not isinstance(value, int | float | np.integer | np.floating) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number, got {_arguments.shown(value)}")
    return float(value)


def check_string(value: object, name: str) -> None:
    """Raise unless ``value`` is a string."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, got {_arguments.shown(value)}")


def _folded(
    op: Any, batch_dims: tuple[int | None, ...], out_batch_dims: tuple[int, ...]
) -> Callable[..., Any]:
    def rule(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> tuple[Any, Any]:
        size = info.batch_size
        folded = list(args)
        for i, (arg, in_dim, batch_dim) in enumerate(zip(args, in_dims, batch_dims, strict=True)):
            if batch_dim is None or arg is None:
                continue
            in_front = arg.expand(size, *arg.shape) if in_dim is None else arg.movedim(in_dim, 0)
            folded[i] = in_front.movedim(0, batch_dim).flatten(batch_dim, batch_dim + 1)
        outputs = op(*folded)
        if isinstance(outputs, Tensor):
            return outputs.unflatten(out_batch_dims[0], (size, -1)), out_batch_dims[0]
        unfolded = tuple(
            output.unflatten(dim, (size, -1))
            for output, dim in zip(outputs, out_batch_dims, strict=True)
        )
        return unfolded, out_batch_dims

    return rule
