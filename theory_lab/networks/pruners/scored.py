"""Pruners that keep the weights with the largest scores, at a direct or an effective sparsity."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypedDict

import torch
from torch import Tensor, nn

from theory_lab.core import UsageError
from theory_lab.networks.prunable import check_choice, check_sparsity
from theory_lab.networks.pruners.allocation import ALLOCATIONS, layer_counts
from theory_lab.networks.pruners.base import Batches, Pruner
from theory_lab.networks.pruners.batches import example_of
from theory_lab.networks.pruners.connectivity import Connectivity
from theory_lab.networks.selection import (
    check_count,
    keep_largest,
    keep_largest_each,
    places_of_removal,
)
from theory_lab.numerics import paths


class Options(TypedDict, total=False):
    """What every pruner that scores weights takes; see `ScoredPruner`."""

    allocation: str
    effective: bool
    batches: Batches | None
    skip: Collection[str]


class ScoredPruner(Pruner):
    """Keeps the largest scores: over all layers (`allocation="global"`) or as a quota leaves them.

    With `effective=True` the target is the effective sparsity: weights on no path from an input to
    an output count as pruned, and as many weights are pruned, in the order of the scores, as keep
    it at most at the target; one more would exceed it. `batches` then shows what an input is.
    """

    target: float

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        sparsity: float,
        steps: int,
        allocation: str = "global",
        effective: bool = False,
        batches: Batches | None = None,
        skip: Collection[str] = (),
    ) -> None:
        super().__init__(
            model, optimizer, sparsity=check_sparsity(sparsity), steps=steps, skip=skip
        )
        self.allocation = check_choice("allocation", allocation, ALLOCATIONS)
        self.batches = batches
        self._is_at_target = False
        names = [weight.name for weight in self.weights]
        self._connectivity = Connectivity(model, example_of(batches), names) if effective else None
        if not effective:  # what cannot be met is said now, not at the end of the training
            self._counts(round(sparsity * self.size))

    def select(self, scores: Sequence[Tensor], sparsity: float) -> list[Tensor]:
        """The masks, in the order of `weights`, that `scores` give at this sparsity."""
        removed = round(sparsity * self.size)
        if self._connectivity is not None:
            removed = self._effective_prefix(self._connectivity, scores, removed)
        return self.without(scores, removed)

    def prune_to(self, sparsity: float, scores: Sequence[Tensor]) -> None:
        """Hold the masks that `scores` give at this sparsity."""
        self.set_masks(self.select(scores, sparsity))
        self._is_at_target = sparsity == self.target

    def magnitudes(self) -> list[Tensor]:
        """|w| of what is kept; -1 where a weight is pruned, so that it stays pruned."""
        kept = self.masks()
        return [
            weight.parameter.detach().abs().masked_fill_(~kept[weight.name], -1.0)
            for weight in self.weights
        ]

    def reached(self) -> bool:
        """A direct target is counted; an effective one is reached by the selection for it."""
        return super().reached() if self._connectivity is None else self._is_at_target

    def without(self, scores: Sequence[Tensor], removed: int) -> list[Tensor]:
        """Masks of all weights but the `removed` with the lowest scores, allocated to the layers."""
        counts = self._counts(removed)
        if self.allocation == "global":
            return keep_largest(scores, counts[0])
        return keep_largest_each(scores, counts)

    def _counts(self, removed: int) -> list[int]:
        """How many weights are kept: of all together, or of each layer."""
        kept = self.size - removed
        if self.allocation == "global":
            return [check_count(kept, self.size, len(self.weights))]
        shapes = [tuple(weight.parameter.shape) for weight in self.weights]
        left = [int(mask.sum()) for mask in self.masks().values()]
        return layer_counts(shapes, self.allocation, kept, left)

    def _effective_prefix(
        self, connectivity: Connectivity, scores: Sequence[Tensor], inactive: int
    ) -> int:
        """The most weights removed, lowest scores first, with at most `inactive` on no path."""
        places = self._places(scores)

        def found(removed: int) -> float:
            try:
                counts = self._counts(removed)
            except UsageError:  # more than the quota, or one weight a layer, can spare
                return math.inf
            if self.allocation == "global":
                masks = [place >= removed for place in places]
            else:
                pairs = zip(places, counts, strict=True)
                masks = [place >= place.numel() - count for place, count in pairs]
            return self.size - connectivity.active_count(masks)

        return paths.largest_prefix(found, self.size, inactive)

    def _places(self, scores: Sequence[Tensor]) -> list[Tensor]:
        """Where weights stand in the order of removal, of all of them or of their layer."""
        if self.allocation == "global":
            return places_of_removal(scores)
        return [places_of_removal([score])[0] for score in scores]

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"is_at_target": self._is_at_target}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self._is_at_target = state["is_at_target"]
