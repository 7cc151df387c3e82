"""The device that somebody asks for, if it is there, and the one where a model is."""

from __future__ import annotations

import torch
from torch import nn

from theory_lab.core import UsageError


def device_of(device: str | torch.device) -> torch.device:
    """The device; UsageError where torch does not know it or this machine does not have it."""
    try:
        found = torch.device(device)
    except RuntimeError as error:
        raise UsageError(f"torch knows no device {device!r}; take 'cpu' or 'cuda'.") from error
    if found.type == "cuda" and not torch.cuda.is_available():
        raise UsageError("This machine has no cuda device that torch can use; take device='cpu'.")
    return found


def home_of(model: nn.Module) -> torch.device:
    """The device of the model's first parameter; UsageError where it has none."""
    for parameter in model.parameters():
        return parameter.device
    raise UsageError(f"The model ({type(model).__name__}) has no parameters; take one that learns.")
