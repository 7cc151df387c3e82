"""One training run with one method, from its start to its figures: a cell of every table."""

from __future__ import annotations

import math
from typing import Annotated, Any

from theory_lab.core import Experiment
from theory_lab.core.checks import at_least, at_most, nonnegative, positive
from theory_lab.trials import methods
from theory_lab.trials.copies import pruned_like
from theory_lab.trials.problems import Problem, data_of, draw, fresh_model
from theory_lab.trials.recipes import (
    CHECKPOINT_SECONDS,
    dense_run,
    finished,
    kept_file,
    recipe,
    unfinished,
)

DELTA = 0.1
"""The delta-rank leaves out this share of a weight's energy."""


def run(
    at: dict[str, Any],
    *,
    method: Annotated[str, methods.known],
    sparsity: Annotated[float, nonnegative, at_most(1)] = 0.0,
    block: Annotated[int, at_least(1)] = 1,
    every: Annotated[int, at_least(1)] = 100,
    epochs: Annotated[int, at_least(1)],
    batch_size: Annotated[int, at_least(1)] = 128,
    lr: Annotated[float, positive] = 0.1,
    momentum: Annotated[float, nonnegative] = 0.9,
    weight_decay: Annotated[float, nonnegative] = 5e-4,
    schedule: str = "one_cycle",
    warmup: Annotated[float, nonnegative] = 0.0,
    label_smoothing: Annotated[float, nonnegative] = 0.0,
    engine: str = "eager",
    evaluate_every: Annotated[int, at_least(0)] = 1,
    rng: Any,
) -> dict[str, Any]:
    """Accuracies, losses and sparsities are those of the finished model.

    `density`, `delta_rank`, `stable_rank`, `exact_rank`: one entry for each prunable weight.
    `compression`: all / kept, `effective_compression`: all / on a path. `history_…`: one entry
    every `evaluate_every` epochs. A training that diverged has the losses that it had then, and
    ranks of NaN where weights are not finite; a network of zeros alone an infinite compression.

    gRDA is trained without momentum and weight decay, as by its authors. Beside it,
    `magnitude_test_accuracy` and `magnitude_test_loss`: of the dense run of this recipe, pruned by
    magnitude to gRDA's sparsity.
    """
    numbers: dict[str, Any] = dict(
        epochs=epochs, batch_size=batch_size, lr=lr, momentum=momentum, weight_decay=weight_decay,
        schedule=schedule, warmup=warmup, label_smoothing=label_smoothing,
    )  # fmt: skip
    how: dict[str, Any] = dict(engine=engine, evaluate_every=evaluate_every)
    data, is_grda = data_of(at, rng.device), method.startswith("gRDA")
    if method == "dense":
        model, history = dense_run(at, rng.device, **how, **numbers)
    else:
        setting = methods.Setting(sparsity, block, every, at["seed"])
        plain = dict(momentum=0.0, weight_decay=0.0) if is_grda else {}
        model, history = _pruned(at, rng.device, method, setting, how, numbers | plain)
    found = {**history.final, **_figures(model, data), **_history(history)}
    if is_grda:
        dense, before = dense_run(at, rng.device, **how, **numbers)
        found |= _beside(dense, before, model, data)
    return found


def _pruned(
    at: Problem,
    device: str,
    method: str,
    setting: methods.Setting,
    how: dict[str, Any],
    numbers: dict[str, Any],
) -> tuple[Any, Any]:
    """The network trained by a method that makes zeros, and its history."""
    from theory_lab.networks import train

    model, lr = fresh_model(at, device), numbers["lr"]
    named = dict(method=method, setting=tuple(setting))
    with kept_file("run", at, device, **named, **how, **numbers) as file:
        history = train.fit(
            model,
            data_of(at, device),
            recipe(at, **numbers),
            optimizer=methods.optimizer_of(method, lr),
            pruner=methods.pruner_of(method, setting),
            checkpoint=unfinished(file),
            checkpoint_seconds=CHECKPOINT_SECONDS,
            progress=False,
            **how,
        )
        finished(file)
    return model, history


def _beside(dense: Any, before: Any, sparse: Any, data: Any) -> dict[str, Any]:
    """What the dense model is at the sparsity of the other; one that diverged is not pruned."""
    from theory_lab.networks import train

    if before.status == "diverged":
        accuracy, loss = before.final["test_accuracy"], before.final["test_loss"]
    else:
        loss, accuracy = train.evaluate(pruned_like(dense, sparse, data)[0], data)
    return dict(magnitude_test_accuracy=accuracy, magnitude_test_loss=loss)


def _figures(model: Any, data: Any) -> dict[str, Any]:
    """What is measured on the finished model."""
    from theory_lab.networks import measures

    ranks, sparsity = _ranks(model), measures.sparsity(model)
    return dict(
        density=[1 - zeros for zeros in measures.layer_sparsities(model).values()],
        delta_rank=[found.delta for found in ranks],
        stable_rank=[found.stable for found in ranks],
        exact_rank=[found.exact for found in ranks],
        full_rank=[found.full for found in ranks],
        compression=1 / (1 - sparsity) if sparsity < 1 else math.inf,
        effective_compression=measures.effective_compression(model, data.example()),
    )


def _ranks(model: Any) -> list[Any]:
    """Those of every prunable weight; NaN for all of a network that has weights that are not finite."""
    from theory_lab.networks import measures
    from theory_lab.networks.measures.spectra import Ranks
    from theory_lab.networks.prunable import prunable_weights

    weights = [weight.effective.detach() for weight in prunable_weights(model)]
    if all(bool(weight.isfinite().all()) for weight in weights):
        return list(measures.ranks(model, DELTA).values())
    return [Ranks._make([math.nan] * len(Ranks._fields))] * len(weights)


def _history(history: Any) -> dict[str, Any]:
    columns = ("step", "loss", "accuracy", "test_loss", "test_accuracy", "sparsity")
    rows = {f"history_{column}": getattr(history, column) for column in columns}
    return rows | {"diverged": history.status == "diverged"}


TRAINING = Experiment("trials.training", draw, run, checks=[methods.check], device_ready=True)
