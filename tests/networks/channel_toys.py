"""A small network with channels of all kinds, and the pruner of channels on it."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from theory_lab.networks.pruners import ChannelGroupLasso


def chain(eps: float = 1e-12) -> nn.Sequential:
    """Convolution, BatchNorm, ReLU, twice, in float64, with channels of all kinds."""
    torch.manual_seed(0)
    model = nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(3, 8, 3, padding=1, bias=False), norm=nn.BatchNorm2d(8, eps=eps), relu=nn.ReLU(),
            next=nn.Conv2d(8, 5, 3, padding=1, bias=False), last=nn.BatchNorm2d(5, eps=eps), act=nn.ReLU(),
            pool=nn.AdaptiveAvgPool2d(1), flat=nn.Flatten(), out=nn.Linear(5, 2),
        )
    ).double()  # fmt: skip
    with torch.no_grad():
        model.norm.weight.copy_(torch.randn(8))
        model.norm.bias.copy_(torch.randn(8))
    return model


def sgd(model: nn.Module) -> torch.optim.SGD:
    return torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)


def make(model: nn.Module, **options: object) -> ChannelGroupLasso:
    defaults: dict = dict(strength=1.0, beta=0.01, steps=10)
    return ChannelGroupLasso(model, sgd(model), **{**defaults, **options})
