"""How a network is trained: the numbers of a recipe, its learning rate, its default optimiser."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real

import torch
from torch import nn

from theory_lab.core import UsageError
from theory_lab.networks.optim import parameter_groups
from theory_lab.networks.prunable import is_count

SCHEDULES = ("one_cycle", "cosine", "milestones", "constant")


@dataclass(frozen=True)
class Recipe:
    """SGD with a schedule of the learning rate.

    Either `epochs` or `steps` says how long; `batch_size` images a step and process. `warmup` is
    the share of the steps in which the learning rate grows linearly to `lr`; then it falls
    linearly to 0 (`one_cycle`), as half a cosine to 0 (`cosine`), by the factor `decay` at each of
    the `milestones` (shares of the steps), or stays (`constant`). Weight decay spares BatchNorm and
    biases. `amp` asks for bfloat16 autocast on CUDA. `seed` is that of the order of the images and
    of their augmentation, not of the model.
    """

    epochs: int | None = None
    steps: int | None = None
    batch_size: int = 128
    lr: float = 0.1
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4
    schedule: str = "one_cycle"
    warmup: float = 0.0
    milestones: tuple[float, ...] = (0.5, 0.75)
    decay: float = 0.1
    label_smoothing: float = 0.0
    amp: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        lengths = [length for length in (self.epochs, self.steps) if length is not None]
        if len(lengths) != 1 or not is_count(lengths[0]):
            raise UsageError(
                "A recipe takes either epochs or steps, a whole number of at least 1, but it has"
                f" epochs {self.epochs!r} and steps {self.steps!r}."
            )
        if self.schedule not in SCHEDULES:
            known = ", ".join(map(repr, SCHEDULES))
            raise UsageError(f"schedule is {self.schedule!r}, but it must be one of {known}.")
        self._check_ranges()

    def _check_ranges(self) -> None:
        numbers = ("lr", "momentum", "weight_decay", "warmup", "decay", "label_smoothing")
        for name in numbers:
            if not isinstance(value := getattr(self, name), Real):
                raise UsageError(f"{name} is {value!r}, but it must be a number.")
        for name, good, wanted in (
            ("batch_size", is_count(self.batch_size), "a whole number of at least 1"),
            ("lr", math.isfinite(self.lr) and self.lr > 0, "a finite number greater than 0"),
            ("momentum", 0 <= self.momentum < 1, "at least 0 and less than 1"),
            ("weight_decay", 0 <= self.weight_decay < math.inf, "at least 0"),
            ("warmup", 0 <= self.warmup < 1, "a share of the steps, at least 0 and less than 1"),
            ("milestones", all(0 < m < 1 for m in self.milestones), "shares between 0 and 1"),
            ("decay", 0 < self.decay <= 1, "greater than 0 and at most 1"),
            ("label_smoothing", 0 <= self.label_smoothing < 1, "at least 0 and less than 1"),
        ):
            if not good:
                raise UsageError(f"{name} is {getattr(self, name)!r}, but it must be {wanted}.")

    def total_steps(self, batches: int) -> int:
        """The number of optimiser steps, with `batches` of them an epoch."""
        return self.steps if self.steps is not None else (self.epochs or 0) * batches

    def lr_factor(self, step: int, total: int) -> float:
        """lr of step number `step` (from 0 on) of `total`, in units of `lr`; never 0 itself."""
        warmup = self.warmup * total
        if step + 1 < warmup:
            return (step + 1) / warmup
        if self.schedule == "milestones":
            return self.decay ** sum(step >= share * total for share in self.milestones)
        left = 1.0 if total <= warmup else min(1.0, (total - step) / (total - warmup))
        return {
            "one_cycle": left,
            "cosine": math.sin(math.pi / 2 * left) ** 2,
            "constant": 1.0,
        }[self.schedule]

    def sgd(self, model: nn.Module) -> torch.optim.Optimizer:
        """The default optimiser: SGD with momentum, without decay of BatchNorm and biases."""
        return torch.optim.SGD(
            parameter_groups(model, weight_decay=0.0),
            lr=self.lr,
            momentum=self.momentum,
            nesterov=self.nesterov and self.momentum > 0,
            weight_decay=self.weight_decay,
            fused=True,
        )


class LearningRate:
    """Sets the learning rate of every group to its initial one times the recipe's factor.

    A pure function of the step, so that the step is all that a resumed run needs. Groups that are
    added later (by a pruner) follow it with their own initial learning rate.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, recipe: Recipe, total: int) -> None:
        self.optimizer, self.recipe, self.total = optimizer, recipe, total

    def set(self, step: int) -> None:
        """The learning rate of step number `step`, from 0 on."""
        factor = self.recipe.lr_factor(step, self.total)
        for group in self.optimizer.param_groups:
            lr = group["lr"]
            if "initial_lr" not in group:
                group["initial_lr"] = float(lr)
            if isinstance(lr, torch.Tensor):
                lr.fill_(group["initial_lr"] * factor)
            else:
                group["lr"] = group["initial_lr"] * factor
