"""The rank loss of several layers as one differentiable number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from theory_lab.networks.selection import DivergedError
from theory_lab.numerics.spectra import RankLoss, rank_loss


class _MeanRankLoss(torch.autograd.Function):
    """Mean over the layers with W != 0 of -tau(W); the gradient in closed form.

    One eigen-solve a layer serves value and gradient, and nothing is differentiated through.
    """

    @staticmethod
    def forward(ctx: Any, energy: float, *weights: Tensor) -> Tensor:
        losses = [_layer_loss(weight, energy) for weight in weights]
        # rank 0 leaves everything, which is a loss of -1; with a loss of 0 it means W = 0
        active = max(1, sum(loss.value != 0 or loss.rank != 0 for loss in losses))
        ctx.gradients = [
            loss.gradient.reshape(weight.shape).div_(active)
            for loss, weight in zip(losses, weights, strict=True)
        ]
        return weights[0].new_tensor(sum(loss.value for loss in losses) / active)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return None, *(grad * gradient for gradient in ctx.gradients)


def _layer_loss(weight: Tensor, energy: float) -> RankLoss:
    """In the weight's own precision, also where the training multiplies in a lower one."""
    try:
        with torch.autocast(weight.device.type, enabled=False):
            return rank_loss(weight.detach().flatten(1), energy=energy)
    except ValueError as error:
        raise DivergedError(
            f"{error} The training has diverged; lower the learning rate."
        ) from error


def mean_rank_loss(weights: Sequence[Tensor], energy: float) -> Tensor:
    """(1/n) sum_l -tau(W_l) over the n weights that are not zero, as matrices (out, in * taps).

    tau is the energy of the normalised matrix beyond its rank k, k per layer the one whose tail is
    nearest to `energy`. k and the approximation of rank k are constants of the gradient.
    """
    return _MeanRankLoss.apply(energy, *weights)
