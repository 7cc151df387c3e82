"""Multiplications of a forward pass, with and without those by a weight that is zero."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from theory_lab.networks.compatibility import taking
from theory_lab.networks.modes import mode
from theory_lab.networks.prunable import LAYERS


class Operations(NamedTuple):
    """Multiply-accumulates for one input: of all weights, and of those that are not zero.

    Convolutions and linear layers only; taps that meet padding count, biases, BatchNorm,
    activations and pooling do not. Floating point operations are twice as many.
    """

    dense: int
    nonzero: int


def operations(model: nn.Module, example: Tensor) -> dict[str, Operations]:
    """The operations of every layer by the name of its weight, for the shape of `example` (n, …)."""
    from theory_lab.networks.export.block_sparse import BlockSparse

    counts: dict[str, Operations] = {}

    def hook(name: str, layer: nn.Module) -> torch.utils.hooks.RemovableHandle:
        def count(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            weight: Tensor = layer.weight  # type: ignore[assignment]
            places = output.numel() // (len(output) * weight.shape[0])  # pixels, or tokens
            before = counts.get(name, Operations(0, 0))  # a layer may be used twice
            counts[name] = Operations(
                before.dense + places * weight.numel(),
                before.nonzero + places * int(weight.count_nonzero()),
            )

        return layer.register_forward_hook(count)

    kinds = (*LAYERS, BlockSparse)
    layers = [(name, m) for name, m in model.named_modules() if isinstance(m, kinds)]
    handles = [hook(f"{name}.weight" if name else "weight", layer) for name, layer in layers]
    try:
        with torch.no_grad(), mode(model, training=False), taking(model, example):
            model(example)
    finally:
        for handle in handles:
            handle.remove()
    return counts


def total_operations(model: nn.Module, example: Tensor) -> Operations:
    """The operations of all layers together."""
    layers = operations(model, example).values()
    return Operations(sum(o.dense for o in layers), sum(o.nonzero for o in layers))
