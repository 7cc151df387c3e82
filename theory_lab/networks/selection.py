"""Which weights a pruner keeps: exact counts, ties broken by position, no layer ever emptied."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from theory_lab.core import UsageError


class DivergedError(UsageError):
    """What selects weights is not a number: the training has diverged, at its learning rate."""


def kept_count(total: int, sparsity: float) -> int:
    """total - round(sparsity * total): what is left of `total` weights."""
    return total - round(sparsity * total)


def check_count(count: int, total: int, layers: int, what: str = "weights") -> int:
    """The count of weights to keep, if it leaves each layer one; UsageError otherwise."""
    if not layers <= count <= total:
        raise UsageError(
            f"{count} of {total} {what} in {layers} layers cannot be kept: every layer keeps at"
            " least one; choose another sparsity."
        )
    return count


def keep_largest(scores: Sequence[Tensor], count: int) -> list[Tensor]:
    """Boolean masks of the `count` largest scores over all layers together.

    The largest score of each layer is kept first, so that no layer is emptied; UsageError where
    `count` is less than the number of layers, DivergedError where a score is NaN. Of equal scores
    those that stand first are kept. Scores below float32 are compared in it, others as they are.
    """
    flat = ranked(scores)
    check_count(count, flat.numel(), len(scores))
    return split_like(_largest(flat, count), scores)


def places_of_removal(scores: Sequence[Tensor]) -> list[Tensor]:
    """Each weight's place, 0, 1, ..., in the order in which `keep_largest` gives them up.

    int64; one sort of all scores, for those who ask for the masks of many counts.
    """
    kept_first = ranked(scores).sort(descending=True, stable=True).indices
    places = torch.empty_like(kept_first)
    places[kept_first] = torch.arange(len(places) - 1, -1, -1, device=places.device)
    return split_like(places, scores)


def ranked(scores: Sequence[Tensor]) -> Tensor:
    """All scores in one new vector, the largest of each layer inf; DivergedError for a NaN."""
    flat = flatten(scores)
    if torch.isnan(flat).any():
        raise DivergedError(
            "The scores that select weights hold NaN: the training has diverged; lower the"
            " learning rate."
        )
    flat[_best_of_each(scores)] = torch.inf
    return flat


def flatten(scores: Sequence[Tensor]) -> Tensor:
    """All scores in one new vector, layer after layer, in float32 or float64."""
    wide = any(score.dtype == torch.float64 for score in scores)
    dtype = torch.float64 if wide else torch.float32
    return torch.cat([score.detach().reshape(-1).to(dtype) for score in scores])


def split_like(flat: Tensor, layers: Sequence[Tensor]) -> list[Tensor]:
    """The inverse of `flatten`: parts of a vector in the shapes of the layers."""
    parts = flat.split([layer.numel() for layer in layers])
    return [part.reshape(layer.shape) for part, layer in zip(parts, layers, strict=True)]


def _largest(flat: Tensor, count: int) -> Tensor:
    """The mask of the `count` largest entries: those above the threshold, then its first equals."""
    threshold = torch.kthvalue(flat, flat.numel() - count + 1).values
    mask = flat > threshold
    ties = torch.nonzero(flat == threshold)[: count - int(mask.sum()), 0]
    mask[ties] = True
    return mask


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
        places.append(score.detach().reshape(-1).argmax() + offset)
        offset += score.numel()
    return torch.stack(places)
