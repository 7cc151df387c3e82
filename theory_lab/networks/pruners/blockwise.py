"""What all pruners of blocks share: which layers, which blocks, and an exact number of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Literal, Unpack

import torch
from torch import Tensor, nn

from theory_lab.networks.blocks import Blocks, block_size
from theory_lab.networks.prunable import (
    check_choice,
    check_sparsity,
    first_and_last,
    prunable_weights,
)
from theory_lab.networks.pruners.connectivity import Connectivity
from theory_lab.networks.pruners.targeted import EffectiveOptions, TargetedPruner
from theory_lab.networks.selection import (
    check_count,
    flatten,
    keep_largest,
    kept_count,
    places_of_removal,
    ranked,
    split_like,
)

Allocation = Literal["uniform", "global"]


class BlockOptions(EffectiveOptions, total=False):
    """What every pruner of blocks takes; see `BlockPruner`."""

    skip: Collection[str] | None
    min_blocks: int


class BlockPruner(TargetedPruner):
    """A pruner that keeps or prunes whole blocks of a weight's matrix (see `networks.blocks`).

    `block`: (rows, columns), or one number for both; 1 prunes single weights. `skip`: layers that
    are not pruned; by default the first convolution and the last linear layer. Layers with fewer
    than `min_blocks` blocks are skipped too. `allocation`: "uniform" gives each layer the same
    sparsity, to the nearest block; "global" compares the blocks of all layers. No layer is emptied.
    `effective`, `batches`: see `TargetedPruner`; for "uniform" the layers then give up their blocks
    in step, the next one being that of the layer that would be the least sparse without it.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        sparsity: float,
        steps: int,
        block: int | tuple[int, int] = 1,
        skip: Collection[str] | None = None,
        min_blocks: int = 0,
        allocation: Allocation = "uniform",
        **options: Unpack[EffectiveOptions],
    ) -> None:
        check_sparsity(sparsity)
        size = self.block = block_size(block)
        skip = first_and_last(model) if skip is None else skip
        skip = {*skip, *_layers_of_few_blocks(model, skip, size, min_blocks)}
        super().__init__(model, optimizer, sparsity=sparsity, steps=steps, skip=skip, **options)
        self.blocks = [Blocks(tuple(w.parameter.shape), size, w.name) for w in self.weights]
        self.allocation = check_choice("allocation", allocation, ("uniform", "global"))
        self.block_count = sum(blocks.count for blocks in self.blocks)
        if allocation == "global" and not self.effective:
            self._check_count(kept_count(self.block_count, sparsity))

    def scores(self) -> list[Tensor]:
        """One number a block, (block rows, block columns) for each weight; the largest are kept."""
        return [
            blocks.squared_norms(weight.parameter.detach())
            for weight, blocks in zip(self.weights, self.blocks, strict=True)
        ]

    @torch.no_grad()
    def select(self, sparsity: float) -> None:
        """Keep the best of the blocks that are there now, up to this sparsity."""
        kept = self.block_masks()
        scores = [
            score.float().masked_fill(~mask, -torch.inf)
            for score, mask in zip(self.scores(), kept, strict=True)
        ]
        if self._connectivity is not None:
            masks = self._longest_prefix(self._connectivity, scores, sparsity)
        elif self.allocation == "global":
            masks = best_blocks(scores, self.blocks, sparsity)
        else:
            pairs = zip(scores, self.blocks, strict=True)
            masks = [best_blocks([score], [blocks], sparsity)[0] for score, blocks in pairs]
        self.prune_with(self._expanded(masks), sparsity)

    def _longest_prefix(
        self, connectivity: Connectivity, scores: Sequence[Tensor], sparsity: float
    ) -> list[Tensor]:
        """The blocks kept at an effective sparsity; those of score -inf are pruned already."""
        if self.allocation == "uniform":
            scores = [in_step(s, b) for s, b in zip(scores, self.blocks, strict=True)]
        places = places_of_removal(scores)

        def without(removed: int) -> list[Tensor]:
            self._check_count(self.block_count - removed)
            return self._expanded(place >= removed for place in places)

        inactive = round(sparsity * self.size)
        removed = connectivity.longest_prefix(without, self.block_count, inactive)
        return [place >= removed for place in places]

    def _check_count(self, kept: int) -> None:
        check_count(kept, self.block_count, len(self.blocks), "blocks")

    def block_masks(self) -> list[Tensor]:
        """True where a block is kept, (block rows, block columns) for each weight."""
        masks = (self._masks[weight.name] for weight in self.weights)
        return [blocks.corners(mask) for blocks, mask in zip(self.blocks, masks, strict=True)]

    def _expanded(self, masks: Iterable[Tensor]) -> list[Tensor]:
        """Masks of the weights from one boolean a block."""
        return [blocks.expand(mask) for blocks, mask in zip(self.blocks, masks, strict=True)]

    def restore(self) -> None:
        """Keep every block again."""
        self.prune_with([torch.ones_like(self._masks[w.name]) for w in self.weights], 0.0)

    def reached(self) -> bool:
        """Whether each layer (under "global", all together) is as sparse as the target, to within
        one block; an effective target is reached by the selection for it."""
        if self.effective:
            return super().reached()
        kept = [int(self._masks[weight.name].sum()) for weight in self.weights]
        sizes = [self._masks[weight.name].numel() for weight in self.weights]
        block = self.blocks[0].size[0] * self.blocks[0].size[1]
        if self.allocation == "global":
            kept, sizes = [sum(kept)], [sum(sizes)]
        allowed = (max(kept_count(size, self.target) + block - 1, block) for size in sizes)
        return all(k <= a for k, a in zip(kept, allowed, strict=True))


def best_blocks(
    scores: Sequence[Tensor], blocks: Sequence[Blocks], sparsity: float
) -> list[Tensor]:
    """Boolean masks of the blocks of largest score in these layers together.

    So many of them that the number of kept weights is nearest to that of `sparsity`; at least one
    in each layer.
    """
    if all(tiling.is_even for tiling in blocks):
        count = kept_count(sum(tiling.count for tiling in blocks), sparsity)
        return keep_largest(scores, max(count, len(scores)))
    entries = [tiling.entries.double().to(scores[0].device) for tiling in blocks]
    return split_like(_nearest_prefix(ranked(scores), flatten(entries), sparsity), scores)


def in_step(scores: Tensor, blocks: Blocks) -> Tensor:
    """Scores that give the blocks of several layers one order: the sparsity of their layer once
    they and all of lower score are pruned, in float64; -inf stays."""
    places = places_of_removal([scores])[0]
    in_order = blocks.entries.double().to(scores.device).reshape(-1)[places.reshape(-1).argsort()]
    sparsities = (in_order.cumsum(0) / in_order.sum())[places]
    return sparsities.masked_fill(scores == -torch.inf, -torch.inf)


def _nearest_prefix(scores: Tensor, entries: Tensor, sparsity: float) -> Tensor:
    """The mask of the first blocks by score: all of score inf, none of -inf, and so many that their
    weights, `entries` a block, come nearest to what `sparsity` keeps."""
    order = scores.argsort(descending=True, stable=True)
    kept = entries[order].cumsum(0)
    number = 1 + (kept - kept_count(int(kept[-1]), sparsity)).abs().argmin()
    chosen = torch.zeros_like(scores, dtype=torch.bool)
    chosen[order] = torch.arange(len(order), device=order.device) < number
    return (chosen | (scores == torch.inf)) & (scores > -torch.inf)


def _layers_of_few_blocks(
    model: nn.Module, skip: Collection[str], size: tuple[int, int], least: int
) -> list[str]:
    if least <= 0:
        return []
    weights = prunable_weights(model, skip)
    return [w.name for w in weights if _count(tuple(w.parameter.shape), size) < least]


def _count(shape: tuple[int, ...], size: tuple[int, int]) -> int:
    """The number of blocks; one that is larger than the layer counts as one."""
    out, inputs = shape[0], int(torch.Size(shape[1:]).numel())
    return -(-out // size[0]) * -(-inputs // size[1])
