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
            for name in list(module.parametrizations):  # type: ignore[union-attr,arg-type]
                parametrize.remove_parametrizations(module, name, leave_parametrized=True)
    for weight in prunable_weights(plain):
        weight.parameter.masked_fill_(weight.parameter == 0, 0.0)  # -0.0 is a zero, too
    return plain
