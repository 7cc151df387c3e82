"""A plain copy of a pruned model: exact zeros, no parametrisation."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn.utils import parametrize

from theory_lab.networks.prunable import prunable_weights


@torch.no_grad()
def dense(model: nn.Module) -> nn.Module:
    """A copy with dense weights whose pruned entries are exactly +0.

    Parametrisations are replaced by what they compute, so that the copy's state_dict loads into a
    model that was never pruned. `model` is left as it is.
    """
    plain = copy.deepcopy(model)
    for module in list(plain.modules()):
        if parametrize.is_parametrized(module):
            _bake(module)
    for weight in prunable_weights(plain):
        weight.parameter.masked_fill_(weight.parameter == 0, 0.0)  # -0.0 is a zero, too
    return plain


def _bake(module: nn.Module) -> None:
    """Make plain parameters of what the parametrisations compute.

    Not by `remove_parametrizations`: a deep copy shares the class of the module that it was made
    from, and taking the property off that class would break the original.
    """
    names = list(module.get_submodule("parametrizations")._modules)
    baked = {name: nn.Parameter(getattr(module, name).detach().clone()) for name in names}
    module.__class__ = type(module).__mro__[1]
    del module.parametrizations
    module._parameters = {**baked, **module._parameters}  # in their usual order
