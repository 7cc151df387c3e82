"""Multiplications of a forward pass, with and without those by a weight that is zero."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from theory_lab.networks.evaluation import mode
from theory_lab.networks.prunable import Prunable, prunable_weights


class Operations(NamedTuple):
    """Multiply-accumulates for one input: of all weights, and of those that are not zero.

    Convolutions and linear layers only; taps that meet padding count, biases, BatchNorm,
    activations and pooling do not. Floating point operations are twice as many.
    """

    dense: int
    nonzero: int


def operations(model: nn.Module, example: Tensor) -> dict[str, Operations]:
    """The operations of every layer by the name of its weight, for the shape of `example` (n, …)."""
    counts: dict[str, Operations] = {}

    def hook(weight: Prunable) -> torch.utils.hooks.RemovableHandle:
        def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            tensor = weight.effective
            places = output.numel() // (len(output) * tensor.shape[0])  # pixels, or tokens
            before = counts.get(weight.name, Operations(0, 0))  # a layer may be used twice
            counts[weight.name] = Operations(
                before.dense + places * tensor.numel(),
                before.nonzero + places * int(tensor.count_nonzero()),
            )

        return weight.layer.register_forward_hook(count)

    handles = [hook(weight) for weight in prunable_weights(model)]
    try:
        with torch.no_grad(), mode(model, training=False):
            model(example)
    finally:
        for handle in handles:
            handle.remove()
    return counts


def total_operations(model: nn.Module, example: Tensor) -> Operations:
    """The operations of all layers together."""
    layers = operations(model, example).values()
    return Operations(sum(o.dense for o in layers), sum(o.nonzero for o in layers))
