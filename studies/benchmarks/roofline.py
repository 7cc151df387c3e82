"""The least time of a step, from its operations and bytes and the device's two ceilings."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from theory_lab.networks.modes import mode


@dataclass(frozen=True)
class Ceilings:
    """What the device reaches at best: operations and bytes (read and written) a second."""

    operations: float
    bytes: float
    width: int = 2
    """Bytes of an activation: 2 under bfloat16 autocast."""

    def seconds(self, operations: float, moved: float) -> float:
        """The least time for so many operations and bytes: at the nearer of the two."""
        return max(operations / self.operations, moved / self.bytes)


@dataclass(frozen=True)
class Layer:
    """What one layer does in a training step for one image.

    `operations`: twice the multiply-accumulates, once forwards and twice backwards. `entries` that
    go through memory: every layer on its own reads its input and writes its output, and backwards reads its output's
    gradient and its input and writes its input's gradient; BatchNorm reads all of them twice, as
    its statistics come first.
    """

    operations: float
    entries: float

    def seconds(self, ceilings: Ceilings) -> float:
        """At the nearer of the two ceilings."""
        return ceilings.seconds(self.operations, self.entries * ceilings.width)


def layers(model: nn.Module, example: Tensor) -> list[Layer]:
    """The layers of a forward pass of one image (1, C, H, W), in order."""
    found: list[Layer] = []

    def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        sizes = inputs[0].numel(), output.numel()
        found.append(Layer(_operations(module, output), _entries(module, *sizes)))

    leaves = [m for m in model.modules() if not list(m.children())]
    handles = [leaf.register_forward_hook(note) for leaf in leaves]
    try:
        with torch.no_grad(), mode(model, training=False):
            model(example)
    finally:
        for handle in handles:
            handle.remove()
    return found


def _operations(module: nn.Module, output: Tensor) -> float:
    if not isinstance(module, nn.Conv2d | nn.Linear):
        return 0.0
    places = output.numel() // module.weight.shape[0]
    return 3 * 2.0 * places * math.prod(module.weight.shape)


def _entries(module: nn.Module, inputs: int, outputs: int) -> float:
    if isinstance(module, nn.Flatten | nn.Identity | nn.Dropout):
        return 0.0
    once = (inputs + outputs) + (outputs + 2 * inputs)
    return once + (inputs + outputs + inputs if isinstance(module, nn.BatchNorm2d) else 0)


def seconds_per_image(model: nn.Module, example: Tensor, ceilings: Ceilings) -> float:
    """Each layer at its nearer ceiling, one after the other; sums and the loss do not count."""
    return sum(layer.seconds(ceilings) for layer in layers(model, example))


def operations_per_image(model: nn.Module, example: Tensor) -> float:
    """Floating point operations of forward and backward passes."""
    return sum(layer.operations for layer in layers(model, example))
