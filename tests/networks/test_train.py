"""Training: what is learnt, what the history says, pruners and engines."""

from __future__ import annotations

import functools
import gc
import math
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from tests.networks.training_toys import Watching, gradual, same_bits, toy_data, toy_net
from theory_lab.core import UsageError
from theory_lab.networks import gradients, train
from theory_lab.networks.loader import Loader
from theory_lab.networks.meter import Meter
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
from theory_lab.networks.train import evaluate, fit

SHORT = Recipe(epochs=4, batch_size=16, lr=0.1)
STEPS = 32
ROWS = ("step", "loss", "accuracy", "test_loss", "test_accuracy", "sparsity", "images_per_second")
fit = functools.partial(fit, progress=False)


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
    with pytest.raises(UsageError, match="pruner is or makes a GradualMagnitude, but fit makes it"):
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
