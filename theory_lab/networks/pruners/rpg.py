"""Rank-based pruning with drop and growth (RPG). Source: arXiv:2311.17493, its authors' code."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import torch
from torch import Tensor, nn

from theory_lab.core import UsageError
from theory_lab.networks.prunable import Prunable, check_choice
from theory_lab.networks.pruners.magnitude import RAMP, GradualMagnitude
from theory_lab.networks.pruners.rank_term import mean_rank_loss
from theory_lab.networks.pruners.scored import Options
from theory_lab.networks.selection import keep_largest
from theory_lab.numerics import schedules

MODES = ("growth_only", "every_step")
GROWTHS = ("gradient", "random")
AUTHORS = "authors"
"""The schedule of the authors' code: density D^(u/U) at update u = 0, 1, ..., U the updates of the
first 90 % of the training, mask updates until 90.1 %. It may end before the target is met."""
AUTHORS_END = 0.901


class RPG(GradualMagnitude):
    """Gradual magnitude pruning that, at each update, also swaps weights in each layer.

    At an update the weights of largest |w| over all layers are kept at the scheduled sparsity. Then
    each layer drops the share `swap` (1 + cos(pi step / end)) / 2 of what it kept, its smallest |w|,
    and grows as many of all that it does not hold, those of largest |dense gradient|; the optimiser
    skips this step. What grows back in the update that drops it keeps its value, the rest starts at
    0. The gradient is that of task loss + `strength` * mean rank loss: `mode="growth_only"` adds the
    rank loss at the updates alone, as the authors do, so that it acts through growth only;
    "every_step" trains with it. `energy`: the share of each matrix's energy that is its tail, which
    the rank loss raises (`mean_rank_loss`).

    `linear` includes linear layers in the rank loss; the authors prune them without. `strength=0` is
    RigL's growth, `growth="random"` SET's (drawn from `seed`), `swap=0` gradual magnitude pruning.
    `schedule`: "exponential" (in density) and "cubic" meet the target at `end`, "authors" is theirs.
    """

    schedules = (*GradualMagnitude.schedules, AUTHORS)

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        sparsity: float,
        steps: int,
        mode: str = "growth_only",
        strength: float = 0.5,
        energy: float = 0.1,
        swap: float = 0.3,
        growth: str = "gradient",
        linear: bool = False,
        schedule: str = "exponential",
        begin: int = 0,
        end: int | None = None,
        every: int = 100,
        seed: int = 0,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(
            model, optimizer, sparsity=sparsity, steps=steps, schedule=schedule, begin=begin,
            end=end, every=every, **options,
        )  # fmt: skip
        if schedule == AUTHORS:
            self._follow_authors(begin, end)
        self.mode = check_choice("mode", mode, MODES)
        self.growth = check_choice("growth", growth, GROWTHS)
        self.energy, self.swap = _share("energy", energy), _share("swap", swap)
        if not 0 <= strength < math.inf:
            raise UsageError(f"strength is {strength!r}, but it must be finite and at least 0.")
        self.strength = strength
        self._ranked = [w for w in self.weights if linear or w.is_convolution]
        self._generator = torch.Generator().manual_seed(seed)
        self._gains: list[Tensor] | None = None

    def loss_term(self) -> Tensor | float:
        grows = self.growth == "gradient" and self._swaps(self.step + 1)
        needed = self.mode == "every_step" or grows
        if not (needed and self.strength and self._ranked):
            return 0.0
        weights = [weight.parameter for weight in self._ranked]
        return self.strength * mean_rank_loss(weights, self.energy)

    def after_backward(self) -> bool:
        swaps = self._swaps(self.step + 1)
        if swaps:  # now: the gradients are still dense
            self._gains = [self._gain(weight) for weight in self.weights]
        super().after_backward()
        return not swaps

    def select(self, scores: Sequence[Tensor], sparsity: float) -> list[Tensor]:
        """The masks that `scores` give at this sparsity, with the swaps of this iteration."""
        masks = super().select(scores, sparsity)
        return self._swapped(masks) if self._swaps(self.step) else masks

    def is_due(self, step: int) -> bool:
        if self.schedule != AUTHORS:
            return super().is_due(step)
        return step % self.every == 0 and step < self.end

    def scheduled(self, step: int) -> float:
        if self.schedule != AUTHORS:
            return super().scheduled(step)
        update, updates = step // self.every - 1, int(RAMP * self.steps) // self.every
        if update >= updates:
            return self.target
        return schedules.exponential_density(update / updates, self.target)

    def _follow_authors(self, begin: int, end: int | None) -> None:
        if begin != 0 or end is not None:
            raise UsageError("The authors' schedule sets begin and end itself; leave them out.")
        if self._connectivity is not None:
            raise UsageError(
                "The authors' schedule may miss its target, and swaps at its last update; for an"
                ' effective target take schedule="exponential".'
            )
        self.end = int(AUTHORS_END * self.steps)
        if self.end <= self.every:
            raise UsageError(
                f"The authors' schedule has no update before iteration {self.end}; make every, now"
                f" {self.every}, smaller."
            )

    def _swaps(self, step: int) -> bool:
        return self.swap > 0 and self.is_due(step)

    def _gain(self, weight: Prunable) -> Tensor:
        """What ranks a weight that is not held: |dense gradient|, or nothing but chance."""
        shape, device = weight.parameter.shape, weight.parameter.device
        if self.growth == "random":
            return torch.rand(shape, generator=self._generator).to(device)
        gradient = weight.parameter.grad
        return torch.zeros(shape, device=device) if gradient is None else gradient.abs()

    @torch.no_grad()
    def _swapped(self, masks: list[Tensor]) -> list[Tensor]:
        """Per layer: without the smallest |w|, with as many of the largest gain."""
        if self._gains is None:
            raise UsageError("RPG grows by gradients: call after_backward() before after_step().")
        share = 0.5 * self.swap * (1 + math.cos(math.pi * self.step / self.end))
        gains, self._gains = self._gains, None
        swapped = []
        for weight, mask, gain in zip(self.weights, masks, gains, strict=True):
            weight.parameter.masked_fill_(~mask, 0.0)
            count = int(mask.sum())
            swapped.append(_swap(weight.parameter, mask, gain, count, int(share * count)))
        return swapped

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"generator": self._generator.get_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self._generator.set_state(state["generator"].cpu())


def _swap(weight: Tensor, mask: Tensor, gain: Tensor, count: int, swaps: int) -> Tensor:
    """A mask of `count` weights, `swaps` of them by gain and the others by magnitude."""
    if swaps == 0:
        return mask
    magnitude = weight.abs().masked_fill_(~mask, -1.0)
    held = keep_largest([magnitude], count - swaps)[0]
    grown = keep_largest([gain.masked_fill(held, -torch.inf)], swaps)[0]
    return held | grown


def _share(name: str, value: float) -> float:
    if not 0 <= value < 1:
        raise UsageError(f"{name} is {value!r}, but it must be at least 0 and less than 1.")
    return value
