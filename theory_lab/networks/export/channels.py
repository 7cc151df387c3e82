"""Channels that nothing passes through, physically removed."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from theory_lab.networks import graph
from theory_lab.networks.compatibility import taking
from theory_lab.networks.export.plain import dense
from theory_lab.networks.graph import InnerChannels
from theory_lab.networks.modes import mode


def remove_channels(model: nn.Module, example: Tensor) -> nn.Module:
    """A smaller copy of `model` without its dead inner channels; the outputs are the same.

    Inner channels are those between a convolution with BatchNorm and ReLU and the one convolution
    that follows it inside a block; in a network without BatchNorm, those between any layer and the
    one that alone reads it. Every layer keeps one channel at least. `example`: a batch of inputs,
    for its shape.
    """
    import torch_pruning

    smaller = dense(model)
    with mode(smaller, training=False):  # the dependencies are found by a forward pass
        with torch.no_grad(), taking(smaller, example):
            smaller(example)
        dependencies = torch_pruning.DependencyGraph().build_dependency(smaller, example)
        for inner, channels in dead_channels(smaller).items():
            layer = smaller.get_submodule(inner.conv)
            remove = dependencies.get_pruner_of_module(layer).prune_out_channels
            dependencies.get_pruning_group(layer, remove, idxs=channels).prune()
    return smaller


def dead_channels(model: nn.Module) -> dict[InnerChannels, list[int]]:
    """The channels that can be removed, by layer; never all of a layer, none of a grouped one.

    A channel c is dead if the next convolution ignores it (W'_{:,c} = 0), or if BatchNorm and ReLU
    make it 0 whatever the input: gamma_c = 0 and beta_c <= 0, or a filter of zeros whose constant
    is not above 0 in training and in evaluation; without BatchNorm, a filter and a bias of zeros. A
    filter of zeros alone does not do: what BatchNorm adds then reaches the next layer as a constant.
    """
    found = {}
    for inner in graph.removable_channels(model):
        layer = model.get_submodule(inner.conv)
        if getattr(layer, "groups", 1) > 1:  # its groups must stay equally large
            continue
        norm = model.get_submodule(inner.norm) if inner.norm else None
        dead = _is_dead(layer, norm, model.get_submodule(inner.following))
        if dead.all():
            dead[0] = False
        if dead.any():
            found[inner] = dead.nonzero().flatten().tolist()
    return found


@torch.no_grad()
def _is_dead(conv: nn.Module, norm: nn.Module | None, following: nn.Module) -> Tensor:
    """A boolean for every channel (channels,)."""
    weight, after = conv.get_parameter("weight"), following.get_parameter("weight")
    is_ignored = ~after.ne(0).any(dim=0).reshape(len(weight), -1).any(1)
    is_constant = ~weight.ne(0).flatten(1).any(1)
    constant = weight.new_zeros(len(weight)) if conv.bias is None else conv.get_parameter("bias")
    if norm is None:
        return is_ignored | (is_constant & (constant == 0))
    gamma, beta = _affine(norm, like=constant)
    evaluated = beta  # by statistics of the batch, of which a constant is the mean
    if norm.running_mean is not None:
        mean, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
        evaluated = gamma * (constant - mean) / torch.sqrt(variance + norm.eps) + beta  # type: ignore[operator]
    is_silent = (beta <= 0) & ((gamma == 0) | (is_constant & (evaluated <= 0)))
    return is_ignored | is_silent


def _affine(norm: nn.Module, like: Tensor) -> tuple[Tensor, Tensor]:
    """(gamma, beta) of BatchNorm: (1, 0) where it learns none."""
    if norm.weight is None:
        return torch.ones_like(like), torch.zeros_like(like)
    return norm.get_parameter("weight"), norm.get_parameter("bias")
