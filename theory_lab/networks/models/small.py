"""Multilayer perceptrons and LeNet-5: networks without BatchNorm.

Source: Y. LeCun et al., Gradient-based learning applied to document recognition, 1998; LeNet-5 with
ReLU, max-pooling and full connections, as the pruning literature has it.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from theory_lab.core import UsageError


def mlp(widths: Sequence[int]) -> nn.Module:
    """Linear layers fc1, fc2, … with ReLU between them: `widths` from the inputs to the logits.

    Inputs of any shape are flattened. UsageError for less than two widths.
    """
    if len(widths) < 2 or min(widths) < 1:
        raise UsageError(f"An MLP needs at least two widths of at least 1, not {tuple(widths)}.")
    layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    for number, (inputs, outputs) in enumerate(itertools.pairwise(widths), 1):
        layers[f"fc{number}"] = nn.Linear(inputs, outputs)
        if number < len(widths) - 1:
            layers[f"relu{number}"] = nn.ReLU()
    return nn.Sequential(layers)


def lenet_300_100(*, features: int = 784, classes: int = 10) -> nn.Module:
    """LeNet-300-100: the MLP (features, 300, 100, classes)."""
    return mlp((features, 300, 100, classes))


def lenet5(*, classes: int = 10, in_channels: int = 1, side: int = 28) -> nn.Module:
    """LeNet-5 for images (b, in_channels, side, side); those of 28 pixels are padded to 32.

    UsageError for sides below 16, of which the second pooling leaves nothing.
    """
    padded = 32 if side == 28 else side
    if padded < 16:
        raise UsageError(f"LeNet-5 takes images from 16 pixels on, not {side}; take an MLP.")
    last = ((padded - 4) // 2 - 4) // 2
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(in_channels, 6, 5, padding=(padded - side) // 2),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(6, 16, 5),
            relu2=nn.ReLU(),
            pool2=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            fc1=nn.Linear(16 * last**2, 120),
            relu3=nn.ReLU(),
            fc2=nn.Linear(120, 84),
            relu4=nn.ReLU(),
            fc3=nn.Linear(84, classes),
        )
    )
