"""Every pruner, on networks and optimisers small enough to train in a moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from theory_lab.networks import models
from theory_lab.networks.optim import GRDA
from theory_lab.networks.pruners import (
    ACDC,
    LAMP,
    RPG,
    SNIP,
    GradualMagnitude,
    Magnitude,
    PowerPropagation,
    Pruner,
    Random,
    SequentialAttention,
    SynFlow,
)
from theory_lab.networks.pruners.base import Batches
from theory_lab.networks.pruners.blockwise import BlockPruner

SPARSITY, STEPS, EVERY = 0.8, 20, 4
SIDE, CLASSES = 8, 4

Make = Callable[[nn.Module, torch.optim.Optimizer, Batches], Pruner]


@dataclass(frozen=True)
class PrunerCase:
    """How to make a pruner for `STEPS` iterations, and how far from the target it may end.

    `slack(pruner)`: the largest difference between the weights kept and those the target leaves.
    `keeps_values`: whether weights live on under the mask, which a parametrisation holds.
    """

    name: str
    make: Make
    slack: Callable[[Pruner], int] = lambda pruner: 0
    keeps_values: bool = False

    def __str__(self) -> str:
        return self.name


def _of(pruner: type[Pruner], **options: object) -> Make:
    return lambda model, optimizer, batches: pruner(
        model, optimizer, sparsity=SPARSITY, steps=STEPS, **options
    )


def _on_data(pruner: type[Pruner], **options: object) -> Make:
    return lambda model, optimizer, batches: pruner(
        model, optimizer, sparsity=SPARSITY, steps=STEPS, batches=batches, **options
    )


def one_block_a_layer(pruner: Pruner) -> int:
    """The number of weights in one block of each layer."""
    assert isinstance(pruner, BlockPruner)
    return sum(blocks.size[0] * blocks.size[1] for blocks in pruner.blocks)


TURNS = (("dense", 0.1), ("sparse", 0.3), ("dense", 0.2), ("sparse", 0.4))
RISE = (("dense", 0.1), ("sparse", 0.2), ("dense", 0.2), ("sparsification", 0.3), ("sparse", 0.2))

CASES = [
    PrunerCase("gradual-cubic", _of(GradualMagnitude, every=EVERY)),
    PrunerCase(
        "gradual-exponential-uniform",
        _of(GradualMagnitude, every=EVERY, schedule="exponential", allocation="uniform", begin=3),
    ),
    PrunerCase("gradual-ERK", _of(GradualMagnitude, every=EVERY, allocation="ERK", end=STEPS)),
    PrunerCase("rpg", _of(RPG, every=EVERY)),
    PrunerCase("rpg-every-step", _of(RPG, every=EVERY, mode="every_step", linear=True)),
    PrunerCase("rigl", _of(RPG, every=EVERY, strength=0.0)),
    PrunerCase("set-uniform", _of(RPG, every=EVERY, growth="random", allocation="uniform")),
    PrunerCase("magnitude", _of(Magnitude, at=7)),
    PrunerCase("magnitude-IGQ", _of(Magnitude, allocation="IGQ")),
    PrunerCase("lamp", _of(LAMP, at=7)),
    PrunerCase("random", _of(Random)),
    PrunerCase("random-ERK", _of(Random, allocation="ERK", seed=1)),
    PrunerCase("snip", _on_data(SNIP)),
    PrunerCase("snip-iterative", _on_data(SNIP, rounds=4)),
    PrunerCase("synflow", _on_data(SynFlow, rounds=20)),
    PrunerCase(
        "attention", _of(SequentialAttention, block=4, schedule=RISE), one_block_a_layer, True
    ),
    PrunerCase("attention-1", _of(SequentialAttention, schedule=RISE), one_block_a_layer, True),
    PrunerCase("acdc", _of(ACDC, block=4, schedule=TURNS), one_block_a_layer),
    PrunerCase("acdc-global", _of(ACDC, schedule=TURNS, allocation="global")),
    PrunerCase(
        "acdc-masking", _of(ACDC, block=3, schedule=TURNS, zeroing=False), one_block_a_layer, True
    ),
    PrunerCase("powerprop", _of(PowerPropagation, block=(4, 3), begin=0.15), one_block_a_layer),
    PrunerCase(
        "powerprop-1", _of(PowerPropagation, begin=0.1, end=0.8, every=EVERY), one_block_a_layer
    ),
]
"""All pruners with a target; one that comes belongs here, and every test of the protocol takes it."""


def mlp() -> nn.Module:
    return models.mlp((SIDE * SIDE, 24, 16, CLASSES))


def resnet8() -> nn.Module:
    return models.resnet(8, classes=CLASSES, width=4, in_channels=1)


NETWORKS: dict[str, Callable[[], nn.Module]] = {"mlp": mlp, "resnet8": resnet8}

OPTIMIZERS: dict[str, Callable[[nn.Module], torch.optim.Optimizer]] = {
    "sgd": lambda model: torch.optim.SGD(
        model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4
    ),
    "adam": lambda model: torch.optim.Adam(model.parameters(), lr=0.01),
    "grda": lambda model: GRDA(model.parameters(), lr=0.05, c=0.01, mu=0.6),
}


def batches(count: int = 3, size: int = 16) -> list[tuple[Tensor, Tensor]]:
    """Images (b, 1, 8, 8) with labels that depend on them; always the same."""
    generator = torch.Generator().manual_seed(20)
    found = []
    for _ in range(count):
        labels = torch.randint(CLASSES, (size,), generator=generator)
        images = torch.randn(size, 1, SIDE, SIDE, generator=generator)
        images[torch.arange(size), 0, labels] += 1.0
        found.append((images, labels))
    return found


@dataclass
class Run:
    """A model, its optimiser and its pruner, between two iterations."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    pruner: Pruner

    def train(self, steps: int, data: list[tuple[Tensor, Tensor]] | None = None) -> Run:
        """The loop of the protocol."""
        data = data or batches()
        for step in range(self.pruner.step, self.pruner.step + steps):
            inputs, labels = data[step % len(data)]
            self.optimizer.zero_grad()
            loss = nn.functional.cross_entropy(self.model(inputs), labels)
            (loss + self.pruner.loss_term()).backward()
            if self.pruner.after_backward():
                self.optimizer.step()
            self.pruner.after_step()
        return self

    def states(self) -> dict[str, object]:
        """What a checkpoint holds."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "pruner": self.pruner.state_dict(),
        }

    def load(self, states: dict[str, dict[str, object]]) -> Run:
        self.model.load_state_dict(states["model"])
        self.optimizer.load_state_dict(states["optimizer"])
        self.pruner.load_state_dict(states["pruner"])
        return self

    def pruned(self) -> Iterator[tuple[Tensor, nn.Parameter]]:
        """(where it is pruned, what the optimiser steps) of every prunable weight."""
        masks = self.pruner.masks()
        for weight in self.pruner.weights:
            yield ~masks[weight.name], weight.parameter


def begin(case: PrunerCase, network: str, optimizer: str = "sgd", seed: int = 0) -> Run:
    """A fresh network under this pruner; the seed sets its weights."""
    torch.manual_seed(seed)
    model = NETWORKS[network]()
    opt = OPTIMIZERS[optimizer](model)
    return Run(model, opt, case.make(model, opt, batches()))
