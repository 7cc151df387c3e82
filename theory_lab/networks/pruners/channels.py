"""The smoothed group LASSO on channels, and the removal of those below its threshold.

Source: arXiv:2303.11453 (its regulariser and threshold, there on the columns of a matrix); what the
norm of a channel is under BatchNorm is ours, see `channel_norms.share`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from theory_lab.core import UsageError
from theory_lab.networks import graph
from theory_lab.networks.prunable import check_choice
from theory_lab.networks.pruners.base import Pruner
from theory_lab.networks.pruners.channel_norms import NORMS, Channels
from theory_lab.networks.selection import DivergedError
from theory_lab.numerics.smoothed_norm import smoothed_norm


class ChannelSplit(NamedTuple):
    """How the norms of channels lie about the threshold 2 sqrt(beta)."""

    kept: tuple[int, ...]
    """Channels of each layer above the threshold, its largest always."""
    total: int
    near: float
    """The share of all norms within a factor 2 of the threshold."""
    gap: float | None
    """The smallest kept norm over the largest dropped one; None if all are kept, inf over 0."""


class ChannelGroupLasso(Pruner):
    """Adds strength * mean over layers of mean over channels of psi_beta(r_c^2) to the loss, and
    removes the channels with r_c <= 2 sqrt(beta).

    psi_beta(s) = s / sqrt(s + beta). `strength` in units of the loss, `beta` in those of r_c^2.
    `norm`, the r_c: "share" (of the variance that BatchNorm's channels pass on; the default where
    there are any), "incoming" (of filter and bias, over its RMS in the layer when the pruner was
    made; the default elsewhere, to begin from a trained network), or, for comparison, "filter",
    "affine", "relative_affine". `channels`: which; by default all that one layer alone reads, and
    in networks with BatchNorm only those between it and a convolution.

    At the share `prune_at` of the iterations `prune()` is called and the penalty ends; the rest is
    fine-tuning. With None it is never called by itself. There is no target sparsity.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        strength: float,
        beta: float,
        steps: int,
        norm: str | None = None,
        prune_at: float | None = 1.0,
        channels: Sequence[Channels] | None = None,
    ) -> None:
        super().__init__(model, optimizer, sparsity=None, steps=steps)
        if not (0 <= strength < math.inf and 0 < beta < math.inf):
            raise UsageError(
                f"strength is {strength!r} and beta {beta!r}, but it must be strength >= 0, beta > 0."
            )
        if prune_at is not None and not 0 < prune_at <= 1:
            raise UsageError(f"prune_at is {prune_at!r}, but must be in (0, 1], or None.")
        self.channels = list(inner_channels(model) if channels is None else channels)
        self.strength, self.beta, self.prune_at = strength, beta, prune_at
        normalised = all(found.norm is not None for found in self.channels)
        self.norm = check_choice("norm", norm or ("share" if normalised else "incoming"), NORMS)
        self.is_pruned = False
        self._strengths = self._strength_of_each()
        self._unit = torch.ones(len(self.channels), device=self.channels[0].weight.device)
        if self.norm == "incoming":
            self._unit = torch.stack([squared.mean() for squared in self._raw()]).detach()

    @property
    def threshold(self) -> float:
        """2 sqrt(beta)."""
        return 2 * math.sqrt(self.beta)

    def squared_norms(self) -> list[Tensor]:
        """r_c^2 of each layer's channels, differentiable."""
        return [squared / unit for squared, unit in zip(self._raw(), self._unit, strict=True)]

    @torch.no_grad()
    def norms(self) -> list[Tensor]:
        """r_c of each layer's channels."""
        return [squared.sqrt() for squared in self.squared_norms()]

    def loss_term(self) -> Tensor | float:
        """The penalty; 0 once the channels are pruned."""
        if self.is_pruned or not self.strength:
            return 0.0
        return self._strengths @ smoothed_norm(torch.cat(self.squared_norms()), self.beta)

    def update(self) -> None:
        """Prune where it is due."""
        if self.prune_at is not None and self.step == max(1, round(self.prune_at * self.steps)):
            self.prune()

    def selected(self) -> list[Tensor]:
        """Which channels of each layer are above the threshold, its largest always."""
        kept = []
        for norms in self.norms():
            if not bool(torch.isfinite(norms).all()):
                raise DivergedError(
                    "The norms of channels are not finite: the training has diverged; lower the"
                    " learning rate."
                )
            above = norms > self.threshold
            above[norms.argmax()] = True
            kept.append(above)
        return kept

    def split(self) -> ChannelSplit:
        """How the norms lie about the threshold now."""
        layers = self.selected()
        kept, norms = torch.cat(layers), torch.cat(self.norms()).double()
        near = (norms >= self.threshold / 2) & (norms <= 2 * self.threshold)
        dropped = float(norms[~kept].max()) if not kept.all() else None
        smallest = float(norms[kept].min())
        gap = None if dropped is None else smallest / dropped if dropped else math.inf
        counts = tuple(int(layer.sum()) for layer in layers)
        return ChannelSplit(counts, len(norms), float(near.double().mean()), gap)

    @torch.no_grad()
    def prune(self, kept: Sequence[Tensor] | None = None) -> None:
        """Zero all channels but those kept (by default those `selected`), with bias, scale, shift
        and the weights that read them, for good; the penalty ends."""
        masks = {name: mask.clone() for name, mask in self.masks().items()}
        for channels, mask in zip(self.channels, kept or self.selected(), strict=True):
            if not bool(mask.any()):
                raise UsageError(f"No channel of {channels.name} would be left; keep at least one.")
            masks[f"{channels.name}.weight"][~mask] = False
            columns = masks[f"{channels.reader}.weight"]
            columns[:, ~mask.repeat_interleave(columns.shape[1] // channels.count)] = False
        self.set_masks([masks[weight.name] for weight in self.weights])
        self.is_pruned = True
        self.apply_masks()

    def kept(self) -> list[Tensor]:
        """Which channels of each layer are there."""
        masks = [self._masks[f"{channels.name}.weight"] for channels in self.channels]
        return [mask.flatten(1).any(1) for mask in masks]

    @torch.no_grad()
    def apply_masks(self) -> None:
        super().apply_masks()
        if not self.is_pruned:
            return
        for channels, kept in zip(self.channels, self.kept(), strict=True):
            for vector in channels.vectors:
                for value in (vector, *self.optimizer.state.get(vector, {}).values()):
                    if isinstance(value, Tensor) and value.shape == vector.shape:
                        value.masked_fill_(~kept, 0)

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "is_pruned": self.is_pruned, "unit": self._unit.clone()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self.is_pruned = state["is_pruned"]
        self._unit.copy_(state["unit"])

    def _strength_of_each(self) -> Tensor:
        """strength / (layers * channels of its layer) for each channel of all layers."""
        share = self.strength / len(self.channels)
        return torch.cat([c.weight.new_full((c.count,), share / c.count) for c in self.channels])

    def _raw(self) -> list[Tensor]:
        return NORMS[self.norm](self.channels)


def inner_channels(model: nn.Module) -> list[Channels]:
    """The channels that BatchNorm follows and one convolution alone reads; in a network without
    BatchNorm, all that one layer alone reads. UsageError where there are none."""
    found = graph.removable_channels(model)
    if not found:
        raise UsageError("No layer of the model has channels that one other layer alone reads.")
    modules = dict(model.named_modules())
    return [
        Channels(name, modules[name], modules[norm] if norm else None, reader, modules[reader])
        for name, norm, reader in found
    ]
