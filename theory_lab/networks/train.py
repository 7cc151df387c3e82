"""Training a network, with or without a pruner."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from theory_lab.core import StorageError, TheoryLabError, UsageError
from theory_lab.networks import checkpoint as checkpoints
from theory_lab.networks import distributed
from theory_lab.networks.compatibility import check_fits
from theory_lab.networks.datasets import Dataset
from theory_lab.networks.devices import device_of, home_of
from theory_lab.networks.evaluation import Evaluation, evaluate, reestimate_batch_norm
from theory_lab.networks.gradients import Gradients
from theory_lab.networks.history import History
from theory_lab.networks.loader import Loader
from theory_lab.networks.meter import Meter
from theory_lab.networks.parts import (
    MakeOptimizer,
    MakePruner,
    check_arguments,
    optimizer_made,
    pruner_made,
)
from theory_lab.networks.progress import bar
from theory_lab.networks.prunable import count_zeros
from theory_lab.networks.pruners.base import Pruner
from theory_lab.networks.recipe import LearningRate, Recipe
from theory_lab.networks.selection import DivergedError

__all__ = ["Evaluation", "History", "Recipe", "evaluate", "fit", "reestimate_batch_norm"]

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
    checkpoint_seconds: float = 0.0,
    deadline: float | None = None,
    evaluate_every: int = 1,
    engine: str = "eager",
    device: str | torch.device | None = None,
    progress: bool = True,
) -> History:
    """Train the model in place; it ends as a plain model in evaluation mode.

    `optimizer`: one over the model's parameters, or a function of the model that makes it; the
    recipe's SGD by default. `pruner`: a function (model, optimizer, steps, batches) that makes it;
    `batches` are unaugmented training batches, of several processes each has its share.
    `checkpoint`: a file, written after each epoch or every `checkpoint_every` steps; where it is
    there already, the run goes on from it. One process leaves out those that come less than
    `checkpoint_seconds` after the last one.
    `deadline`: so many seconds from now the run stops, its checkpoint written. `evaluate_every`:
    epochs between two rows of the history, 0 for the last alone. `engine`: see `Gradients`.
    `device`: the model's own by default. A loss that is not finite ends the run with status
    "diverged".

    UsageError for impossible arguments and where the device's memory does not suffice;
    StorageError for a checkpoint that is damaged or of another run.
    """
    end = None if deadline is None else time.monotonic() + deadline
    check_arguments(model, data, recipe, checkpoint_every, evaluate_every)
    with _memory_explained(recipe):
        run = _Run(model, data, recipe, optimizer or recipe.sgd, pruner, device, engine)
        every = evaluate_every * len(run.loader)
        steps = checkpoint_every or len(run.loader)
        keeper = _Keeper(run, checkpoint, steps, checkpoint_seconds)
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
        self.device = device_of(device) if device else home_of(model)
        # On the CPU the batches' own format decides; on a GPU the weights should have it too.
        layout = torch.channels_last if self.device.type == "cuda" else torch.preserve_format
        model.to(device=self.device, memory_format=layout)  # type: ignore[call-overload]
        self.data = data.to(self.device)
        check_fits(model, self.data)
        self.loader = Loader(
            self.data, recipe.batch_size, seed=recipe.seed,
            rank=distributed.rank(), world_size=distributed.world_size(),
        )  # fmt: skip
        self.total = recipe.total_steps(len(self.loader))
        self.optimizer = optimizer_made(optimizer, model)
        plain = _PlainBatches(self.data, recipe.batch_size, recipe.seed + 1)
        self.pruner = pruner_made(pruner, model, self.optimizer, self.total, plain)
        self.learning_rate = LearningRate(self.optimizer, recipe, self.total)
        self.gradients = Gradients(
            model, self.pruner, engine=engine, amp=recipe.amp, smoothing=recipe.label_smoothing
        )
        self.meter = Meter(self.device)
        self.history, self.step = History(), 0
        self.identity = self._identity()

    @property
    def is_over(self) -> bool:
        return self.history.status != "running" or self.step >= self.total

    def train(self, keeper: _Keeper, every: int, end: float | None, is_shown: bool) -> None:
        """Steps until the last one, the deadline, or a loss that is not finite; a row of the
        history every `every` steps and at the end."""
        self.model.train()
        stream = itertools.chain.from_iterable(itertools.repeat(self.loader))
        looked = time.monotonic()
        with bar(self.total, is_shown) as show:
            while not self.is_over:
                self._advance(*next(stream))
                is_row = self.step == self.total or (every > 0 and self.step % every == 0)
                is_kept = keeper.is_due
                if is_row or is_kept or self._must_look(looked):
                    self._look(end)
                    show(self.step, self._described)
                    looked = time.monotonic()
                if is_row and self.history.status != "diverged":
                    self._add_row()
                if is_kept:
                    keeper.save()
        keeper.save()

    def _advance(self, inputs: Tensor, labels: Tensor) -> None:
        """One iteration. Where a pruner stumbles over NaN, the training has diverged."""
        self.learning_rate.set(self.step)
        try:
            loss, correct = self.gradients(
                inputs.to(self.device, non_blocking=True), labels.to(self.device)
            )
            self.step += 1
            self.meter.add(loss, correct, len(labels))
            if self.pruner is None or self.pruner.after_backward():
                self.optimizer.step()
            if self.pruner is not None:
                self.pruner.after_step()
        except (TheoryLabError, RuntimeError) as error:
            self._look(None)
            if self.history.status != "diverged" and isinstance(error, DivergedError):
                self._diverged("The weights were", self.step)
            if self.history.status != "diverged":
                raise

    def _must_look(self, looked: float) -> bool:
        if distributed.is_parallel():
            return self.step % LOOK_STEPS == 0
        return self.meter.is_full or time.monotonic() - looked > LOOK_SECONDS

    def _look(self, end: float | None) -> None:
        """Wait for the device and read the losses: has the run diverged, is its time over?"""
        ago = self.meter.read()
        late = end is not None and time.monotonic() > end
        worst = distributed.largest([-1 if ago is None else ago, late], self.device)
        if worst[0] >= 0:
            self._diverged("The loss was", self.step - worst[0])
        elif worst[1] and not self.is_over:
            self.history.status = "deadline"
            self.history.note = f"The deadline came after step {self.step} of {self.total}."

    def _diverged(self, what_was: str, step: int) -> None:
        epoch = (step - 1) // len(self.loader) + 1
        self.history.status = "diverged"
        self.history.note = (
            f"{what_was} first not finite at step {step} of {self.total} (epoch {epoch}); lower the"
            " learning rate."
        )

    def _add_row(self) -> None:
        sums = [self.meter.loss_sum, self.meter.correct, self.meter.images]
        speed = self.meter.images_per_second  # before the evaluation, which is no training
        loss, correct, images = distributed.sums(sums, self.device)
        test = self._evaluated()
        self.history.add(
            step=self.step,
            loss=loss / images,
            accuracy=correct / images,
            test_loss=test.loss,
            test_accuracy=test.accuracy,
            sparsity=self._sparsity,
            images_per_second=speed * distributed.world_size(),
        )
        self.meter.reset()

    def _evaluated(self, train: bool = False) -> Evaluation:
        """What rank 0 finds: BatchNorm's statistics are its own."""
        is_main = distributed.rank() == 0
        found = evaluate(self.model, self.data, train=train) if is_main else None
        return Evaluation(*distributed.from_main(found))

    @property
    def _sparsity(self) -> float:
        zeros, count = count_zeros(self.model)
        return zeros / count

    def _described(self) -> str:
        """What the bar says."""
        loss, accuracy = self.meter.means
        return (
            f"loss {loss:.3g}  accuracy {accuracy:.1%}  sparsity {self._sparsity:.1%}"
            f"  {self.meter.images_per_second:,.0f} images/s"
        )

    # --- the end, and going on ----------------------------------------------------------------

    def finish(self) -> History:
        """A plain model in evaluation mode; its figures, unless the training is to go on."""
        self.model.zero_grad(set_to_none=True)
        if self.history.status == "running":
            self.history.status = "done"
        if self.pruner is not None:
            is_lost = self.history.status == "diverged"
            with contextlib.suppress(TheoryLabError) if is_lost else contextlib.nullcontext():
                self.pruner.finish()
        distributed.share_buffers(self.model)
        self.model.eval()
        if self.history.status != "deadline":
            train, test = self._evaluated(train=True), self._evaluated()
            self.history.final = {
                "train_loss": train.loss,
                "train_accuracy": train.accuracy,
                "test_loss": test.loss,
                "test_accuracy": test.accuracy,
                "sparsity": self._sparsity,
            }
        return self.history

    @property
    def parts(self) -> dict[str, checkpoints.Stateful]:
        pruner = {} if self.pruner is None else {"pruner": self.pruner}
        return {
            "model": self.model, "optimizer": self.optimizer, "loader": self.loader, **pruner
        }  # fmt: skip

    def _identity(self) -> dict[str, Any]:
        """What another run must have in common to go on from this one's checkpoint: as it stands
        before the first step."""
        parameters = sum(parameter.numel() for parameter in self.model.parameters())
        return {
            **dataclasses.asdict(self.recipe),
            "milestones": list(self.recipe.milestones),
            "data": self.data.note,
            "network": f"{type(self.model).__name__} of {parameters:,} parameters",
            "optimizer": type(self.optimizer).__name__,
            "pruner": type(self.pruner).__name__ if self.pruner else "none",
            **_options_of(self.optimizer),
            **_settings_of(self.pruner),
        }

    def state_dict(self) -> dict[str, Any]:
        """Where the run stands, beside its parts."""
        return {
            "run": self.identity,
            "step": self.step,
            "meter": self.meter.state_dict(),
            "history": self.history.as_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.step = state["step"]
        self.meter.load_state_dict(state["meter"])
        self.history = History(**{**state["history"], "status": "running", "note": ""})


class _Keeper:
    """Keeps a run in its checkpoint, if it has one."""

    def __init__(self, run: _Run, path: str | Path | None, every: int, seconds: float) -> None:
        self.run, self.path, self.every = run, Path(path) if path else None, every
        self._seconds, self._kept, self._time = seconds, -1, time.monotonic()

    @property
    def is_due(self) -> bool:
        if self.path is None or self.run.step % self.every:
            return False  # several processes write together, and their clocks differ:
        return distributed.is_parallel() or time.monotonic() - self._time >= self._seconds

    def save(self) -> None:
        """Write the run as it stands, unless it has diverged or is kept already."""
        if self.path is None or self.run.history.status == "diverged":
            return
        if self._kept != self.run.step:
            checkpoints.save(self.path, self.run.parts, self.run.state_dict())
            self._kept, self._time = self.run.step, time.monotonic()

    def resume(self) -> None:
        """Go on from the checkpoint, if it is there."""
        if self.path is None or not self.path.exists():
            return
        content = checkpoints.read(self.path)
        _check_identity(self.path, content["record"]["run"], self.run.identity)
        self.run.load_state_dict(checkpoints.restore(content, self.run.parts))
        self._kept = self.run.step


@dataclasses.dataclass(frozen=True)
class _PlainBatches:
    """This process's share of the training batches, shuffled and without augmentation, the same in
    each pass; nothing is held."""

    data: Dataset
    batch_size: int
    seed: int

    def __iter__(self) -> Iterator[Any]:
        return iter(
            Loader(
                self.data, self.batch_size, seed=self.seed, augment=False,
                rank=distributed.rank(), world_size=distributed.world_size(),
            )
        )  # fmt: skip


def _options_of(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """The options of an optimiser's groups, by name; lr is the initial one."""
    groups = [{**g, "lr": float(g.get("initial_lr", g["lr"]))} for g in optimizer.param_groups]
    return {
        f"optimizer's {name}": [group[name] for group in groups]
        for name in optimizer.defaults
        if all(_is_plain(group[name]) for group in groups)
    }


def _settings_of(pruner: Pruner | None) -> dict[str, Any]:
    """What a pruner was made with, as far as it is plain."""
    if pruner is None:
        return {}
    return {
        f"pruner's {name}": value
        for name, value in vars(pruner).items()
        if not name.startswith("_") and _is_plain(value)
    }


def _is_plain(value: Any) -> bool:
    """Whether a checkpoint holds it as it is: a subclass, as numpy's numbers are, it would not."""
    if type(value) is tuple:
        return all(map(_is_plain, value))
    return type(value) in (bool, int, float, str, type(None))


def _check_identity(path: Path, kept: dict[str, Any], asked: dict[str, Any]) -> None:
    if differing := [name for name in asked if kept.get(name) != asked[name]]:
        name = differing[0]
        raise StorageError(
            f"The checkpoint {path} is of a run with {name} {kept.get(name)!r}, not"
            f" {asked[name]!r}; delete it to begin anew, or name another file."
        )


@contextlib.contextmanager
def _memory_explained(recipe: Recipe) -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise UsageError(
            f"The device's memory does not suffice for batches of {recipe.batch_size}; lower"
            f" batch_size, for example to {max(1, recipe.batch_size // 2)}, or the network's width."
        ) from error
