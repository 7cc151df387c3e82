"""Evaluation, BatchNorm's statistics, and what a training shows."""

from __future__ import annotations

import functools
import io
import math
import re

import pytest
import torch
from rich.console import Console
from torch import nn

from tests.networks.training_toys import gradual, toy_data, toy_net
from theory_lab.networks import gradients, progress, train
from theory_lab.networks.loader import Loader
from theory_lab.networks.meter import CAPACITY, Meter
from theory_lab.networks.recipe import Recipe
from theory_lab.networks.train import evaluate, fit, reestimate_batch_norm

SHORT = Recipe(epochs=4, batch_size=16, lr=0.1)
fit = functools.partial(fit, progress=False)


def test_evaluation_by_hand_leaves_the_model_as_it_was() -> None:
    data, model = toy_data(), toy_net()
    model[1].eval()
    modes = [module.training for module in model.modules()]
    found = evaluate(model, data, batch_size=7)
    assert [module.training for module in model.modules()] == modes
    model.eval()
    inputs, labels = next(iter(Loader(data, 1000, seed=0, train=False)))
    logits = model(inputs).detach()
    assert found.loss == pytest.approx(nn.functional.cross_entropy(logits, labels).item(), rel=1e-5)
    assert found.accuracy == (logits.argmax(1) == labels).double().mean().item()


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_one_logit_is_as_good_as_two(smoothing: float) -> None:
    logits = torch.randn(50, 1, dtype=torch.float64)
    labels = (torch.rand(50) > 0.5).long()
    two = torch.cat([torch.zeros_like(logits), logits], 1)
    torch.testing.assert_close(
        gradients.task_loss(logits, labels, smoothing), gradients.task_loss(two, labels, smoothing)
    )
    assert gradients.right(logits, labels) == gradients.right(two, labels)


def test_batch_norm_statistics_become_those_of_the_batches() -> None:
    data, model = toy_data(), toy_net()
    fit(model, data, SHORT)
    model.train()
    inputs, labels = next(iter(Loader(data, 128, seed=0, augment=False)))
    reestimate_batch_norm(model, [(inputs, labels)])
    assert model.training
    assert model[1].momentum == 0.1
    seen = model[0](inputs).detach()
    torch.testing.assert_close(model[1].running_mean, seen.mean((0, 2, 3)), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(model[1].running_var, seen.var((0, 2, 3)), rtol=1e-5, atol=1e-6)
    reestimate_batch_norm(nn.Linear(2, 2), [])


# --- what is shown --------------------------------------------------------------------------------


def test_the_bar_tells_loss_accuracy_sparsity_and_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    console = functools.partial(Console, file=shown, force_terminal=True, width=160)
    monkeypatch.setattr(progress, "Console", lambda **options: console())
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    monkeypatch.setattr(train, "LOOK_SECONDS", 0.0)
    train.fit(toy_net(), toy_data(), SHORT, pruner=gradual)
    text = shown.getvalue()
    assert re.search(r"32/32.*loss \S+  accuracy \S+%  sparsity 70\.0%  \S+ images/s", text)
    shown.truncate(0)
    train.fit(toy_net(), toy_data(), SHORT, progress=False)
    assert "images/s" not in shown.getvalue()


def test_the_meter_counts_back_to_the_first_bad_loss() -> None:
    meter = Meter(torch.device("cpu"))
    for step in range(CAPACITY):
        assert not meter.is_full
        loss = torch.tensor(math.inf if step in (5, 9) else 1.0)
        meter.add(loss, torch.tensor(2), 4)
    assert meter.is_full
    assert meter.read() == CAPACITY - 1 - 5
    assert meter.correct == 2 * CAPACITY
    assert meter.images == 4 * CAPACITY
    meter.reset()
    meter.add(torch.tensor(0.5), torch.tensor(3), 4)
    assert meter.read() is None
    assert meter.means == (0.5, 0.75)
