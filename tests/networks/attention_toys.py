"""A network on which SequentialAttention++ is seen at work, and the loop that trains it."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from theory_lab.networks.pruners import SequentialAttention

SCHEDULE = (("dense", 0.25), ("sparsification", 0.5), ("sparse", 0.25))


def mlp(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(
        OrderedDict(
            a=nn.Linear(12, 16), r=nn.ReLU(), b=nn.Linear(16, 8), s=nn.ReLU(), c=nn.Linear(8, 3)
        )
    )


def sgd(model: nn.Module) -> torch.optim.SGD:
    return torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-3)


def train(
    model: nn.Module, optimizer: torch.optim.Optimizer, pruner: SequentialAttention, steps: int
) -> None:
    generator = torch.Generator().manual_seed(pruner.step)
    for _ in range(steps):
        inputs = torch.randn(32, 12, generator=generator)
        optimizer.zero_grad()
        (model(inputs).square().mean() + pruner.loss_term()).backward()
        if pruner.after_backward():
            optimizer.step()
        pruner.after_step()
