"""Copies of a trained model: pruned by magnitude, with BatchNorm's statistics estimated anew."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from theory_lab.networks.datasets import Dataset
    from theory_lab.networks.loader import Loader

LARGE_BATCH = 1000


def plain_batches(data: Dataset) -> Loader:
    """All training examples, without augmentation."""
    from theory_lab.networks.loader import Loader

    return Loader(data, LARGE_BATCH, seed=0, augment=False, drop_last=False)


def renewed(model: nn.Module, data: Dataset) -> nn.Module:
    """A copy with BatchNorm's statistics estimated anew."""
    from theory_lab.networks import train

    copied = copy.deepcopy(model)
    train.reestimate_batch_norm(copied, plain_batches(data))
    return copied


def pruned_like(model: nn.Module, sparse: nn.Module, data: Dataset) -> tuple[nn.Module, float]:
    """A copy of `model` with as many prunable weights at zero as `sparse` has, and that share.

    Its smallest in magnitude, all layers together, no layer emptied; not trained any further, but
    BatchNorm's statistics, those of the unpruned weights, are estimated anew.
    """
    import torch

    from theory_lab.networks.prunable import count_zeros, prunable_weights
    from theory_lab.networks.selection import keep_largest

    zeros, size = count_zeros(sparse)
    pruned = copy.deepcopy(model)
    weights = [weight.parameter for weight in prunable_weights(pruned)]
    masks = keep_largest([weight.abs() for weight in weights], max(size - zeros, len(weights)))
    with torch.no_grad():
        for weight, mask in zip(weights, masks, strict=True):
            weight.masked_fill_(~mask, 0.0)
    return renewed(pruned, data), zeros / size
