"""Pruning once, by a score of each weight, then holding the mask: magnitude, LAMP, random."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Unpack

import torch
from torch import Tensor, nn

from theory_lab.core import UsageError
from theory_lab.networks.prunable import is_count
from theory_lab.networks.pruners.scored import Options, ScoredPruner
from theory_lab.networks.selection import flatten, keep_largest, split_like
from theory_lab.numerics.schedules import exponential_density

Scorer = Callable[[Sequence[Tensor]], list[Tensor]]
"""From masks to the worth of each weight under them."""


class OneShotPruner(ScoredPruner):
    """Prunes to the target after iteration number `at` (0: when it is made), then holds the mask.

    A method says by `saliency` how much each weight is worth. With `rounds` above 1 it is asked that
    often, each time of what the rounds before kept; density falls by the same factor each round.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        sparsity: float,
        steps: int,
        at: int = 0,
        rounds: int = 1,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(model, optimizer, sparsity=sparsity, steps=steps, **options)
        if at != 0 and not (is_count(at) and at <= steps):
            raise UsageError(
                f"at is {at!r}, but it must be a whole number from 0 to steps, {steps}."
            )
        if not is_count(rounds):
            raise UsageError(f"rounds is {rounds!r}, but it takes a whole number of at least 1.")
        self.at, self.rounds = at, rounds
        if at == 0:
            self._prune()

    def saliency(self, masks: Sequence[Tensor]) -> list[Tensor]:
        """How much each weight is worth, at least 0, in the network under `masks`."""
        raise NotImplementedError

    def scorer(self) -> Scorer:
        """`saliency`, with what all rounds have in common made once."""
        return self.saliency

    def update(self) -> None:
        if self.step == self.at:
            self._prune()

    def _prune(self) -> None:
        self.prune_to(self.target, self.order())

    @torch.no_grad()
    def order(self) -> list[Tensor]:
        """Scores that put the weights in the order of their removal.

        With several rounds these are places 1, 2, ... in that order: what an earlier round removed
        stands before all that a later one did, what is left at the target comes last.
        """
        masks = [torch.ones_like(weight.parameter, dtype=torch.bool) for weight in self.weights]
        saliency = self.scorer()
        if self.rounds == 1:
            return saliency(masks)
        places = torch.zeros(self.size, dtype=torch.float64, device=masks[0].device)
        for progress in (number / self.rounds for number in range(1, self.rounds + 1)):
            worth = flatten(saliency(masks)).masked_fill_(~flatten(masks).bool(), -1.0)
            kept = self.size - round(self.size * exponential_density(progress, self.target))
            left = keep_largest(split_like(worth, masks), kept)
            _place(places, worth, flatten(masks).bool() & ~flatten(left).bool())
            masks = left
        _place(places, worth, flatten(masks).bool())
        return split_like(places, masks)


def _place(places: Tensor, worth: Tensor, which: Tensor) -> None:
    """The next places for these weights, in place, the least worth first."""
    found = torch.nonzero(which)[:, 0]
    in_order = found[torch.argsort(worth[found], stable=True)]
    start = places.max() + 1
    places[in_order] = start + torch.arange(len(found), dtype=places.dtype, device=places.device)


class Magnitude(OneShotPruner):
    """|w|: all layers together, or inside the quota of `allocation`."""

    def saliency(self, masks: Sequence[Tensor]) -> list[Tensor]:
        return [weight.parameter.detach().abs() for weight in self.weights]


class LAMP(OneShotPruner):
    """w^2 / sum of v^2 over the weights v of the layer with |v| >= |w|; all layers together.

    Source: arXiv:2010.07611. Sums are in float64.
    """

    def saliency(self, masks: Sequence[Tensor]) -> list[Tensor]:
        return [lamp_scores(weight.parameter.detach()) for weight in self.weights]


def lamp_scores(weight: Tensor) -> Tensor:
    """LAMP scores in float64, in the shape of the weight; 0 where the weight is 0. All are NaN where
    a weight is."""
    squares = weight.to(torch.float64).square().reshape(-1)
    if squares.isnan().any():  # it has no place among the others
        return torch.full_like(weight, torch.nan, dtype=torch.float64)
    ascending = squares.sort().values
    sums = ascending.flip(0).cumsum(0).flip(0)
    larger = sums[torch.searchsorted(ascending, squares)]  # equal ones count, before it or after
    return torch.where(squares > 0, squares / larger, 0.0).reshape(weight.shape)


class Random(OneShotPruner):
    """Weights at random, drawn from `seed`, as many in each layer as the quota of `allocation`."""

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        sparsity: float,
        steps: int,
        at: int = 0,
        seed: int = 0,
        **options: Unpack[Options],
    ) -> None:
        number: object = seed
        if not isinstance(number, Integral):
            raise UsageError(f"seed is {seed!r}, but it must be a whole number.")
        self.seed = int(seed)
        options.setdefault("allocation", "uniform")
        super().__init__(model, optimizer, sparsity=sparsity, steps=steps, at=at, **options)

    def saliency(self, masks: Sequence[Tensor]) -> list[Tensor]:
        generator = torch.Generator().manual_seed(self.seed)
        return [
            torch.rand(mask.shape, generator=generator, dtype=torch.float64).to(mask.device)
            for mask in masks
        ]
