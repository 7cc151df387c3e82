"""What all pruners of blocks share: which layers, which blocks, and an exact number of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from theory_lab.networks.blocks import Blocks, block_size
from theory_lab.networks.prunable import (
    check_choice,
    check_sparsity,
    first_and_last,
    prunable_weights,
)
from theory_lab.networks.pruners.base import Pruner
from theory_lab.networks.selection import (
    check_count,
    flatten,
    keep_largest,
    kept_count,
    ranked,
    split_like,
)

Allocation = Literal["uniform", "global"]


class BlockPruner(Pruner):
    """A pruner that keeps or prunes whole blocks of a weight's matrix (see `networks.blocks`).

    `block`: (rows, columns), or one number for both; 1 prunes single weights. `skip`: layers that
    are not pruned; by default the first convolution and the last linear layer. Layers with fewer
    than `min_blocks` blocks are skipped too. `allocation`: "uniform" gives each layer the same
    sparsity, to the nearest block; "global" compares the blocks of all layers. No layer is emptied.
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
    ) -> None:
        check_sparsity(sparsity)
        size = self.block = block_size(block)
        skip = first_and_last(model) if skip is None else skip
        skip = {*skip, *_layers_of_few_blocks(model, skip, size, min_blocks)}
        super().__init__(model, optimizer, sparsity=sparsity, steps=steps, skip=skip)
        self.blocks = [Blocks(tuple(w.parameter.shape), size, w.name) for w in self.weights]
        self.allocation = check_choice("allocation", allocation, ("uniform", "global"))
        if allocation == "global":
            count = sum(blocks.count for blocks in self.blocks)
            check_count(kept_count(count, sparsity), count, len(self.blocks), "blocks")

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
        if self.allocation == "global":
            self.set_block_masks(best_blocks(scores, self.blocks, sparsity))
        else:
            pairs = zip(scores, self.blocks, strict=True)
            self.set_block_masks([best_blocks([s], [b], sparsity)[0] for s, b in pairs])

    def block_masks(self) -> list[Tensor]:
        """True where a block is kept, (block rows, block columns) for each weight."""
        masks = (self._masks[weight.name] for weight in self.weights)
        return [blocks.corners(mask) for blocks, mask in zip(self.blocks, masks, strict=True)]

    def set_block_masks(self, masks: Iterable[Tensor]) -> None:
        """`set_masks` from one boolean a block."""
        pairs = zip(self.blocks, masks, strict=True)
        self.set_masks([blocks.expand(mask) for blocks, mask in pairs])

    def restore(self) -> None:
        """Keep every block again."""
        self.set_masks([torch.ones_like(self._masks[weight.name]) for weight in self.weights])

    def reached(self) -> bool:
        """Whether each layer (under "global", all together) is as sparse as the target, to within
        one block."""
        assert self.target is not None
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
