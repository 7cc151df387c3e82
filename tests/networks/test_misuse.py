"""What a user may get wrong ends in one sentence that says what would be right."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.networks.training_toys import CLASSES, toy_data, toy_net
from theory_lab.core import UsageError
from theory_lab.core.errors import TheoryLabError
from theory_lab.networks import Loader, export, graph, measures, models, train
from theory_lab.networks.pruners import (
    ACDC,
    RPG,
    SNIP,
    ChannelGroupLasso,
    GradualMagnitude,
    Magnitude,
    PowerPropagation,
    Pruner,
    Random,
    SequentialAttention,
    SynFlow,
)
from theory_lab.networks.recipe import Recipe

FLAT = 6 * 6 * 3
BATCH = torch.zeros(4, 3, 6, 6), torch.zeros(4, dtype=torch.int64)
GREY = [(torch.zeros(4, 1, 6, 6), torch.zeros(4, dtype=torch.int64))]
STRANGE = [(BATCH[0], torch.full((4,), 9))]
"""Labels of classes that are not there."""


def said(call: Callable[[], Any]) -> str:
    with pytest.raises(TheoryLabError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith(".")
    return message


def sgd(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.1)


def fitted(model: Any = None, data: Any = None, recipe: Any = None, **options: Any) -> None:
    train.fit(
        toy_net() if model is None else model,
        toy_data() if data is None else data,
        Recipe(steps=2, batch_size=16) if recipe is None else recipe,
        progress=False,
        **options,
    )


def flat(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Flatten(), *layers)


class Tuple(nn.Module):
    """Returns more than logits."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(FLAT, CLASSES)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor]:
        return (self.layer(x.flatten(1)),)


# --- a model and its data ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (flat(nn.Linear(FLAT, 2)), "has 2 outputs, but toy images has 4 classes; make the last"),
        (flat(nn.Linear(FLAT, 1)), "has 1 outputs, but toy images has 4 classes"),
        (flat(nn.Linear(FLAT, 4), nn.Flatten(0)), "the shape (4,) for one example"),
        (nn.Conv2d(3, 4, 3), "the shape (1, 4, 4, 4) for one example, but it must be logits"),
        (Tuple(), "returns a tuple for one example"),
        (flat(nn.Linear(100, 4)), "does not take float32 of the shape (1, 3, 6, 6)"),
        (nn.Sequential(nn.Conv2d(1, 4, 3)), "expected input[1, 3, 6, 6] to have 1 channels"),
        (nn.Conv2d(3, 4, 9), "make the model for this data"),
        (flat(nn.Linear(FLAT, 4)).double(), "does not take float32"),
        (nn.Flatten(), "has no parameters"),
    ],
)
def test_a_model_that_does_not_fit_its_data(model: nn.Module, words: str) -> None:
    assert words in said(lambda: fitted(model))
    assert words in said(lambda: train.evaluate(model, toy_data()))


def test_one_logit_will_do_for_two_classes() -> None:
    data = toy_data()
    labels = {"train_labels": data.train_labels % 2, "test_labels": data.test_labels % 2}
    fitted(flat(nn.Linear(FLAT, 1)), dataclasses.replace(data, classes=2, **labels))


def test_the_check_leaves_the_model_as_it_was() -> None:
    model = toy_net(dropout=0.5).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random = torch.get_rng_state()
    train.evaluate(model, toy_data())
    assert model.training
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (lambda labels: labels + 1, "are from 1 to 4, but 4 classes have labels 0 to 3"),
        (lambda labels: labels - 1, "are from -1 to 2"),
        (lambda labels: labels.float(), "torch.float32"),
        (lambda labels: labels[:-1], "one an example: (128,)"),
    ],
)
def test_labels_that_are_none(labels: Callable[[torch.Tensor], torch.Tensor], words: str) -> None:
    data = toy_data()
    assert words in said(lambda: dataclasses.replace(data, train_labels=labels(data.train_labels)))


# --- the arguments of a training -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model": nn.Linear}, "model is the class Linear"),
        ({"data": "digits"}, "data is 'digits', but it must be a Dataset"),
        ({"recipe": {"steps": 3}}, "recipe is a dict, but it must be a Recipe"),
        ({"optimizer": "sgd"}, "optimizer is or makes 'sgd'"),
        ({"optimizer": torch.optim.SGD}, "the class SGD, but it must be a torch.optim.Optimizer"),
        ({"optimizer": lambda model: None}, "optimizer is or makes None"),
        ({"optimizer": lambda model: torch.optim.SGD([], lr=0.1)}, "empty parameter list"),
        ({"optimizer": sgd(toy_net())}, "steps none of the model's parameters"),
        ({"model": toy_net().requires_grad_(False)}, "requires a gradient"),
        ({"pruner": Magnitude}, "pruner is or makes the class Magnitude"),
        ({"pruner": "magnitude"}, "pruner is or makes 'magnitude'"),
        ({"pruner": lambda *parts: None}, "pruner is or makes None"),
        ({"checkpoint_every": 0}, "checkpoint_every is 0"),
        ({"evaluate_every": -1}, "evaluate_every is -1"),
        ({"evaluate_every": 0.5}, "whole number of epochs"),
    ],
)
def test_arguments_of_a_training(options: dict[str, Any], words: str) -> None:
    assert words in said(lambda: fitted(**options))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"steps": 2.5}, "a whole number of at least 1, but it has epochs None and steps 2.5"),
        ({"steps": 2, "batch_size": 16.5}, "batch_size is 16.5"),
        ({"steps": 2, "batch_size": "16"}, "batch_size is '16'"),
        ({"steps": 2, "lr": "0.1"}, "lr is '0.1', but it must be a number"),
    ],
)
def test_numbers_of_a_recipe(options: dict[str, Any], words: str) -> None:
    assert words in said(lambda: Recipe(**options))


# --- pruners -------------------------------------------------------------------------------------


def made(pruner: type[Pruner], model: Any = None, optimizer: Any = None, **options: Any) -> Pruner:
    model = toy_net() if model is None else model
    optimizer = sgd(model) if optimizer is None else optimizer
    target = {} if pruner is ChannelGroupLasso else {"sparsity": 0.5}
    return pruner(model, optimizer, **({"steps": 10} | target | options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("pruner", "options", "words"),
    [
        (Magnitude, {"model": nn.BatchNorm2d(3)}, "no convolution or linear layer"),
        (Magnitude, {"optimizer": "sgd"}, "made of a model and an optimizer"),
        (Magnitude, {"skip": "3.weight"}, "skip is '3.weight', but it must be a list"),
        (Magnitude, {"at": 0.5}, "at is 0.5, but it must be a whole number"),
        (SNIP, {"rounds": 1.5}, "rounds is 1.5"),
        (Random, {"seed": "a"}, "seed is 'a'"),
        (GradualMagnitude, {"every": 2.5}, "every is 2.5"),
        (GradualMagnitude, {"begin": 0.1, "end": 0.5}, "it takes whole numbers"),
        (PowerPropagation, {"end": 0.9, "every": 2.5}, "every 2.5 steps"),
        (SequentialAttention, {"updates": 2.5}, "updates 2.5"),
        (ACDC, {"schedule": 3}, "or (kind, share) pairs"),
        (ACDC, {"schedule": [("dense", "half"), ("sparse", 0.5)]}, "(kind, share) pairs"),
        (RPG, {"strength": float("nan")}, "strength is nan"),
        (SNIP, {"batches": BATCH}, "they must give (inputs, labels)"),
        (SNIP, {"batches": 3}, "batches are a int"),
        (SNIP, {"batches": GREY}, "does not take float32 of the shape (4, 1, 6, 6)"),
        (SNIP, {"batches": STRANGE}, "Target 9 is out of bounds"),
        (SNIP, {"batches": [BATCH], "batch_limit": 0}, "batch_limit is 0"),
        (SNIP, {"batches": iter([BATCH]), "rounds": 2}, "as often as it asks"),
        (SynFlow, {"batches": GREY}, "does not take"),
        (Magnitude, {"effective": True, "batches": GREY}, "does not take"),
        (ACDC, {"effective": True, "batches": GREY}, "does not take"),
        (ChannelGroupLasso, {"strength": 1.0, "beta": 0.1, "channels": []}, "channels is empty"),
    ],
)
def test_arguments_of_a_pruner(pruner: type[Pruner], options: dict[str, Any], words: str) -> None:
    assert words in said(lambda: made(pruner, **options))


# --- measures and exports ------------------------------------------------------------------------


def weights(model: nn.Module) -> dict[str, torch.Tensor]:
    return dict(model.named_parameters())


@pytest.mark.parametrize(
    "measure",
    [
        lambda model, wrong: measures.effective_sparsity(model, wrong),
        lambda model, wrong: measures.operations(model, wrong),
        lambda model, wrong: measures.cost(model, wrong),
        lambda model, wrong: measures.latency(model, wrong),
        lambda model, wrong: export.remove_channels(model, wrong),
        lambda model, wrong: export.speed_up(model, model, wrong),
        lambda model, wrong: graph.of(model, wrong),
    ],
)
def test_inputs_that_the_model_does_not_take(measure: Callable[..., Any]) -> None:
    for wrong in (torch.zeros(2, 1, 6, 6), None):
        assert "does not take" in said(lambda wrong=wrong: measure(toy_net(), wrong))


@pytest.mark.parametrize(
    "measure",
    [
        lambda model, batches: measures.straight_line(
            model, weights(model), weights(model), batches, points=2
        ),
        lambda model, batches: measures.bezier(
            model, weights(model), weights(model), batches, epochs=1, points=2
        ),
        lambda model, batches: measures.hessian_share(model, weights(model), batches, k=2),
    ],
)
def test_batches_that_are_none(measure: Callable[..., Any]) -> None:
    for model in (toy_net(), models.mlp((FLAT, 8, CLASSES))):
        for batches, words in (
            (GREY, "does not take float32 of the shape (4, 1, 6, 6)"),
            (STRANGE, "Target 9 is out of bounds"),
            (toy_data(), "batches are a Dataset"),
            (BATCH, "they must give (inputs, labels)"),
        ):
            assert words in said(lambda model=model, b=batches: measure(model, b))


def test_other_arguments(tmp_path: Path) -> None:
    model, ends = toy_net(), weights(toy_net())
    for call, words in (
        (lambda: measures.latency(model, BATCH[0], repetitions=2.5), "repetitions is 2.5"),
        (lambda: measures.straight_line(model, ends, ends, [BATCH], points=2.5), "points is 2.5"),
        (lambda: measures.bezier(model, ends, ends, [BATCH], epochs=0.5), "epochs is 0.5"),
        (lambda: measures.hessian_share(model, ends, [BATCH], k=2.5), "k is 2.5"),
        (lambda: export.save(model, tmp_path / "net", "resnet20"), "architecture is 'resnet20'"),  # type: ignore[arg-type]
        (lambda: export.load(tmp_path), "cannot be read: "),
        (lambda: Loader(toy_data(), 2.5, seed=0), "batch_size is 2.5"),  # type: ignore[arg-type]
    ):
        assert words in said(call)


def test_memory_that_does_not_suffice_is_no_matter_of_shapes() -> None:
    class Large(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise torch.OutOfMemoryError("no memory")

    with pytest.raises(UsageError, match="memory does not suffice"):
        fitted(Large(FLAT, CLASSES))


def test_a_weight_that_two_layers_share_is_not_pruned() -> None:
    model = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6), nn.Linear(6, 2))
    model[2].weight = model[0].weight
    options: dict[str, Any] = dict(sparsity=0.5, steps=1)
    for make in (Magnitude, PowerPropagation):
        assert "0.weight" in said(lambda make=make: make(model, sgd(model), **options))
    pruner = Magnitude(model, sgd(model), skip=["0", "2"], **options)
    assert list(pruner.masks()) == ["3.weight"]


def test_a_layer_called_twice_is_pruned_once() -> None:
    layer = nn.Linear(6, 6)
    model = nn.Sequential(layer, nn.ReLU(), layer, nn.Linear(6, 2))
    pruner = Magnitude(model, sgd(model), sparsity=0.5, steps=1)
    assert pruner.size == 6 * 6 + 6 * 2
