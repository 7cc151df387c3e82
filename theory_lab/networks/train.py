"""Training a network, with or without a pruner."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from theory_lab.core import StorageError, UsageError
from theory_lab.networks import checkpoint as checkpoints
from theory_lab.networks import distributed
from theory_lab.networks.datasets import Dataset
from theory_lab.networks.evaluation import Evaluation, evaluate, reestimate_batch_norm
from theory_lab.networks.gradients import Gradients
from theory_lab.networks.history import History
from theory_lab.networks.loader import Loader
from theory_lab.networks.meter import Meter
from theory_lab.networks.progress import bar
from theory_lab.networks.prunable import count_zeros
from theory_lab.networks.pruners.base import Batches, Pruner
from theory_lab.networks.recipe import LearningRate, Recipe

__all__ = ["Evaluation", "History", "Recipe", "evaluate", "fit", "reestimate_batch_norm"]

MakeOptimizer = Callable[[nn.Module], torch.optim.Optimizer]
MakePruner = Callable[[nn.Module, torch.optim.Optimizer, int, Batches], Pruner]

LOOK_SECONDS = 0.5
"""Between two looks at the losses; only a look waits for the device."""

LOOK_STEPS = 20
"""Between two looks where several processes must look at the same step."""


def fit(
    model: nn.Module,
    data: Dataset,
    recipe: Recipe,
    *,
    optimizer: torch.optim.Optimizer | MakeOptimizer | None = None,
    pruner: MakePruner | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_every: int | None = None,
    deadline: float | None = None,
    evaluate_every: int = 1,
    engine: str = "eager",
    device: str | torch.device | None = None,
    progress: bool = True,
) -> History:
    """Train the model in place; it ends as a plain model in evaluation mode.

    `optimizer`: one over the model's parameters, or a function of the model that makes it; the
    recipe's SGD by default. `pruner`: a function (model, optimizer, steps, batches) that makes it;
    `batches` are unaugmented training batches. `checkpoint`: a file, written after each epoch or
    every `checkpoint_every` steps; where it is there already, the run goes on from it. `deadline`:
    so many seconds from now the run stops, its checkpoint written. `evaluate_every`: epochs between
    two rows of the history, 0 for the last alone. `engine`: see `Gradients`. `device`: the model's
    own by default. A loss that is not finite ends the run with status "diverged".

    UsageError for impossible arguments and where the device's memory does not suffice;
    StorageError for a checkpoint that is damaged or of another run.
    """
    end = None if deadline is None else time.monotonic() + deadline
    with _memory_explained(recipe):
        run = _Run(model, data, recipe, optimizer or recipe.sgd, pruner, device, engine)
        every = evaluate_every * len(run.loader)
        keeper = _Keeper(run, checkpoint, checkpoint_every or len(run.loader))
        keeper.resume()
        run.train(keeper, every, end, progress and distributed.rank() == 0)
        return run.finish()


class _Run:
    """One training run: its parts in their order of construction, and where it stands."""

    def __init__(
        self,
        model: nn.Module,
        data: Dataset,
        recipe: Recipe,
        optimizer: torch.optim.Optimizer | MakeOptimizer,
        pruner: MakePruner | None,
        device: str | torch.device | None,
        engine: str,
    ) -> None:
        self.model, self.recipe = model, recipe
        self.device = torch.device(device) if device else next(model.parameters()).device
        model.to(self.device, memory_format=torch.channels_last)
        self.data = data.to(self.device)
        self.loader = Loader(
            self.data, recipe.batch_size, seed=recipe.seed,
            rank=distributed.rank(), world_size=distributed.world_size(),
        )  # fmt: skip
        self.total = recipe.total_steps(len(self.loader))
        is_made = isinstance(optimizer, torch.optim.Optimizer)
        self.optimizer = optimizer if is_made else optimizer(model)
        plain = Loader(self.data, recipe.batch_size, seed=recipe.seed + 1, augment=False)
        self.pruner = pruner(model, self.optimizer, self.total, plain) if pruner else None
        self.learning_rate = LearningRate(self.optimizer, recipe, self.total)
        self.gradients = Gradients(
            model, self.pruner, engine=engine, amp=recipe.amp, smoothing=recipe.label_smoothing
        )
        self.meter = Meter(self.device)
        self.history, self.step = History(status="done"), 0

    @property
    def is_over(self) -> bool:
        return self.history.status != "done" or self.step >= self.total

    def train(self, keeper: _Keeper, every: int, end: float | None, is_shown: bool) -> None:
        """Steps until the last one, the deadline, or a loss that is not finite; a row of the
        history every `every` steps and at the end."""
        self.model.train()
        looked = time.monotonic()
        with bar(self.total, is_shown) as show:
            while not self.is_over:
                for inputs, labels in self.loader:
                    self._advance(inputs, labels)
                    is_row = self.step == self.total or (every and self.step % every == 0)
                    if is_row or keeper.is_due or self._must_look(looked):
                        self._look(end)
                        show(self.step, self._described)
                        looked = time.monotonic()
                    if is_row and self.history.status != "diverged":
                        self._add_row()
                    if keeper.is_due:
                        keeper.save()
                    if self.is_over:
                        break
        keeper.save()
