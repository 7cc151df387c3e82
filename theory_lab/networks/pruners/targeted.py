"""Pruners with a target sparsity, direct or effective."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, TypedDict

import torch
from torch import Tensor, nn

from theory_lab.networks.prunable import check_sparsity
from theory_lab.networks.pruners.base import Batches, Pruner
from theory_lab.networks.pruners.batches import example_of
from theory_lab.networks.pruners.connectivity import Connectivity


class EffectiveOptions(TypedDict, total=False):
    """What makes a target an effective one; see `TargetedPruner`."""

    effective: bool
    batches: Batches | None


class TargetedPruner(Pruner):
    """A pruner whose target is the share of pruned weights or, with `effective=True`, of those that
    are pruned or lie on no path from an input to an output.

    For an effective sparsity as many weights (or blocks) are pruned, in the order of the method's
    scores, as keep it at most there; one more would exceed it. This goes for what a schedule asks
    on the way to the target as well. `batches` then shows what an input is. The weights of `skip`
    are all kept and do not count.
    """

    target: float

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        sparsity: float,
        steps: int,
        effective: bool = False,
        batches: Batches | None = None,
        skip: Collection[str] = (),
    ) -> None:
        super().__init__(
            model, optimizer, sparsity=check_sparsity(sparsity), steps=steps, skip=skip
        )
        self.effective, self.batches = effective, batches
        self._is_at_target = False
        names = [weight.name for weight in self.weights]
        self._connectivity = Connectivity(model, example_of(batches), names) if effective else None

    def prune_with(self, masks: Iterable[Tensor], sparsity: float) -> None:
        """Hold these masks, those of this sparsity."""
        self.set_masks(masks)
        self._is_at_target = sparsity == self.target

    def reached(self) -> bool:
        """A direct target is counted; an effective one is reached by the selection for it."""
        return super().reached() if self._connectivity is None else self._is_at_target

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"is_at_target": self._is_at_target}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self._is_at_target = state["is_at_target"]
