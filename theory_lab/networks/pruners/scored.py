"""Pruners that keep the weights with the largest scores, at a direct or an effective sparsity."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Unpack

import torch
from torch import Tensor, nn

from theory_lab.networks.prunable import check_choice
from theory_lab.networks.pruners.allocation import ALLOCATIONS, layer_counts
from theory_lab.networks.pruners.connectivity import Connectivity
from theory_lab.networks.pruners.targeted import EffectiveOptions, TargetedPruner
from theory_lab.networks.selection import (
    check_count,
    keep_largest,
    keep_largest_each,
    places_of_removal,
)


class Options(EffectiveOptions, total=False):
    """What every pruner that scores weights takes; see `ScoredPruner`."""

    allocation: str
    skip: Collection[str]


class ScoredPruner(TargetedPruner):
    """Keeps the largest scores: over all layers (`allocation="global"`) or as a quota leaves them.

    `effective`, `batches`: see `TargetedPruner`.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        sparsity: float,
        steps: int,
        allocation: str = "global",
        skip: Collection[str] = (),
        **options: Unpack[EffectiveOptions],
    ) -> None:
        super().__init__(model, optimizer, sparsity=sparsity, steps=steps, skip=skip, **options)
        self.allocation = check_choice("allocation", allocation, ALLOCATIONS)
        if not self.effective:  # what cannot be met is said now, not at the end of the training
            self._counts(round(sparsity * self.size))

    def select(self, scores: Sequence[Tensor], sparsity: float) -> list[Tensor]:
        """The masks, in the order of `weights`, that `scores` give at this sparsity."""
        removed = round(sparsity * self.size)
        if self._connectivity is not None:
            removed = self._longest_prefix(self._connectivity, scores, removed)
        return self.without(scores, removed)

    def prune_to(self, sparsity: float, scores: Sequence[Tensor]) -> None:
        """Hold the masks that `scores` give at this sparsity."""
        self.prune_with(self.select(scores, sparsity), sparsity)

    def magnitudes(self) -> list[Tensor]:
        """|w| of what is kept; -1 where a weight is pruned, so that it stays pruned."""
        kept = self.masks()
        return [
            weight.parameter.detach().abs().masked_fill_(~kept[weight.name], -1.0)
            for weight in self.weights
        ]

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
        if kept > sum(left):  # an effective target that swaps overshot: weights come back
            left = [mask.numel() for mask in self.masks().values()]
        return layer_counts(shapes, self.allocation, kept, left)

    def _longest_prefix(
        self, connectivity: Connectivity, scores: Sequence[Tensor], inactive: int
    ) -> int:
        """The most weights removed, lowest scores first, with at most `inactive` on no path."""
        places = self._places(scores)

        def without(removed: int) -> list[Tensor]:
            counts = self._counts(removed)
            if self.allocation == "global":
                return [place >= removed for place in places]
            pairs = zip(places, counts, strict=True)
            return [place >= place.numel() - count for place, count in pairs]

        return connectivity.longest_prefix(without, self.size, inactive)

    def _places(self, scores: Sequence[Tensor]) -> list[Tensor]:
        """Where weights stand in the order of removal, of all of them or of their layer."""
        if self.allocation == "global":
            return places_of_removal(scores)
        return [places_of_removal([score])[0] for score in scores]
