"""The loss of a model at any weights: a copy of it in eval mode, fed with the same batches."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from theory_lab.core import UsageError
from theory_lab.networks.compatibility import comparing, pairs, taking
from theory_lab.networks.evaluation import reestimate_batch_norm
from theory_lab.networks.gradients import right, task_loss
from theory_lab.networks.pruners.base import Batches

Loss = Callable[[Tensor, Tensor], Tensor]
"""(outputs, labels) -> the mean loss of the batch."""

Weights = Mapping[str, Tensor]
"""Parameters by name; a `state_dict` will do, its buffers are not read."""


def check_batches(batches: Batches) -> Batches:
    """The batches, if they can be read more than once; UsageError otherwise."""
    if isinstance(batches, Iterator):
        raise UsageError(
            "The batches are an iterator, which can be read once; pass a list of (inputs, labels)"
            " or a Loader."
        )
    return batches


class Fit(NamedTuple):
    """The mean loss over all samples, and the share of right answers (None for a regression)."""

    loss: float
    accuracy: float | None


class Landscape:
    """The loss as a function of the weights. `model` itself is never changed.

    `batches`: (inputs, labels), the same each time they are iterated: a list, or a Loader without
    augmentation.
    """

    def __init__(self, model: nn.Module, batches: Batches, loss: Loss = task_loss) -> None:
        self.model, self.loss = copy.deepcopy(model), loss
        self.batches = check_batches(batches)
        self.parameters = dict(self.model.named_parameters())
        self.model.eval()

    def check(self, weights: Weights, called: str) -> dict[str, Tensor]:
        """The model's parameters among `weights`, on its device; UsageError where one is missing or
        has another shape."""
        for name, parameter in self.parameters.items():
            if name not in weights or weights[name].shape != parameter.shape:
                has = f"the shape {tuple(weights[name].shape)}" if name in weights else "none"
                raise UsageError(
                    f"{called} must hold {name!r} of the shape {tuple(parameter.shape)}, but has"
                    f" {has}; take it from a model of the same architecture."
                )
        return {name: weights[name].detach().to(p) for name, p in self.parameters.items()}

    @torch.no_grad()
    def move_to(self, weights: Weights) -> None:
        """Take these weights and, for BatchNorm, the statistics that the batches have there."""
        for name, parameter in self.parameters.items():
            parameter.copy_(weights[name])
        reestimate_batch_norm(self.model, self.batches)

    def on_device(self, batches: Batches | None = None) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches, on the model's device."""
        where = next(iter(self.parameters.values())).device
        for inputs, labels in pairs(self.batches if batches is None else batches):
            yield inputs.to(where), labels.to(where)

    def loss_of(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """(loss, outputs) of one batch."""
        with taking(self.model, inputs):
            outputs = self.model(inputs)
        with comparing(outputs, labels):
            return self.loss(outputs, labels), outputs

    @torch.no_grad()
    def fit(self, batches: Batches | None = None) -> Fit:
        """Loss and accuracy where the model stands, over `batches` or its own."""
        total, hits, count, classifies = 0.0, 0, 0, True
        for inputs, labels in self.on_device(batches):
            loss, outputs = self.loss_of(inputs, labels)
            total += float(loss) * len(labels)
            count += len(labels)
            classifies = classifies and labels.ndim == 1 and not labels.is_floating_point()
            hits += int(right(outputs, labels)) if classifies else 0
        if not count:
            raise UsageError("There are no batches to measure a loss on; pass at least one.")
        return Fit(total / count, hits / count if classifies else None)
