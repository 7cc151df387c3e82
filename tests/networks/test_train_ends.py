"""How a training can end: diverged, out of memory, at its deadline."""

from __future__ import annotations

import functools
import math
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.networks.training_toys import Watching, gradual, same_bits, toy_data, toy_net
from theory_lab.core import UsageError
from theory_lab.networks import gradients, train
from theory_lab.networks.pruners import (
    GradualMagnitude,
    Pruner,
)
from theory_lab.networks.recipe import Recipe
from theory_lab.networks.train import fit

SHORT = Recipe(epochs=4, batch_size=16, lr=0.1)
fit = functools.partial(fit, progress=False)


def test_divergence_is_recorded_where_it_happened() -> None:
    class Poison(Watching):
        def update(self) -> None:
            if self.step == 10:
                with torch.no_grad():
                    self.weights[0].parameter.fill_(math.nan)

    history = fit(toy_net(), toy_data(), SHORT, pruner=Poison)
    assert history.status == "diverged"
    assert history.step == [8]
    assert history.note == (
        "The loss was first not finite at step 11 of 32 (epoch 2); lower the learning rate."
    )
    assert math.isnan(history.final["test_loss"])


def test_a_pruner_that_meets_nan_is_a_divergence() -> None:
    class Poisoned(GradualMagnitude):
        """NaN comes between a step and the selection after it: no loss has seen it."""

        def after_step(self) -> None:
            if self.step == 11:
                with torch.no_grad():
                    self.weights[0].parameter.fill_(math.nan)
            super().after_step()

    def poisoned(model: nn.Module, optimizer: Any, steps: int, batches: Any) -> Pruner:
        return Poisoned(model, optimizer, sparsity=0.5, steps=steps, every=6)

    history = fit(toy_net(), toy_data(), SHORT, pruner=poisoned)
    assert history.note == (
        "The weights were first not finite at step 12 of 32 (epoch 2); lower the learning rate."
    )

    def at_each_step(model: nn.Module, optimizer: Any, steps: int, batches: Any) -> Pruner:
        return GradualMagnitude(model, optimizer, sparsity=0.5, steps=steps, every=1)

    recipe = Recipe(epochs=4, batch_size=16, lr=1e30, schedule="constant")
    history = fit(toy_net(), toy_data(), recipe, pruner=at_each_step)
    assert history.status == "diverged"
    assert re.search(r"at step [1-5] of 32", history.note)


@pytest.mark.parametrize("error", [UsageError, RuntimeError])
def test_other_errors_of_a_pruner_are_its_own(error: type[Exception]) -> None:
    class Broken(Watching):
        def update(self) -> None:
            raise error("This is mine.")

    with pytest.raises(error, match="This is mine"):
        fit(toy_net(), toy_data(), SHORT, pruner=Broken)


def test_out_of_memory_says_what_to_lower(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*arguments: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    monkeypatch.setattr(gradients, "task_loss", exhausted)
    with pytest.raises(
        UsageError, match=r"batches of 16; lower batch_size, for example to 8, .*\.$"
    ):
        fit(toy_net(), toy_data(), SHORT)


def test_a_deadline_stops_in_time_and_the_checkpoint_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "LOOK_SECONDS", math.inf)  # the clock is read with rows and files
    data, whole = toy_data(), toy_net()
    fit(whole, data, SHORT, pruner=gradual)
    stops = []
    while True:
        parts = toy_net()
        history = fit(
            parts, data, SHORT, pruner=gradual,
            checkpoint=tmp_path / "run", checkpoint_every=5, deadline=0,
        )  # fmt: skip
        if history.status == "done":
            break
        assert history.status == "deadline"
        assert history.final == {}
        stops.append(
            int(re.fullmatch(r"The deadline came after step (\d+) of 32.", history.note)[1])
        )  # type: ignore[index]
    assert stops == [5, 8, 10, 15, 16, 20, 24, 25, 30]
    assert same_bits(whole, parts)
    assert history.step == [8, 16, 24, 32]
