"""A training on a device of its own: no operation meets tensors of two devices."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from tests.networks.another_device import another_device
from tests.networks.training_toys import toy_data, toy_net
from theory_lab.networks import measures, pruners
from theory_lab.networks.optim import GRDA
from theory_lab.networks.recipe import Recipe
from theory_lab.networks.train import fit

RECIPE = Recipe(epochs=2, batch_size=16)
PHASES = (("dense", 0.3), ("sparsification", 0.4), ("sparse", 0.3))


def half(kind: type[pruners.Pruner], **options: Any) -> Callable[..., pruners.Pruner]:
    return lambda model, optimizer, steps, batches: kind(
        model, optimizer, sparsity=0.5, steps=steps, **options
    )


def half_on_data(kind: type[pruners.Pruner], **options: Any) -> Callable[..., pruners.Pruner]:
    return lambda model, optimizer, steps, batches: kind(
        model, optimizer, sparsity=0.5, steps=steps, batches=batches, **options
    )


PRUNERS: dict[str, Callable[..., pruners.Pruner] | None] = {
    "none": None,
    "gradual": half(pruners.GradualMagnitude, every=3),
    "effective": half_on_data(pruners.GradualMagnitude, every=3, effective=True),
    "ERK": half(pruners.GradualMagnitude, every=3, allocation="ERK"),
    "RPG": half(pruners.RPG, every=3, linear=True),
    "RPG every step": half(pruners.RPG, every=3, linear=True, mode="every_step"),
    "SET": half(pruners.RPG, every=3, growth="random"),
    "attention": half(pruners.SequentialAttention, block=2, schedule=PHASES, skip=()),
    "attention, uneven": half(pruners.SequentialAttention, block=4, schedule=PHASES),
    "ACDC": half(pruners.ACDC, block=4),
    "ACDC, masks": half(pruners.ACDC, block=4, zeroing=False),
    "powerprop": half(pruners.PowerPropagation, block=2, skip=()),
    "LAMP": half(pruners.LAMP, at=3),
    "SNIP": half_on_data(pruners.SNIP),
    "SynFlow": half_on_data(pruners.SynFlow),
    "random": half(pruners.Random, allocation="IGQ"),
    "channels": lambda model, optimizer, steps, batches: pruners.ChannelGroupLasso(
        model, optimizer, strength=1.0, beta=0.01, steps=steps, prune_at=0.5
    ),
}
OPTIMIZERS: dict[str, Callable[[nn.Module], torch.optim.Optimizer]] = {
    # fused=True, the recipe's own, does not take this device
    "sgd": lambda model: torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9),
    "grda": lambda model: GRDA(model.parameters(), lr=0.1, c=0.01),
    "grda on tensors": lambda model: GRDA(model.parameters(), lr=0.1, c=0.01, capturable=True),
}


@pytest.fixture(autouse=True)
def without_autocast(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not know this device."""
    monkeypatch.setattr(torch, "autocast", lambda *a, **k: contextlib.nullcontext())


@pytest.mark.parametrize(
    ("pruner", "optimizer"),
    [*((name, "sgd") for name in PRUNERS), ("none", "grda"), ("gradual", "grda on tensors")],
)
def test_a_training_stays_on_its_device(pruner: str, optimizer: str) -> None:
    options: Any = dict(
        pruner=PRUNERS[pruner], optimizer=OPTIMIZERS[optimizer], engine="graph", progress=False
    )
    model = toy_net()
    expected = fit(model, toy_data(), RECIPE, **options)
    ranks = measures.ranks(model)
    compression = measures.effective_compression(model, toy_data().example())
    with another_device() as device:
        other, data = toy_net(), toy_data().to(device)
        found = fit(other, data, RECIPE, device=device, **options)
        assert {p.device.type for p in other.parameters()} == {device}
        assert measures.ranks(other).keys() == ranks.keys()
        measured = measures.effective_compression(other, data.example())
    assert found.final == pytest.approx(expected.final, rel=1e-3)
    assert measured == pytest.approx(compression, rel=1e-2)


def test_two_devices_in_one_operation_are_seen() -> None:
    with another_device() as device:
        there = torch.ones(3, device=device)
        assert (there + 1).sum().item() == 6
        with pytest.raises(AssertionError, match="two devices"):
            there + torch.ones(3)
