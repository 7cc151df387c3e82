"""Training: what is learnt, what the history says, pruners, engines, and how a run can end."""

from __future__ import annotations

import functools
import gc
import io
import math
import re
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from tests.networks.training_toys import same_bits, toy_data, toy_net
from theory_lab.core import UsageError
from theory_lab.networks import gradients, progress, train
from theory_lab.networks.loader import Loader
from theory_lab.networks.meter import CAPACITY, Meter
from theory_lab.networks.optim import GRDA
from theory_lab.networks.prunable import prunable_weights
from theory_lab.networks.pruners import (
    RPG,
    FixedZeros,
    GradualMagnitude,
    Pruner,
    SequentialAttention,
)
from theory_lab.networks.recipe import LearningRate, Recipe
from theory_lab.networks.train import evaluate, fit, reestimate_batch_norm

SHORT = Recipe(epochs=4, batch_size=16, lr=0.1)
STEPS = 32
ROWS = ("step", "loss", "accuracy", "test_loss", "test_accuracy", "sparsity", "images_per_second")
fit = functools.partial(fit, progress=False)


def gradual(model: nn.Module, optimizer: Any, steps: int, batches: Any) -> Pruner:
    return GradualMagnitude(model, optimizer, sparsity=0.7, steps=steps, every=5)


class Watching(Pruner):
    """A pruner that does nothing, for tests to derive from."""

    def __init__(self, model: nn.Module, optimizer: Any, steps: int, batches: Any) -> None:
        super().__init__(model, optimizer, sparsity=None, steps=steps)


def test_it_learns_and_the_history_tells_what_happened() -> None:
    data, model = toy_data(), toy_net()
    before = evaluate(model, data, train=True).loss
    history = fit(model, data, SHORT)
    assert history.status == "done"
    assert not history.note
    assert not model.training
    assert history.step == [8, 16, 24, 32]
    assert all(len(getattr(history, column)) == 4 for column in ROWS)
    assert history.loss[-1] < history.loss[0]
    assert evaluate(model, data, train=True).loss < before / 4
    assert history.final["test_accuracy"] > 0.9
    assert history.sparsity == [0.0] * 4
    assert min(history.images_per_second) > 0


def test_final_figures_are_those_of_the_model_that_is_left() -> None:
    """Not the best ones: the last epochs ruin this network."""
    data, model = toy_data(), toy_net()

    class Ruined(Watching):
        def update(self) -> None:
            if self.step == STEPS - 2:
                with torch.no_grad():
                    self.weights[-1].parameter.neg_()

    history = fit(model, data, SHORT, pruner=Ruined)
    test, plain = evaluate(model, data), evaluate(model, data, train=True)
    assert history.final == {
        "train_loss": plain.loss, "train_accuracy": plain.accuracy,
        "test_loss": test.loss, "test_accuracy": test.accuracy, "sparsity": 0.0,
    }  # fmt: skip
    assert (history.test_loss[-1], history.test_accuracy[-1]) == test
    assert test.accuracy < max(history.test_accuracy)


def test_rows_at_the_asked_distance_and_at_the_end() -> None:
    data = toy_data()
    assert fit(toy_net(), data, SHORT, evaluate_every=3).step == [24, 32]
    assert fit(toy_net(), data, SHORT, evaluate_every=0).step == [32]
    assert fit(toy_net(), data, Recipe(steps=11, batch_size=16), evaluate_every=1).step == [8, 11]


def test_a_row_is_the_mean_over_its_batches() -> None:
    """One step a row, learning rate too small to change anything: the mean loss of the batch."""
    data, model = toy_data(16), toy_net(dropout=0.0)
    history = fit(model, data, Recipe(epochs=1, batch_size=16, lr=1e-12))
    model.train()
    inputs, labels = next(iter(Loader(data, 16, seed=0)))
    logits = model(inputs)
    expected = nn.functional.cross_entropy(logits, labels)
    assert history.loss == pytest.approx([expected.item()], rel=1e-5)
    assert history.accuracy == [(logits.argmax(1) == labels).float().mean().item()]


def test_seeds_decide_everything() -> None:
    data = toy_data()
    models = [toy_net() for _ in range(3)]
    recipes = [SHORT, SHORT, Recipe(epochs=4, batch_size=16, lr=0.1, seed=1)]
    for model, recipe in zip(models, recipes, strict=True):
        torch.manual_seed(9)
        fit(model, data, recipe)
    assert same_bits(models[0], models[1])
    assert not same_bits(models[0], models[2])


# --- pruners --------------------------------------------------------------------------------------


def test_a_pruned_model_is_plain_and_as_sparse_as_asked() -> None:
    data, model = toy_data(), toy_net()
    history = fit(model, data, SHORT, pruner=gradual)
    size = sum(w.parameter.numel() for w in prunable_weights(model))
    assert history.final["sparsity"] == round(0.7 * size) / size
    assert history.sparsity == sorted(history.sparsity)
    assert history.sparsity[0] < 0.7
    toy_net(seed=5).load_state_dict(model.state_dict())


@pytest.mark.parametrize("keeps", [True, False])
def test_fine_tuning_keeps_the_zeros_and_plain_training_does_not(keeps: bool) -> None:
    data, model = toy_data(), toy_net()
    fit(model, data, SHORT, pruner=gradual)
    masks = [w.parameter != 0 for w in prunable_weights(model)]

    def fixed(model: nn.Module, optimizer: Any, steps: int, batches: Any) -> Pruner:
        return FixedZeros(model, optimizer, steps=steps)

    fit(model, data, Recipe(epochs=2, batch_size=16), pruner=fixed if keeps else None)
    after = [w.parameter != 0 for w in prunable_weights(model)]
    assert all(torch.equal(a, b) for a, b in zip(masks, after, strict=True)) == keeps


def test_a_skipped_step_changes_nothing_but_time() -> None:
    class Skips(Watching):
        def after_backward(self) -> bool:
            return False

    data, model, steps = toy_data(), toy_net(), []
    before = [p.clone() for p in model.parameters()]

    class Counts(Skips):
        def update(self) -> None:
            steps.append(self.optimizer.param_groups[0]["lr"])

    fit(model, data, SHORT, pruner=Counts)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert steps == pytest.approx([0.1 * (1 - step / STEPS) for step in range(STEPS)])


@pytest.mark.parametrize("engine", gradients.ENGINES)
def test_the_loss_term_is_trained_but_not_recorded(
    engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))

    class Ridge(Watching):
        def loss_term(self) -> Tensor:
            return 10 * sum(w.parameter.square().sum() for w in self.weights)  # type: ignore[return-value]

    data, norms = toy_data(), []
    recipe = Recipe(steps=20, batch_size=16, lr=0.01, momentum=0.0, weight_decay=0.0)
    for pruner in (Watching, Ridge):
        model = toy_net()
        history = fit(model, data, recipe, pruner=pruner, engine=engine)
        norms.append(sum(float(w.parameter.detach().norm()) for w in prunable_weights(model)))
    assert norms[1] < 0.5 * norms[0]
    assert history.loss[0] < 3, "ten times the squared norm would be above that"


@pytest.mark.parametrize("engine", ["compiled", "graph"])
@pytest.mark.parametrize("pruner", [None, gradual])
def test_engines_give_the_same_run(
    engine: str, pruner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))
    data, models = toy_data(), [toy_net(), toy_net()]
    for model, one in zip(models, ["eager", engine], strict=True):
        torch.manual_seed(9)
        fit(model, data, SHORT, pruner=pruner, engine=one)
    assert same_bits(*models)


def test_a_replayed_graph_hands_its_gradients_back() -> None:
    """A replay writes memory and nothing else: `.grad` may have been dropped, or belong to a
    parameter that the task loss does not reach."""

    class Replay:
        def replay(self) -> None:
            for memory in written:
                memory.fill_(1.0)

    model, data = toy_net(), toy_data()
    step = gradients.Gradients(model, None, engine="graph")
    inputs, labels = next(iter(Loader(data, 16, seed=0)))
    step(inputs, labels)
    first, *_ = parameters = list(model.parameters())
    graph = step._graph
    assert graph is not None
    written = [torch.zeros_like(p) for p in parameters[1:]]
    graph._graph, graph._written = Replay(), [None, *written]  # type: ignore[assignment]
    graph._batch = gradients.Batch(torch.zeros(()), torch.zeros(()))
    for gradient in (None, torch.ones(())):
        for parameter in parameters[1:]:
            parameter.grad = None
        first.grad = None if gradient is None else torch.ones_like(first)
        step(inputs, labels)
        assert first.grad is None
        assert all(p.grad is m for p, m in zip(parameters[1:], written, strict=True))


@pytest.mark.parametrize("engine", ["eager", "graph"])
@pytest.mark.parametrize("pruner", [None, gradual])
def test_the_memory_of_a_run_is_free_at_its_end(
    engine: str, pruner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without waiting for the garbage collection, which does not know how much a GPU holds."""
    made: list[weakref.ref[gradients.Gradients]] = []

    def noted(*arguments: Any, **options: Any) -> gradients.Gradients:
        found = gradients.Gradients(*arguments, **options)
        made.append(weakref.ref(found))
        return found

    monkeypatch.setattr(train, "Gradients", noted)
    gc.collect()
    gc.disable()
    try:
        fit(toy_net(), toy_data(), Recipe(steps=3, batch_size=16), pruner=pruner, engine=engine)
        assert [reference() for reference in made] == [None]
    finally:
        gc.enable()


def test_impossible_arguments_are_refused() -> None:
    model = toy_net()
    made = GradualMagnitude(model, Recipe(steps=1).sgd(model), sparsity=0.5, steps=1)
    with pytest.raises(UsageError, match="pruner is a GradualMagnitude, but fit makes it itself"):
        fit(model, toy_data(), Recipe(steps=1), pruner=made)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="engine is 'fast', but it must be one of 'eager'"):
        fit(toy_net(), toy_data(), SHORT, engine="fast")


class NoWaiting(TorchDispatchMode):
    """Fails where a tensor's value is fetched: on a GPU that would wait for it."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert not any(name in func.name() for name in ("_local_scalar_dense", "nonzero")), func
        return func(*args, **(kwargs or {}))


def attention(model: nn.Module, optimizer: Any) -> Pruner:
    return SequentialAttention(model, optimizer, sparsity=0.5, block=(2, 2), steps=100)


def growth_only(model: nn.Module, optimizer: Any) -> Pruner:
    return RPG(model, optimizer, sparsity=0.5, steps=100, every=50)


@pytest.mark.parametrize("make", [None, attention, growth_only])
@pytest.mark.parametrize("name", ["sgd", "grda"])
def test_no_step_waits_for_the_device(name: str, make: Any) -> None:
    model, data = toy_net(), toy_data()
    optimizer: Any = Recipe(epochs=1).sgd(model)
    if name == "grda":
        optimizer = GRDA(model.parameters(), lr=0.1, c=0.1, capturable=True)
    pruner = make(model, optimizer) if make else Watching(model, optimizer, 100, ())
    step, meter = gradients.Gradients(model, pruner), Meter(torch.device("cpu"))
    schedule = LearningRate(optimizer, SHORT, STEPS)
    schedule.set(0)
    batches = list(Loader(data, 16, seed=0))
    with NoWaiting():
        for number, (inputs, labels) in enumerate(batches):
            schedule.set(number)
            loss, correct = step(inputs, labels)
            meter.add(loss, correct, len(labels))
            pruner.after_backward()
            optimizer.step()
            pruner.after_step()
    assert meter.read() is None
    assert meter.images == 128
    with NoWaiting(), pytest.raises(AssertionError):
        loss.item()


def test_the_speed_is_that_of_training_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, found = [0.0], evaluate(toy_net(), toy_data())

    def slow(*arguments: Any, **options: Any) -> Any:
        clock[0] += 1e6
        return found

    def now() -> float:
        clock[0] += 0.01
        return clock[0]

    monkeypatch.setattr("theory_lab.networks.meter.time.perf_counter", now)
    monkeypatch.setattr(train, "evaluate", slow)
    history = fit(toy_net(), toy_data(), SHORT)
    assert min(history.images_per_second) > 1


@pytest.mark.parametrize(("seconds", "steps"), [(0.0, [8, 16, 24, 32]), (math.inf, [32])])
def test_checkpoints_keep_their_distance(
    seconds: float, steps: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    monkeypatch.setattr(
        train.checkpoints, "save", lambda path, parts, record: written.append(record["step"])
    )
    fit(toy_net(), toy_data(), SHORT, checkpoint=tmp_path / "run", checkpoint_seconds=seconds)
    assert written == steps


# --- how a run ends -------------------------------------------------------------------------------


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


# --- measures of a model --------------------------------------------------------------------------


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
