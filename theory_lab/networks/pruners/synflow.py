"""SynFlow: pruning by the flow through a weight in the linearised network; no data but a shape."""

from __future__ import annotations

import copy
import functools
from collections.abc import Mapping, Sequence
from typing import Unpack

import torch
from torch import Tensor, nn
from torch.func import functional_call

from theory_lab.core import UsageError
from theory_lab.networks.compatibility import taking
from theory_lab.networks.prunable import LAYERS
from theory_lab.networks.pruners.batches import example_of
from theory_lab.networks.pruners.saliency import OneShotPruner, Scorer
from theory_lab.networks.pruners.scored import Options

ROUNDS = 100
LEAST_FLOW = torch.finfo(torch.float64).tiny / torch.finfo(torch.float64).eps
"""Below it float64 cannot tell apart the flows through single weights that matter."""
_LEFT_OUT = (
    nn.modules.batchnorm._BatchNorm, nn.GroupNorm, nn.LayerNorm, nn.modules.dropout._DropoutNd,
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Sigmoid, nn.Tanh,
    nn.Softmax, nn.LogSoftmax,
)  # fmt: skip


class SynFlow(OneShotPruner):
    """|w| dR/d|w|, R the sum of the outputs of the linearised network for an input of ones.

    Linearised as by the authors of arXiv:2107.02306: weights |w|, no biases, normalisation and
    activations left out, average instead of maximum pooling, ones for embeddings. The scores are
    positive exactly on the active weights, up to taps that see padding alone; so with many rounds
    hardly a weight is left disconnected. In float64; UsageError where that overflows or
    underflows. `batches` shows the shape of an input. Source of the score: arXiv:2006.05467.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        sparsity: float,
        steps: int,
        at: int = 0,
        rounds: int = ROUNDS,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(
            model, optimizer, sparsity=sparsity, steps=steps, at=at, rounds=rounds, **options
        )

    def saliency(self, masks: Sequence[Tensor]) -> list[Tensor]:
        return self.scorer()(masks)

    def scorer(self) -> Scorer:
        example = example_of(self.batches).to(self.weights[0].parameter.device)
        if example.is_floating_point():
            example = torch.ones_like(example, dtype=torch.float64)
        return functools.partial(self._flows, linearised(self.model), example)

    @torch.enable_grad()
    def _flows(self, linear: nn.Module, example: Tensor, masks: Sequence[Tensor]) -> list[Tensor]:
        weights = {
            weight.name: weight.parameter.detach().double().abs().masked_fill_(~mask, 0.0)
            for weight, mask in zip(self.weights, masks, strict=True)
        }
        leaves = [weight.requires_grad_() for weight in weights.values()]
        with taking(self.model, example):
            flow = functional_call(linear, weights, (example,)).sum()
        gradients = torch.autograd.grad(flow, leaves)
        scores = [g * leaf.detach() for g, leaf in zip(gradients, leaves, strict=True)]
        is_finite = all(bool(torch.isfinite(score).all()) for score in scores)
        is_lost = flow < LEAST_FLOW and _has_path(linear, weights, example)
        if not is_finite or is_lost:
            raise UsageError(
                f"SynFlow's flow through the network is {float(flow.detach())}, beyond float64;"
                " prune it while its weights are as they were initialised, or use another pruner."
            )
        return scores


@torch.no_grad()
def _has_path(linear: nn.Module, weights: Mapping[str, Tensor], example: Tensor) -> bool:
    """Whether any flow is there in exact arithmetic.

    All weights become 0 or 1: what then flows is no less than the network's pooling leaves of it.
    """
    signs = copy.deepcopy(linear)
    for weight in signs.parameters():
        weight.sign_()
    ones = {name: weight.sign() for name, weight in weights.items()}
    return not bool(functional_call(signs, ones, (example,)).sum() == 0)


def linearised(model: nn.Module) -> nn.Module:
    """A copy in float64 with non-negative weights, all of whose operations are linear."""
    twin = copy.deepcopy(model).double().eval()
    for parent in list(twin.modules()):
        for name, child in parent.named_children():
            setattr(parent, name, _linear_form(child))
    for layer in twin.modules():
        if isinstance(layer, LAYERS):
            layer.weight.data.abs_()
            if layer.bias is not None:
                layer.bias.data.zero_()
    return twin.requires_grad_(False)


def _linear_form(layer: nn.Module) -> nn.Module:
    if isinstance(layer, _LEFT_OUT):
        return nn.Identity()
    if isinstance(layer, nn.MaxPool2d):
        return nn.AvgPool2d(layer.kernel_size, layer.stride, layer.padding, layer.ceil_mode)
    if isinstance(layer, nn.AdaptiveMaxPool2d):
        return nn.AdaptiveAvgPool2d(layer.output_size)
    return _Ones(layer.embedding_dim) if isinstance(layer, nn.Embedding) else layer


class _Ones(nn.Module):
    """In the place of an embedding: ones for any id."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, ids: Tensor) -> Tensor:
        return torch.ones(*ids.shape, self.width, dtype=torch.float64, device=ids.device)
