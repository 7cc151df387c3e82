"""How much a channel matters, as a squared norm that a penalty can act on.

A channel c of C is one output of a layer: its filter w_c (and bias b_c), under BatchNorm its scale
and shift (gamma_c, beta_c), and the weights W'_{o,c} (all taps) with which the output o of the one
layer that reads it does so. Norms are functions of several layers' channels, and return a list of
squared norms (C,), differentiable.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from theory_lab.core import UsageError


@dataclass(frozen=True)
class Channels:
    """The outputs of `layer` (a convolution or linear layer, named `name`), normalised by `norm`,
    if at all, and read by `following` (`reader`) alone, through ReLU and perhaps pooling."""

    name: str
    layer: nn.Module
    norm: nn.Module | None
    reader: str
    following: nn.Module

    def __post_init__(self) -> None:
        if self.read.shape[1] % self.count:
            raise UsageError(
                f"{self.reader} has {self.read.shape[1]} inputs, which is no multiple of the"
                f" {self.count} channels of {self.name}: it does not read them alone."
            )

    @property
    def weight(self) -> Tensor:
        return self.layer.get_parameter("weight")

    @property
    def read(self) -> Tensor:
        return self.following.get_parameter("weight")

    @property
    def count(self) -> int:
        return self.weight.shape[0]

    @property
    def vectors(self) -> list[nn.Parameter]:
        """The parameters with one entry a channel: bias, scale and shift, as far as there are."""
        found = [self.layer.bias, *(self.norm.parameters() if self.norm else ())]
        return [vector for vector in found if isinstance(vector, nn.Parameter)]

    def affine(self) -> tuple[Tensor, Tensor]:
        """(gamma, beta) of the BatchNorm."""
        if self.norm is None or self.norm.weight is None:
            raise UsageError(
                f"{self.name} has no BatchNorm with scale and shift after it; take norm='incoming'"
                " or 'filter'."
            )
        return self.norm.get_parameter("weight"), self.norm.get_parameter("bias")


def relu_variance(gamma: Tensor, beta: Tensor) -> Tensor:
    """Var relu(gamma z + beta) for z ~ N(0, 1), entry by entry, in float64.

    With t = beta / |gamma|: gamma^2 [(1 + t^2) Phi + t phi - (phi + t Phi)^2], rearranged into
    gamma^2 [Phi + t^2 Phi (1 - Phi) - t phi (2 Phi - 1) - phi^2] so that nothing large cancels for
    t -> inf. Relative error about 1e-16 max(1, t^4) for t < 0; 0 for t < -37, and for gamma = 0.
    """
    gamma, beta = gamma.double(), beta.double()
    t = (beta / gamma.abs().clamp(min=1e-150)).clamp(-37, 37)
    below, above = torch.special.ndtr(t), torch.special.ndtr(-t)
    density = torch.exp(-t.square() / 2) / math.sqrt(2 * math.pi)
    part = below + t.square() * below * above - t * density * (below - above) - density.square()
    return gamma.square() * part.clamp(min=0)


def variance_shares(variances: Tensor, outgoing: Tensor) -> Tensor:
    """r_c^2 = (C / C') sum_o e_c |W'_oc|^2 / sum_c' e_c' |W'_oc'|^2: the part of the variance of the
    next pre-activations that passes through channel c; mean 1 over c.

    `variances` e: (C,); `outgoing` |W'_oc|^2: (C', C). Outputs that nothing reaches do not count.
    """
    total = outgoing @ variances
    alive = total > 0
    inverse = torch.where(alive, total, torch.inf).reciprocal()
    outputs = alive.sum(dtype=variances.dtype).clamp(min=1)
    return variances * (inverse @ outgoing) * (variances.numel() / outputs)


def share(layers: Sequence[Channels]) -> list[Tensor]:
    """`variance_shares` of BatchNorms' channels, with e_c = `relu_variance`.

    Unchanged by what leaves the network unchanged: the scale of a filter, of an output of the next
    (normalised) layer, of all (gamma, beta), and of one against W'_{:,c}. No gradient to W': a
    dying channel then decays exponentially in (gamma, beta).
    """
    gammas, betas = zip(*(channels.affine() for channels in layers), strict=True)
    # all layers together: a dozen entries each, and it is the number of operations that costs
    variances = relu_variance(torch.cat(gammas), torch.cat(betas))
    parts = variances.split([channels.count for channels in layers])
    pairs = zip(parts, layers, strict=True)
    return [variance_shares(e, _outgoing(read)).to(gammas[0].dtype) for e, read in pairs]


def _outgoing(channels: Channels) -> Tensor:
    """|W'_oc|^2 (C', C), a constant, in float64."""
    read = channels.read.detach()
    return read.reshape(read.shape[0], channels.count, -1).square().sum(2).double()


def filter_norm(channels: Channels) -> Tensor:
    """|w_c|^2. Under BatchNorm the network does not depend on it."""
    return channels.weight.flatten(1).square().sum(1)


def incoming(channels: Channels) -> Tensor:
    """|w_c|^2 + b_c^2."""
    bias = channels.layer.bias
    squared = filter_norm(channels)
    return squared + bias.square() if isinstance(bias, Tensor) else squared


def affine(channels: Channels) -> Tensor:
    """gamma_c^2 + beta_c^2. The next layer can undo a factor of it."""
    gamma, beta = channels.affine()
    return gamma.square() + beta.square()


def relative_affine(channels: Channels) -> Tensor:
    """(gamma_c^2 + beta_c^2) / its mean over the layer. W'_{:,c} can undo a factor of a channel's."""
    squared = affine(channels)
    return squared / squared.mean()


Norm = Callable[[Sequence[Channels]], list[Tensor]]


def _layer_by_layer(norm: Callable[[Channels], Tensor]) -> Norm:
    return lambda layers: [norm(channels) for channels in layers]


NORMS: dict[str, Norm] = {
    "share": share,
    "incoming": _layer_by_layer(incoming),
    "filter": _layer_by_layer(filter_norm),
    "affine": _layer_by_layer(affine),
    "relative_affine": _layer_by_layer(relative_affine),
}
"""The norms by the names that users give."""
