"""gRDA as an optimiser, and the groups of parameters that optimisers treat apart."""

from __future__ import annotations

from typing import Any

from torch import nn


def parameter_groups(model: nn.Module, **of_norms_and_biases: Any) -> list[dict[str, Any]]:
    """Two groups of a model's parameters: weights, then BatchNorm and biases with these options.

    `GRDA(parameter_groups(model, c=0.0), …)` thresholds weights alone, and
    `SGD(parameter_groups(model, weight_decay=0.0), …)` decays them alone. BatchNorm's parameters
    and biases are those with one axis; a group that would be empty is left out.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    weights = [p for p in parameters if p.ndim > 1]
    others = [p for p in parameters if p.ndim <= 1]
    groups: list[dict[str, Any]] = [{"params": weights}, {"params": others, **of_norms_and_biases}]
    return [group for group in groups if group["params"]]
