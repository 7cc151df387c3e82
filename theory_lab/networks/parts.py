"""What a training is given, checked: the arguments of `train.fit`, its optimiser and its pruner."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import torch
from torch import nn

from theory_lab.core import UsageError
from theory_lab.networks.datasets import Dataset
from theory_lab.networks.prunable import is_count
from theory_lab.networks.pruners.base import Batches, Pruner
from theory_lab.networks.recipe import Recipe

MakeOptimizer = Callable[[nn.Module], torch.optim.Optimizer]
MakePruner = Callable[[nn.Module, torch.optim.Optimizer, int, Batches], Pruner]


def check_arguments(
    model: object, data: object, recipe: object, checkpoint_every: object, evaluate_every: object
) -> None:
    """UsageError where a training cannot be meant."""
    for name, value, kind, cure in (
        ("model", model, nn.Module, "a torch.nn.Module, for example models.resnet(20)"),
        ("data", data, Dataset, "a Dataset, for example datasets.load('digits')"),
        ("recipe", recipe, Recipe, "a Recipe, for example Recipe(epochs=10)"),
    ):
        if not isinstance(value, kind):
            raise UsageError(f"{name} is {_shown(value)}, but it must be {cure}.")
    if checkpoint_every is not None and not is_count(checkpoint_every):
        raise UsageError(
            f"checkpoint_every is {checkpoint_every!r}, but it must be a whole number of steps, at"
            " least 1, or None."
        )
    if evaluate_every != 0 and not is_count(evaluate_every):
        raise UsageError(
            f"evaluate_every is {evaluate_every!r}, but it must be a whole number of epochs, or 0."
        )


def optimizer_made(
    optimizer: torch.optim.Optimizer | MakeOptimizer, model: nn.Module
) -> torch.optim.Optimizer:
    """The optimiser, or what the function makes of the model, if it trains that model."""
    trained = {id(parameter) for parameter in model.parameters() if parameter.requires_grad}
    if not trained:
        raise UsageError("No parameter of the model requires a gradient, so nothing is trained.")
    made: object = optimizer
    if not isinstance(optimizer, (torch.optim.Optimizer, type)) and _takes(optimizer, model):
        try:
            made = optimizer(model)
        except ValueError as error:
            raise UsageError(
                f"The optimizer cannot be made ({error}); make it of model.parameters()."
            ) from error
    if not isinstance(made, torch.optim.Optimizer):
        raise UsageError(
            f"optimizer is or makes {_shown(made)}, but it must be a torch.optim.Optimizer over the"
            " model's parameters, or a function of the model that makes one."
        )
    if not any(id(p) in trained for group in made.param_groups for p in group["params"]):
        raise UsageError(
            "The optimizer steps none of the model's parameters; make it of model.parameters()."
        )
    return made


def pruner_made(
    make: MakePruner | None,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    steps: int,
    batches: Batches,
) -> Pruner | None:
    """The pruner that the function makes, or none."""
    if make is None:
        return None
    is_maker = _takes(make, model, optimizer, steps, batches)
    made = make(model, optimizer, steps, batches) if is_maker else make
    if not is_maker or not isinstance(made, Pruner):
        raise UsageError(
            f"pruner is or makes {_shown(made)}, but fit makes it itself: give it a function of"
            " (model, optimizer, steps, batches) that returns a Pruner, or None."
        )
    return made


def _takes(function: object, *arguments: object) -> bool:
    """Whether it can be called with these."""
    try:
        inspect.signature(function).bind(*arguments)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return True


def _shown(value: object) -> str:
    """A value of the wrong kind in a sentence: strings and numbers as they are, else what it is."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    plain = value is None or isinstance(value, (bool, int, float, str))
    return repr(value) if plain else f"a {type(value).__name__}"
