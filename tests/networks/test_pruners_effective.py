"""Targets of effective sparsity: met from below, and one more weight or block would exceed them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.networks.pruner_cases import NETWORKS, RISE, STEPS, TURNS, Run, batches
from theory_lab.core import UsageError
from theory_lab.networks import graph
from theory_lab.networks.blocks import as_matrix
from theory_lab.networks.prunable import prunable_weights
from theory_lab.networks.pruners import (
    ACDC,
    LAMP,
    RPG,
    SNIP,
    GradualMagnitude,
    Magnitude,
    PowerPropagation,
    Random,
    SequentialAttention,
    SynFlow,
)
from theory_lab.networks.pruners.blockwise import BlockPruner
from theory_lab.networks.pruners.scored import ScoredPruner
from theory_lab.networks.pruners.targeted import TargetedPruner
from theory_lab.numerics import paths

TARGET = 0.97
Make = Callable[..., TargetedPruner]

SCORED: dict[str, Make] = {
    "gradual": partial(GradualMagnitude, every=6),
    "gradual-uniform": partial(GradualMagnitude, every=6, allocation="uniform"),
    "rpg": partial(RPG, every=6),
    "rpg-ERK": partial(RPG, every=2, allocation="ERK"),
    "magnitude": partial(Magnitude, at=3),
    "magnitude-ERK": partial(Magnitude, allocation="ERK"),
    "lamp": LAMP,
    "random-uniform": Random,
    "random-IGQ": partial(Random, allocation="IGQ"),
    "snip": SNIP,
    "synflow": partial(SynFlow, rounds=20),
}
OF_BLOCKS: dict[str, Make] = {
    "attention": partial(SequentialAttention, block=2, schedule=RISE),
    "attention-borders": partial(SequentialAttention, block=(4, 3), schedule=RISE),
    "acdc-1": partial(ACDC, schedule=TURNS),
    "acdc-borders": partial(ACDC, block=3, schedule=TURNS, zeroing=False),
    "acdc-global": partial(ACDC, block=2, schedule=TURNS, allocation="global"),
    "powerprop": partial(PowerPropagation, begin=0.1, end=0.8, every=4),
    "powerprop-global": partial(PowerPropagation, block=2, begin=0.3, allocation="global"),
}
all_networks = pytest.mark.parametrize("network", NETWORKS)


def trained(make: Make, network: str, target: float = TARGET, steps: int = STEPS) -> Run:
    torch.manual_seed(3)
    model = NETWORKS[network]()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    pruner = make(model, optimizer, sparsity=target, steps=STEPS, effective=True, batches=batches())
    return Run(model, optimizer, pruner).train(steps)


# --- an independent count ------------------------------------------------------------------------


def inactive(run: Run, masks: dict[str, Tensor]) -> int:
    """How many of the pruner's weights are pruned or lie on no path."""
    every = {
        weight.name: torch.ones_like(weight.effective, dtype=torch.bool)
        for weight in prunable_weights(run.model)
    } | masks
    if isinstance(run.model, nn.Sequential):  # the MLP: by hand
        held = active_by_hand(list(every.values()))
        active = dict(zip(every, held, strict=True))
    else:
        described = graph.of(run.model, batches()[0][0][:1])
        held = paths.effective_masks(described.graph, [every[name] for name in described.names])
        active = dict(zip(described.names, held, strict=True))
    return run.pruner.size - sum(int(active[name].sum()) for name in masks)


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


def lies_between(run: Run, masks: list[Tensor], following: list[Tensor]) -> bool:
    """Whether the target lies between these masks and the next prefix."""
    names = list(run.pruner.masks())
    allowed = round(TARGET * run.pruner.size)
    here, there = (
        inactive(run, dict(zip(names, held, strict=True))) for held in (masks, following)
    )
    return here <= allowed < there


# --- scores of weights ---------------------------------------------------------------------------


@pytest.fixture
def last_scores(monkeypatch: pytest.MonkeyPatch) -> list[list[Tensor]]:
    """The scores of each selection, as copies."""
    seen: list[list[Tensor]] = []
    prune_to = ScoredPruner.prune_to

    def noting(self: ScoredPruner, sparsity: float, scores: list[Tensor]) -> None:
        seen.append([score.clone() for score in scores])
        prune_to(self, sparsity, scores)

    monkeypatch.setattr(ScoredPruner, "prune_to", noting)
    return seen


@all_networks
@pytest.mark.parametrize("name", SCORED)
def test_the_target_lies_between_this_prefix_and_the_next(
    name: str, network: str, last_scores: list[list[Tensor]]
) -> None:
    run = trained(SCORED[name], network)
    pruner, masks = run.pruner, list(run.pruner.masks().values())
    assert isinstance(pruner, ScoredPruner)
    assert pruner.reached()
    removed = pruner.size - sum(int(mask.sum()) for mask in masks)
    assert 0 < removed < round(TARGET * pruner.size), "paths must matter"
    scores = last_scores[-1]
    assert all(map(torch.equal, masks, pruner.without(scores, removed)))
    assert lies_between(run, masks, pruner.without(scores, removed + 1))


# --- scores of blocks ----------------------------------------------------------------------------


class Layer:
    """The blocks of one weight, as numbers in lists, and how many of them are pruned."""

    def __init__(self, scores: list[float], kept: list[bool], entries: list[int]) -> None:
        # Pruned ones go first, then those of lowest score; of equals the later ones.
        self.order = sorted(range(len(scores)), key=lambda i: (kept[i], scores[i], -i))
        self.scores, self.entries, self.size = scores, entries, sum(entries)
        self.number = kept.count(False)

    @property
    def pruned(self) -> list[int]:
        return self.order[: self.number]

    @property
    def is_spent(self) -> bool:
        """Whether one block is left, which stays."""
        return self.number + 1 == len(self.order)

    def next_score(self) -> float:
        return self.scores[self.order[self.number]]

    def next_sparsity(self) -> float:
        return sum(self.entries[i] for i in self.order[: self.number + 1]) / self.size


def prune_one_more(layers: list[Layer], allocation: str) -> None:
    """The block of lowest score; in step, that of the layer which stays the least sparse."""
    key = Layer.next_sparsity if allocation == "uniform" else Layer.next_score
    of_lowest = min(reversed(layers), key=lambda layer: (layer.is_spent, key(layer)))
    of_lowest.number += 1


@pytest.fixture
def last_layers(monkeypatch: pytest.MonkeyPatch) -> list[list[Layer]]:
    """The blocks at each selection, before it."""
    seen: list[list[Layer]] = []
    select = BlockPruner.select

    def noting(self: BlockPruner, sparsity: float) -> None:
        parts = zip(self.scores(), self.block_masks(), self.blocks, strict=True)
        seen.append(
            [
                Layer(*(t.reshape(-1).tolist() for t in (score, kept, blocks.entries)))
                for score, kept, blocks in parts
            ]
        )
        select(self, sparsity)

    monkeypatch.setattr(BlockPruner, "select", noting)
    return seen


@all_networks
@pytest.mark.parametrize("name", OF_BLOCKS)
def test_the_target_lies_between_these_blocks_and_the_next(
    name: str, network: str, last_layers: list[list[Layer]]
) -> None:
    run = trained(OF_BLOCKS[name], network)
    pruner, layers = run.pruner, last_layers[-1]
    assert isinstance(pruner, BlockPruner)
    assert pruner.reached()
    masks = list(pruner.masks().values())
    removed = sum(int((~mask).sum()) for mask in pruner.block_masks())
    while sum(layer.number for layer in layers) < removed:
        prune_one_more(layers, pruner.allocation)
    assert all(map(torch.equal, masks, weight_masks(pruner, layers)))
    prune_one_more(layers, pruner.allocation)
    assert lies_between(run, masks, weight_masks(pruner, layers))
    assert all(mask.any() for mask in masks)


def weight_masks(pruner: BlockPruner, layers: list[Layer]) -> list[Tensor]:
    """Every weight without the blocks that are pruned, entry by entry."""
    found = []
    for layer, weight, blocks in zip(layers, pruner.weights, pruner.blocks, strict=True):
        mask = torch.ones_like(weight.effective, dtype=torch.bool)
        (rows, columns), across = blocks.size, blocks.grid[1]
        places = as_matrix(torch.arange(mask.numel()).reshape(mask.shape))
        for block in layer.pruned:
            i, j = block // across, block % across
            tile = places[i * rows : (i + 1) * rows, j * columns : (j + 1) * columns]
            mask.view(-1)[tile.reshape(-1)] = False
        found.append(mask)
    return found


# --- on the way, and where it cannot be ----------------------------------------------------------


@all_networks
@pytest.mark.parametrize("name", ["attention", "powerprop"])
def test_on_the_way_what_is_pruned_stays_so_and_paths_count(name: str, network: str) -> None:
    torch.manual_seed(3)
    run = trained(OF_BLOCKS[name], network, steps=0)
    assert not run.pruner.reached()
    last, rises = inactive(run, run.pruner.masks()), 0
    for _ in range(STEPS):
        before = run.pruner.masks() if last else {}
        before = {name: mask.clone() for name, mask in before.items()}
        run.train(1)
        now = inactive(run, run.pruner.masks())
        if now < last:  # a dense phase
            assert now == 0
            assert not run.pruner.reached()
        elif now > last:
            rises += 1
            masks = run.pruner.masks()
            assert all(not masks[name][~mask].any() for name, mask in before.items())
        last = now
    assert rises >= 3
    assert last <= round(TARGET * run.pruner.size)


@pytest.mark.parametrize("make", [*SCORED.values(), *OF_BLOCKS.values()])
def test_effective_targets_need_an_input(make: Make) -> None:
    model = NETWORKS["mlp"]()
    with pytest.raises(UsageError, match="give it batches="):
        make(model, torch.optim.SGD(model.parameters()), sparsity=0.5, steps=STEPS, effective=True)


def test_an_effective_target_is_part_of_the_state() -> None:
    """A resumed pruner knows whether its masks are those of the target."""
    for make in (SCORED["magnitude"], OF_BLOCKS["acdc-1"]):
        state: dict[str, Any] = trained(make, "mlp").pruner.state_dict()
        other = trained(make, "mlp", steps=0).pruner
        assert not other.reached()
        other.load_state_dict(state)
        assert other.reached()
