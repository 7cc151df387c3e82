"""Gradual pruning on a schedule, by magnitude."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Unpack

import torch
from torch import nn

from theory_lab.core import UsageError
from theory_lab.networks.prunable import check_choice, is_count
from theory_lab.networks.pruners.scored import Options, ScoredPruner
from theory_lab.numerics import schedules

SCHEDULES: dict[str, Callable[[float, float], float]] = {
    "cubic": schedules.cubic,
    "exponential": schedules.exponential_density,
}
RAMP = 0.9
"""The share of the training after which the target is met, unless `end` says otherwise."""


class GradualMagnitude(ScoredPruner):
    """Gradual magnitude pruning: the weights of least magnitude go, and do not come back.

    Sparsity rises from 0 after iteration `begin` to the target after iteration `end` (90 % of
    `steps`). The masks change after iterations begin + every, begin + 2 every, ..., and after `end`.
    `schedule`: "cubic" (arXiv:1710.01878) or "exponential" (in density). `allocation`: "global",
    or a quota, "uniform", "uniform+", "ERK" or "IGQ", inside which each layer is ranked by itself.
    `skip` names weights or layers left dense, which do not count. `effective`: see `ScoredPruner`.
    """

    schedules: ClassVar[tuple[str, ...]] = tuple(SCHEDULES)

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        sparsity: float,
        steps: int,
        schedule: str = "cubic",
        begin: int = 0,
        end: int | None = None,
        every: int = 100,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(model, optimizer, sparsity=sparsity, steps=steps, **options)
        self.begin, self.every = begin, every
        self.end = max(begin + 1, int(RAMP * steps)) if end is None else end
        is_whole = is_count(self.end) and (begin == 0 or is_count(begin))
        if not (is_whole and self.begin < self.end <= steps):
            raise UsageError(
                f"Pruning from iteration {self.begin} to {self.end} does not fit into a training of"
                f" {steps}: it takes whole numbers with 0 <= begin < end <= steps."
            )
        if not is_count(every):
            raise UsageError(
                f"every is {every!r}, but masks change every 1 or more iterations, a whole number."
            )
        self.schedule = check_choice("schedule", schedule, self.schedules)

    def is_due(self, step: int) -> bool:
        """Whether the masks change after iteration number `step`."""
        since = step - self.begin
        return since > 0 and step <= self.end and (since % self.every == 0 or step == self.end)

    def scheduled(self, step: int) -> float:
        """The sparsity after the update of iteration number `step`."""
        if step >= self.end:
            return self.target
        progress = (step - self.begin) / (self.end - self.begin)
        return SCHEDULES[self.schedule](progress, self.target)

    def update(self) -> None:
        if self.is_due(self.step):
            self.prune_to(self.scheduled(self.step), self.magnitudes())
