"""Which of a pruner's weights lie on a path from an input to an output."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from theory_lab.core import UsageError
from theory_lab.networks import graph
from theory_lab.networks.devices import home_of
from theory_lab.numerics import paths


class Connectivity:
    """The network's paths, for masks of the weights `names`; all other weights are kept."""

    def __init__(self, model: nn.Module, example: Tensor, names: Sequence[str]) -> None:
        example = example.to(home_of(model))
        network = graph.of(model, example)
        self._graph, self._edges, self._names = network.graph, network.names, list(names)
        self._dense = {
            name: torch.ones(shape, dtype=torch.bool, device=example.device)
            for name, shape in zip(network.names, network.graph.shapes, strict=True)
        }

    def active_masks(self, masks: Sequence[Tensor]) -> list[Tensor]:
        """Of masks in the order of `names`, what lies on a path."""
        held = self._dense | dict(zip(self._names, masks, strict=True))
        active = paths.effective_masks(self._graph, [held[name] for name in self._edges])
        found = dict(zip(self._edges, active, strict=True))
        return [found[name] for name in self._names]

    def active_count(self, masks: Sequence[Tensor]) -> int:
        """The number of active weights."""
        return sum(int(mask.sum()) for mask in self.active_masks(masks))

    def longest_prefix(
        self, without: Callable[[int], Sequence[Tensor]], units: int, inactive: int
    ) -> int:
        """The most of `units` removals, in a given order, that leave at most `inactive` weights on
        no path, pruned ones among them.

        `without(n)`: the masks once the first n are removed; UsageError where so many cannot be.
        """

        def found(removed: int) -> float:
            try:
                masks = without(removed)
            except UsageError:
                return math.inf
            return sum(mask.numel() for mask in masks) - self.active_count(masks)

        return paths.largest_prefix(found, units, inactive)
