"""Direct and effective sparsity of a model, in all and by layer.

Sparsity is a share of the prunable weights, those of convolutions and linear layers; BatchNorm and
biases do not count. A weight that is not zero is *active* if it lies on a path of such weights from
an input to an output; effective sparsity counts all others as zero. BatchNorm, activations and
pooling are identities of a channel, a residual connection joins the channels of both branches, and
a unit with a bias alone is dead. Source: arXiv:2107.02306 and its authors' code.
"""

from __future__ import annotations

import math
from collections.abc import Collection

from torch import Tensor, nn

from theory_lab.networks import graph
from theory_lab.networks.prunable import count_zeros, prunable_weights
from theory_lab.numerics.paths import effective_masks


def sparsity(model: nn.Module) -> float:
    """zeros / all over the prunable weights, as the forward pass uses them."""
    zeros, size = count_zeros(model)
    return zeros / size


def layer_sparsities(model: nn.Module) -> dict[str, float]:
    """The direct sparsity of every prunable weight by its name."""
    return {name: _share_of_zeros([mask]) for name, mask in _masks(model).items()}


def effective_sparsity(model: nn.Module, example: Tensor) -> float:
    """1 - active / all over the prunable weights; `example`: a batch of inputs, for its shape."""
    return _share_of_zeros(active_masks(model, example).values())


def effective_compression(model: nn.Module, example: Tensor) -> float:
    """all / active: how many times fewer weights are active; infinite where no path is left."""
    active = active_masks(model, example).values()
    count = sum(int(mask.sum()) for mask in active)
    return sum(mask.numel() for mask in active) / count if count else math.inf


def layer_effective_sparsities(model: nn.Module, example: Tensor) -> dict[str, float]:
    """The effective sparsity of every prunable weight by its name."""
    masks = active_masks(model, example)
    return {name: _share_of_zeros([mask]) for name, mask in masks.items()}


def active_masks(model: nn.Module, example: Tensor) -> dict[str, Tensor]:
    """For every prunable weight a boolean of its shape: which entries lie on a path."""
    network, masks = graph.of(model, example), _masks(model)
    found = effective_masks(network.graph, [masks[name] for name in network.names])
    return dict(zip(network.names, found, strict=True))


def _share_of_zeros(masks: Collection[Tensor]) -> float:
    size = sum(mask.numel() for mask in masks)
    return (size - sum(int(mask.sum()) for mask in masks)) / size


def _masks(model: nn.Module) -> dict[str, Tensor]:
    return {weight.name: weight.effective.detach() != 0 for weight in prunable_weights(model)}
