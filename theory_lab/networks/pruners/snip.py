"""SNIP: pruning by how much the loss would feel a weight go."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Unpack

import torch
from torch import Tensor, nn
from torch.func import functional_call

from theory_lab.core import UsageError
from theory_lab.networks import distributed
from theory_lab.networks.compatibility import comparing, taking
from theory_lab.networks.prunable import is_count
from theory_lab.networks.pruners.batches import first_batches
from theory_lab.networks.pruners.saliency import OneShotPruner
from theory_lab.networks.pruners.scored import Options


class SNIP(OneShotPruner):
    """|g w| with g the gradient of `loss(model(inputs), labels)`, averaged over samples.

    `batches` are iterated anew each round, the first `batch_limit` of them (all by default). The
    network is in training mode, as at the start of a training; its buffers, gradients and weights
    stay as they are. Of several processes each has its own batches, and g is the mean over the
    samples of all. One round by default; arXiv:2107.02306 also takes 300. Source: arXiv:1810.02340.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        sparsity: float,
        steps: int,
        at: int = 0,
        rounds: int = 1,
        loss: Callable[[Tensor, Tensor], Tensor] = nn.functional.cross_entropy,
        batch_limit: int | None = None,
        **options: Unpack[Options],
    ) -> None:
        if batch_limit is not None and not is_count(batch_limit):
            raise UsageError(
                f"batch_limit is {batch_limit!r}, but it must be a whole number of at least 1, or"
                " None for all batches."
            )
        self.loss, self.batch_limit = loss, batch_limit
        super().__init__(
            model, optimizer, sparsity=sparsity, steps=steps, at=at, rounds=rounds, **options
        )

    @torch.enable_grad()
    def saliency(self, masks: Sequence[Tensor]) -> list[Tensor]:
        model = copy.deepcopy(self.model).train()  # BatchNorm's statistics move in the copy
        weights = {
            weight.name: weight.parameter.detach().masked_fill(~mask, 0.0).requires_grad_()
            for weight, mask in zip(self.weights, masks, strict=True)
        }
        device = masks[0].device
        sums, seen = [torch.zeros_like(weight) for weight in weights.values()], 0.0
        for inputs, labels in first_batches(self.batches, self.batch_limit):
            with taking(model, inputs):
                outputs = functional_call(model, weights, (inputs.to(device),))
            with comparing(outputs, labels):
                loss = self.loss(outputs, labels.to(device)) * len(inputs)
            gradients = torch.autograd.grad(loss, list(weights.values()))
            torch._foreach_add_(sums, gradients)
            seen += len(inputs)
        distributed.add_up(sums)
        (seen,) = distributed.sums([seen], device)
        pairs = zip(sums, weights.values(), strict=True)
        return [(gradient / seen * weight.detach()).abs() for gradient, weight in pairs]
