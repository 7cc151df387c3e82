"""Which weights a pruner keeps: exact counts, ties broken by position, no layer ever emptied."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from theory_lab.core import UsageError


def kept_count(total: int, sparsity: float) -> int:
    """total - round(sparsity * total): what is left of `total` weights."""
    return total - round(sparsity * total)


def keep_largest(scores: Sequence[Tensor], count: int) -> list[Tensor]:
    """Boolean masks of the `count` largest scores over all layers together.

    The largest score of each layer is kept first, so that no layer is emptied; UsageError where
    `count` is less than the number of layers. NaN scores are an error too.
    """
    flat = torch.cat([score.detach().reshape(-1).to(torch.float32) for score in scores])
    if not len(scores) <= count <= flat.numel():
        raise UsageError(
            f"{count} of {flat.numel()} weights in {len(scores)} layers cannot be kept: every layer"
            " keeps at least one; choose another sparsity."
        )
    if torch.isnan(flat).any():
        raise UsageError("The scores that select weights hold NaN; the training has diverged.")
    flat[_best_of_each(scores)] = torch.inf
    mask = torch.zeros(flat.numel(), dtype=torch.bool, device=flat.device)
    mask[torch.topk(flat, count, sorted=False).indices] = True
    parts = mask.split([score.numel() for score in scores])
    return [part.reshape(score.shape) for part, score in zip(parts, scores, strict=True)]


def keep_largest_each(scores: Sequence[Tensor], counts: Sequence[int]) -> list[Tensor]:
    """Boolean masks of the `counts[l]` largest scores of layer l; at least one each."""
    return [
        keep_largest([score], min(max(1, count), score.numel()))[0]
        for score, count in zip(scores, counts, strict=True)
    ]


def _best_of_each(scores: Sequence[Tensor]) -> Tensor:
    """Positions of the largest score of each layer in the concatenated scores."""
    offset, places = 0, []
    for score in scores:
        places.append(score.detach().reshape(-1).to(torch.float32).argmax() + offset)
        offset += score.numel()
    return torch.stack(places)
