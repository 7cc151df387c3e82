"""What is zero stays zero: for fine-tuning a pruned model."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import nn

from theory_lab.networks.pruners.base import Pruner


class FixedZeros(Pruner):
    """The prunable weights that are exactly zero at the start stay so; the others train freely."""

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        steps: int,
        skip: Collection[str] = (),
    ) -> None:
        super().__init__(model, optimizer, sparsity=None, steps=steps, skip=skip)
        self.set_masks([weight.parameter.detach() != 0 for weight in self.weights])
