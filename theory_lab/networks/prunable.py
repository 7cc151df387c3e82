"""Which tensors of a model are pruned: the weights of its convolutions and linear layers."""

from __future__ import annotations

from collections.abc import Collection
from numbers import Integral, Real
from typing import NamedTuple

import torch
from torch import nn
from torch.nn.utils import parametrize

from theory_lab.core import UsageError

LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)
"""BatchNorm, biases and embeddings are never pruned."""


class Prunable(NamedTuple):
    """One prunable weight: its name in the plain model's state_dict and the layer that owns it."""

    name: str
    layer: nn.Module

    @property
    def parameter(self) -> nn.Parameter:
        """What the optimiser steps: the weight itself, or the original under a parametrisation."""
        if parametrize.is_parametrized(self.layer, "weight"):
            return self.layer.parametrizations.weight.original  # type: ignore[union-attr,return-value]
        return self.layer.weight  # type: ignore[return-value]

    @property
    def effective(self) -> torch.Tensor:
        """The weight that the forward pass uses."""
        return self.layer.weight  # type: ignore[return-value]

    @property
    def is_convolution(self) -> bool:
        return not isinstance(self.layer, nn.Linear)


def prunable_weights(model: nn.Module, skip: Collection[str] = ()) -> list[Prunable]:
    """Every convolution and linear weight of the model in its own order, without those named.

    A name is that of the weight (`features.init_block.conv.weight`) or of its layer. UsageError for
    a name that the model does not have, and where nothing is left to prune.
    """
    if isinstance(skip, str):
        raise UsageError(f"skip is {skip!r}, but it must be a list of names, as [{skip!r}].")
    found = [
        Prunable(f"{name}.weight" if name else "weight", layer)
        for name, layer in model.named_modules()
        if isinstance(layer, LAYERS)
    ]
    known = {weight.name for weight in found}
    skipped = {name if name in known else f"{name}.weight" for name in skip}
    if unknown := sorted(skipped - known):
        raise UsageError(
            f"The model has no prunable weight {unknown[0].removesuffix('.weight')!r}; it has"
            f" {', '.join(weight.name for weight in found) or 'none'}."
        )
    left = [weight for weight in found if weight.name not in skipped]
    if not left:
        raise UsageError("The model has no convolution or linear layer left to prune.")
    return left


def first_and_last(model: nn.Module) -> tuple[str, ...]:
    """The names of the first convolution and of the last linear layer, as far as there are any."""
    found = prunable_weights(model)
    first = next((weight.name for weight in found if weight.is_convolution), None)
    last = next((weight.name for weight in reversed(found) if not weight.is_convolution), None)
    return tuple(name for name in (first, last) if name)


def is_count(value: object) -> bool:
    """Whether it is a whole number of at least 1, numpy's included."""
    return isinstance(value, Integral) and int(value) >= 1


def check_sparsity(sparsity: float) -> float:
    """The sparsity, if it is in [0, 1); UsageError otherwise."""
    number: object = sparsity
    if not (isinstance(number, Real) and 0 <= float(number) < 1):
        raise UsageError(f"sparsity is {sparsity!r}, but it must be at least 0 and less than 1.")
    return float(sparsity)


def check_choice(what: str, choice: str, known: Collection[str]) -> str:
    """The choice, if it is a known one; UsageError otherwise."""
    if choice not in known:
        raise UsageError(f"There is no {what} {choice!r}; choose one of {', '.join(known)}.")
    return choice


def count_zeros(model: nn.Module) -> tuple[int, int]:
    """(zeros, all) over the prunable weights as the forward pass uses them."""
    weights = [weight.effective.detach() for weight in prunable_weights(model)]
    zeros = sum(int((weight == 0).sum()) for weight in weights)
    return zeros, sum(weight.numel() for weight in weights)
