"""Targets of effective sparsity: met from below, and one more weight would exceed them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.networks.pruner_cases import NETWORKS, STEPS, Run, batches
from theory_lab.core import UsageError
from theory_lab.networks import graph
from theory_lab.networks.pruners import (
    LAMP,
    RPG,
    SNIP,
    GradualMagnitude,
    Magnitude,
    Random,
    SynFlow,
)
from theory_lab.networks.pruners.saliency import OneShotPruner
from theory_lab.numerics import paths

TARGET = 0.97
PRUNERS: dict[str, Callable[..., OneShotPruner]] = {
    "magnitude": Magnitude,
    "magnitude-ERK": partial(Magnitude, allocation="ERK"),
    "lamp": LAMP,
    "random-uniform": Random,
    "random-IGQ": partial(Random, allocation="IGQ"),
    "snip": SNIP,
    "synflow": partial(SynFlow, rounds=20),
}


def active(model: nn.Module, masks: dict[str, Tensor]) -> int:
    """Weights on a path from an input to an output."""
    if isinstance(model, nn.Sequential):  # the MLP: by hand
        return sum(int(mask.sum()) for mask in active_by_hand(list(masks.values())))
    described = graph.of(model, batches()[0][0][:1])
    held = [masks[name] for name in described.names]
    return sum(int(count) for count in paths.effective_counts(described.graph, held))


def active_by_hand(masks: list[Tensor]) -> list[Tensor]:
    """Drop units that nothing reaches, or that reach nothing, until none is left."""
    before: list[Tensor] = []
    while not before or any(not torch.equal(a, b) for a, b in zip(before, masks, strict=True)):
        before = masks
        lively = [mask.any(1) for mask in masks]  # units with an incoming weight
        heard = [mask.any(0) for mask in masks[1:]]  # hidden units with an outgoing one
        masks = [masks[0], *(m & live for m, live in zip(masks[1:], lively, strict=False))]
        masks = [*(m & h[:, None] for m, h in zip(masks, heard, strict=False)), masks[-1]]
    return masks


def made(name: str, network: str, target: float, **options: Any) -> OneShotPruner:
    torch.manual_seed(3)
    model = NETWORKS[network]()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    shared = dict(sparsity=target, steps=STEPS, effective=True, batches=batches())
    return PRUNERS[name](model, optimizer, **shared, **options)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("name", PRUNERS)
def test_the_target_lies_between_this_prefix_and_the_next(name: str, network: str) -> None:
    masks = list((pruner := made(name, network, TARGET)).masks().values())
    waiting = made(name, network, TARGET, at=STEPS)  # has the same weights, not pruned yet
    scores, removed = waiting.order(), pruner.size - sum(int(mask.sum()) for mask in masks)
    assert all(map(torch.equal, masks, waiting.without(scores, removed)))
    inactive = [
        waiting.size - active(waiting.model, dict(zip(waiting.masks(), held, strict=True)))
        for held in (masks, waiting.without(scores, removed + 1))
    ]
    assert inactive[0] <= round(TARGET * waiting.size) < inactive[1]
    assert pruner.reached()
    assert not waiting.reached()


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("make", [GradualMagnitude, RPG])
def test_gradual_pruners_end_at_an_effective_target(
    make: type[GradualMagnitude], network: str
) -> None:
    torch.manual_seed(4)
    model = NETWORKS[network]()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    pruner = make(
        model, optimizer, sparsity=TARGET, steps=STEPS, every=6, effective=True, batches=batches()
    )
    assert not pruner.reached()
    Run(model, optimizer, pruner).train(STEPS)
    inactive = pruner.size - active(model, pruner.masks())
    assert pruner.reached()
    assert 0.95 * TARGET * pruner.size < inactive <= round(TARGET * pruner.size)


def test_effective_targets_need_an_input() -> None:
    model = NETWORKS["mlp"]()
    with pytest.raises(UsageError, match="give it batches="):
        Magnitude(model, torch.optim.SGD(model.parameters()), sparsity=0.5, steps=1, effective=True)
