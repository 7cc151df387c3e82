"""Powerpropagation of blocks, and then pruning by magnitude.

Sources: arXiv:2110.00296 (powerpropagation, alpha = 2), arXiv:2402.17902 (its form for blocks).
"""

from __future__ import annotations

from typing import Unpack

import torch
from torch import nn

from theory_lab.core import UsageError
from theory_lab.networks.prunable import is_count
from theory_lab.networks.pruners.base import clear_optimizer_state
from theory_lab.networks.pruners.blockwise import Allocation, BlockOptions, BlockPruner
from theory_lab.networks.pruners.parametrisations import BlockPower, attach, bake
from theory_lab.numerics.schedules import cubic


class PowerPropagation(BlockPruner):
    """W_b = |u_b|_F u_b for each block; the blocks of largest Frobenius norm are kept.

    With weight decay on u this is group LASSO in W. The effective weights start as they are. At the
    share `begin` of the iterations the target is reached at once and the rest is fine-tuning; with
    `end`, the sparsity grows from `begin` to `end` (`numerics.schedules.cubic`) every `every`
    iterations. A pruned block is zero for good. What the optimiser remembers is cleared where one
    shot prunes, if `reset_optimizer`. `skip`, `min_blocks`, `effective`, `batches`: see
    `BlockPruner`.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        sparsity: float,
        steps: int,
        block: int | tuple[int, int] = 1,
        begin: float = 0.85,
        end: float | None = None,
        every: int = 100,
        allocation: Allocation = "uniform",
        reset_optimizer: bool = True,
        **options: Unpack[BlockOptions],
    ) -> None:
        super().__init__(
            model, optimizer, sparsity=sparsity, steps=steps, block=block, allocation=allocation,
            **options,
        )  # fmt: skip
        end = begin if end is None else end
        if not (0 <= begin <= end <= 1 and is_count(every)):
            raise UsageError(
                f"Pruning goes from {begin!r} to {end!r} of the training, every {every!r} steps;"
                " it must be 0 <= begin <= end <= 1, and every >= 1 a whole number."
            )
        self.begin, self.end = max(1, round(begin * steps)), max(1, round(end * steps))
        self.every, self.reset_optimizer = every, reset_optimizer
        for weight, blocks in zip(self.weights, self.blocks, strict=True):
            attach(weight, BlockPower(blocks))

    def update(self) -> None:
        """Prune at once at `begin`, or at each `every`-th iteration from there to `end`."""
        if self.step == self.end:
            self.select(self.target)
            if self.begin == self.end and self.reset_optimizer:
                clear_optimizer_state(self.optimizer)
        elif self.begin < self.step < self.end and (self.step - self.begin) % self.every == 0:
            progress = (self.step - self.begin) / (self.end - self.begin)
            self.select(cubic(progress, self.target))

    @torch.no_grad()
    def finish(self) -> None:
        for weight in self.weights:
            bake(weight)
        super().finish()
