"""ACDC: training that alternates between compressed and decompressed. Source: arXiv:2106.12379."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import torch
from torch import nn

from theory_lab.networks.pruners.blockwise import Allocation, BlockOptions
from theory_lab.networks.pruners.parametrisations import BlockMask
from theory_lab.networks.pruners.phased import PhasedPruner
from theory_lab.networks.pruners.phases import ALTERNATING, Kind, phases_of


class ACDC(PhasedPruner):
    """Sparse and dense phases in turn; the blocks of largest Frobenius norm are kept.

    `schedule`: "imagenet" (10 % dense; 7 times 5 % sparse, 5 % dense, the last dense 10 %; 15 %
    sparse), "criteo" (20 % dense; 10 times 3 % sparse, 3 % dense; 20 % sparse), or (kind, share)
    pairs; (("dense", .85), ("sparse", .15)) is one-shot magnitude pruning with fine-tuning.
    `zeroing`: pruned weights become zero and grow again from there (as on images); otherwise they
    are masked, keep their values, and come back with them (as on click data). A weight decay of the
    optimiser acts on masked weights too. `skip`, `min_blocks`, `effective`, `batches`: see
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
        schedule: str | Sequence[tuple[Kind, float]] = "imagenet",
        zeroing: bool = True,
        allocation: Allocation = "uniform",
        reset_optimizer: bool = True,
        **options: Unpack[BlockOptions],
    ) -> None:
        super().__init__(
            model, optimizer, sparsity=sparsity, steps=steps, block=block, allocation=allocation,
            reset_optimizer=reset_optimizer, phases=phases_of(schedule, ALTERNATING), **options,
        )  # fmt: skip
        if not zeroing:
            pairs = zip(self.blocks, self.weights, strict=True)
            self.hold([BlockMask(blocks, weight.parameter) for blocks, weight in pairs])
