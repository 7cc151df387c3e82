"""Weights as functions of what the optimiser steps (`torch.nn.utils.parametrize`)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from theory_lab.core import UsageError
from theory_lab.networks.blocks import Blocks
from theory_lab.networks.prunable import Prunable


class BlockAttention(nn.Module):
    """W -> W * A * mask, one A and one mask entry a block: A = N softmax(logits), mean 1, clipped.

    `logits`, `mask`: (block rows, block columns), N entries. A lies in [density, 1 / density].
    """

    mask: Tensor

    def __init__(self, blocks: Blocks, density: float, like: Tensor) -> None:
        super().__init__()
        self.blocks, self.density = blocks, density
        self.logits = nn.Parameter(torch.zeros(blocks.grid, dtype=like.dtype, device=like.device))
        self.register_buffer("mask", torch.ones_like(self.logits, dtype=torch.bool))

    def attention(self) -> Tensor:
        """The clipped A, also of masked blocks."""
        shares = self.logits.reshape(-1).softmax(0).reshape(self.blocks.grid)
        return (self.blocks.count * shares).clamp(self.density, 1 / self.density)

    def forward(self, weight: Tensor) -> Tensor:
        return weight * self.blocks.expand(self.attention().masked_fill(~self.mask, 0.0))


class BlockMask(nn.Module):
    """W -> W where its block's entry of the mask is true, 0 elsewhere; W itself stays as it is."""

    mask: Tensor

    def __init__(self, blocks: Blocks, like: Tensor) -> None:
        super().__init__()
        self.blocks = blocks
        mask = torch.ones(blocks.grid, dtype=torch.bool, device=like.device)
        self.register_buffer("mask", mask)

    def forward(self, weight: Tensor) -> Tensor:
        return weight.masked_fill(~self.blocks.expand(self.mask), 0.0)


class BlockPower(nn.Module):
    """u -> W with W_b = |u_b|_F u_b for each block; blocks of one entry: |u| u.

    The root is that of |u_b|^2 + 1e-24, as sqrt has no slope at 0: a zero block has gradient 0.
    """

    SMALL = 1e-24

    def __init__(self, blocks: Blocks) -> None:
        super().__init__()
        self.blocks = blocks

    def forward(self, u: Tensor) -> Tensor:
        if self.blocks.size == (1, 1):
            return u * u.abs()
        return u * self.blocks.expand((self.blocks.squared_norms(u) + self.SMALL).sqrt())

    def right_inverse(self, weight: Tensor) -> Tensor:
        """u_b = W_b / sqrt(|W_b|_F), so that training starts from the same effective weights; 0
        where |W_b|^2 underflows."""
        norms = self.blocks.squared_norms(weight).sqrt()
        return weight / self.blocks.expand(norms.sqrt().masked_fill(norms == 0, torch.inf))


def attach(weight: Prunable, parametrisation: nn.Module) -> None:
    """Put the weight under a parametrisation; the optimiser keeps its parameter."""
    if parametrize.is_parametrized(weight.layer, "weight"):
        raise UsageError(
            f"{weight.name} is under a parametrisation already; finish() the pruner that made it."
        )
    parametrize.register_parametrization(weight.layer, "weight", parametrisation)


def bake(weight: Prunable) -> None:
    """Make the effective weight the plain one, in the optimiser's own parameter."""
    if parametrize.is_parametrized(weight.layer, "weight"):
        parametrize.remove_parametrizations(weight.layer, "weight", leave_parametrized=True)
