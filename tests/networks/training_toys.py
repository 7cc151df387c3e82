"""Data and networks that train in milliseconds."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from theory_lab.networks.datasets import Dataset
from theory_lab.networks.pruners import GradualMagnitude, Pruner

CLASSES = 4


def toy_data(count: int = 128, test: int = 40) -> Dataset:
    """Images 6 x 6 x 3 of four classes: each has its own bright quarter, under noise."""
    generator = torch.Generator().manual_seed(11)
    labels = torch.randint(CLASSES, (count + test,), generator=generator)
    images = torch.randint(120, (count + test, 6, 6, 3), generator=generator)
    for image, label in zip(images, labels.tolist(), strict=True):
        row, column = divmod(label, 2)
        image[3 * row : 3 * row + 3, 3 * column : 3 * column + 3] += 100
    images = images.to(torch.uint8)
    return Dataset(
        "toy", "toy images", CLASSES, images[:count], labels[:count], images[count:], labels[count:],
        (0.35,) * 3, (0.25,) * 3, crop=1, flip=False,
    )  # fmt: skip


def toy_net(seed: int = 0, width: int = 6, dropout: float = 0.1) -> nn.Sequential:
    """Convolutions with BatchNorm, and dropout, which reads torch's global generator."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, width, 3, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, 2 * width, 3, bias=False),
        nn.BatchNorm2d(2 * width),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(8 * width, CLASSES),
    )


def same_bits(first: nn.Module, second: nn.Module) -> bool:
    """Whether two plain models have the same parameters and buffers to the bit."""
    one, other = first.state_dict(), second.state_dict()
    return list(one) == list(other) and all(torch.equal(one[k], other[k]) for k in one)


def gradual(model: nn.Module, optimizer: Any, steps: int, batches: Any) -> Pruner:
    return GradualMagnitude(model, optimizer, sparsity=0.7, steps=steps, every=5)


class Watching(Pruner):
    """A pruner that does nothing, for tests to derive from."""

    def __init__(self, model: nn.Module, optimizer: Any, steps: int, batches: Any) -> None:
        super().__init__(model, optimizer, sparsity=None, steps=steps)
