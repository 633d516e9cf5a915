"""The ops in plain PyTorch, for derivatives beyond the first and for tests to compare with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor


def candidates(
    height: int, width: int, grid: tuple[int, int], device: torch.device
) -> tuple[Tensor, Tensor]:
    """Return the superpixels [9, H * W] that pixels may belong to, and which of them exist."""
    rows, columns = grid
    row = (torch.arange(height, device=device) * rows // height)[:, None].expand(height, width)
    column = (torch.arange(width, device=device) * columns // width)[None].expand(height, width)
    indices, exist = [], []
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            r, c = row + dy, column + dx
            inside = (r >= 0) & (r < rows) & (c >= 0) & (c < columns)
            indices.append(torch.where(inside, r * columns + c, 0).flatten())
            exist.append(inside.flatten())
    return torch.stack(indices), torch.stack(exist)


def soft_slic(
    features: Tensor,
    grid: tuple[int, int],
    num_iter: int = 10,
    temperature: float = 1.0,
    initial_centers: Tensor | None = None,
    grad_iter: int = 0,
) -> tuple[Tensor, Tensor]:
    """Return association [B, 9, H, W] and centers [B, C, K] of features [B, C, H, W]."""
    batch, channels, height, width = features.shape
    k = grid[0] * grid[1]
    index, exist = candidates(height, width, grid, features.device)
    pixels = features.flatten(2)
    if initial_centers is None:
        count = torch.bincount(index[4], minlength=k)
        zeros = features.new_zeros(batch, channels, k)
        centers = zeros.index_add(2, index[4], pixels) / count
    else:
        centers = initial_centers
    association = features.new_zeros(batch, 9, height * width)
    for t in range(num_iter):
        if t > 0 and grad_iter == num_iter - t:
            centers = centers.detach()
        distances = torch.stack(
            [((pixels - centers[:, :, index[j]]) ** 2).sum(dim=1) for j in range(9)], dim=1
        )
        scores = (-distances / temperature).masked_fill(~exist, -torch.inf)
        association = torch.softmax(scores, dim=1)
        sums = features.new_zeros(batch, channels, k)
        weights = features.new_zeros(batch, 1, k)
        for j in range(9):
            share = association[:, j : j + 1]
            sums = sums.index_add(2, index[j], share * pixels)
            weights = weights.index_add(2, index[j], share)
        kept = weights < 1e-3
        centers = torch.where(kept, centers, sums / torch.where(kept, 1.0, weights))
    return association.view(batch, 9, height, width), centers


def soft_pool(
    values: Tensor, association: Tensor, grid: tuple[int, int], eps: float = 1e-12
) -> Tensor:
    """Return the means [B, D, K] over superpixels of values [B, D, H, W]."""
    height, width = values.shape[2:]
    index, exist = candidates(height, width, grid, values.device)
    pixels, shares = values.flatten(2), association.flatten(2).masked_fill(~exist, 0.0)
    sums = values.new_zeros(*values.shape[:2], grid[0] * grid[1])
    weights = values.new_zeros(values.shape[0], 1, grid[0] * grid[1])
    for j in range(9):
        share = shares[:, j : j + 1]
        sums = sums.index_add(2, index[j], share * pixels)
        weights = weights.index_add(2, index[j], share)
    return sums / (weights + eps)


def soft_unpool(
    centers: Tensor, association: Tensor, grid: tuple[int, int], normalize: bool = True
) -> Tensor:
    """Return the means [B, D, H, W] over superpixels of each pixel, of centers [B, D, K]."""
    height, width = association.shape[2:]
    index, exist = candidates(height, width, grid, centers.device)
    shares = association.flatten(2).masked_fill(~exist, 0.0)
    if normalize:
        total = shares.sum(dim=1, keepdim=True)
        empty = total == 0
        shares = torch.where(empty, 0.0, shares / torch.where(empty, 1.0, total))
    out = shares[:, :1] * centers[:, :, index[0]]
    for j in range(1, 9):
        out = out + shares[:, j : j + 1] * centers[:, :, index[j]]
    return out.view(*out.shape[:2], height, width)


def second_backward(
    function: Callable[..., tuple[Tensor, ...]],
    inputs: Sequence[Tensor | None],
    grad_outputs: Sequence[Tensor | None],
    cotangents: Sequence[Tensor],
) -> list[Tensor | None]:
    """Differentiate the gradient of a function: what its inputs and grad_outputs get.

    ``cotangents`` are the gradients of the gradients of the inputs. What is None is left out, and
    gets None.
    """
    arguments = [*inputs, *grad_outputs]
    given = [i for i, argument in enumerate(arguments) if argument is not None]

    def gradient(*present: Tensor) -> tuple[Tensor, ...]:
        filled: list[Any] = [None] * len(arguments)
        for i, argument in zip(given, present, strict=True):
            filled[i] = argument
        own, from_outside = filled[: len(inputs)], filled[len(inputs) :]

        def of_present(*own_present: Tensor) -> tuple[Tensor, ...]:
            rest = iter(own_present)
            return function(*[None if x is None else next(rest) for x in own])

        outputs, *_, pullback = torch.func.vjp(of_present, *[x for x in own if x is not None])
        grads: tuple[Tensor, ...] = pullback(
            tuple(
                torch.zeros_like(output) if grad is None else grad
                for output, grad in zip(outputs, from_outside, strict=True)
            )
        )
        return grads

    *_, pullback = torch.func.vjp(gradient, *[arguments[i] for i in given])
    wanted = [c for c, x in zip(cotangents, inputs, strict=True) if x is not None]
    result: list[Tensor | None] = [None] * len(arguments)
    for i, grad in zip(given, pullback(tuple(wanted)), strict=True):
        result[i] = grad
    return result
