"""A block pruner that goes through dense, sparsification and sparse phases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from theory_lab.core import UsageError
from theory_lab.networks.prunable import is_count
from theory_lab.networks.pruners.base import clear_optimizer_state
from theory_lab.networks.pruners.blockwise import BlockPruner
from theory_lab.networks.pruners.parametrisations import (
    BlockAttention,
    BlockMask,
    attach,
    bake,
)
from theory_lab.networks.pruners.phases import Phases, Timetable
from theory_lab.numerics.schedules import saturating


class PhasedPruner(BlockPruner):
    """All blocks in dense phases, the best ones at the target sparsity in sparse phases.

    In a sparsification phase the blocks are pruned one after the other: the sparsity grows as
    s (1 - e^(-rate t)) / (1 - e^(-rate)) with t from 0 to 1 (`numerics.schedules.saturating`), in at
    most `updates` updates, and what was pruned stays so to the end of the next sparse phase. What
    the optimiser remembers is cleared at each change of phase, if `reset_optimizer`.
    """

    def __init__(
        self,
        *arguments: Any,
        phases: Phases,
        rate: float = 4.0,
        updates: int = 50,
        reset_optimizer: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(*arguments, **options)
        if not (rate > 0 and is_count(updates)):
            raise UsageError(
                f"rate is {rate!r} and updates {updates!r}, but it must be rate > 0, updates >= 1"
                " and whole."
            )
        self.timetable = Timetable(phases, self.steps)
        self.rate, self.updates, self.reset_optimizer = rate, updates, reset_optimizer
        self.held: Sequence[BlockAttention | BlockMask] = ()

    def hold(self, parametrisations: Sequence[BlockAttention | BlockMask]) -> None:
        """Let these mask the weights, which then keep their values under the mask."""
        for weight, parametrisation in zip(self.weights, parametrisations, strict=True):
            attach(weight, parametrisation)
        self.held = parametrisations

    @property
    def phase(self) -> str:
        """The kind of the phase that the coming iteration belongs to."""
        return self.timetable.phases[self.timetable.index(self.step)].kind

    def update(self) -> None:
        """Change the phase or the number of blocks, where it is due."""
        if self.timetable.index(self.step) != self.timetable.index(self.step - 1):
            self._enter()
        elif self.phase == "sparsification":
            self._sparsify()

    def _enter(self) -> None:
        if self.phase == "dense":
            self.restore()
        elif self.phase == "sparse":
            self.select(self.target)
        if self.reset_optimizer:
            clear_optimizer_state(self.optimizer)

    def _sparsify(self) -> None:
        done = self.timetable.since_begin(self.step)
        length = self.timetable.length(self.timetable.index(self.step))
        if done % -(-length // self.updates) == 0:
            self.select(saturating(done / length, self.target, self.rate))

    # --- masks that a parametrisation holds -----------------------------------------------------

    def set_masks(self, masks: Iterable[Tensor]) -> None:
        super().set_masks(masks)
        self._hand_over()

    def apply_masks(self) -> None:
        if not self.held:
            super().apply_masks()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self._hand_over()

    @torch.no_grad()
    def finish(self) -> None:
        for weight in self.weights if self.held else ():
            bake(weight)
        self.held = ()
        super().finish()

    @torch.no_grad()
    def _hand_over(self) -> None:
        for held, mask in zip(self.held, self.block_masks(), strict=False):
            held.mask.copy_(mask)
