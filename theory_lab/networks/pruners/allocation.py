"""How many weights each layer keeps, as integers that meet the total exactly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from theory_lab.core import UsageError
from theory_lab.networks.selection import check_count
from theory_lab.numerics.quotas import QUOTAS, layer_sizes

ALLOCATIONS = ("global", *QUOTAS)
"""`global` ranks all weights together; the others fix how dense each layer is by its shape."""


def layer_counts(
    shapes: Sequence[Sequence[int]], quota: str, total: int, limits: Sequence[int]
) -> list[int]:
    """Weights to keep in each layer: they sum to `total`, none is 0, none above its limit.

    Limits are what a layer has left: rounding would else give it one back now and then. Each is the
    quota d_l n_l rounded down or up, by largest remainders; but for layers whose quota is less than
    1, which keep 1, and those that make up for them. UsageError where the quota cannot
    leave `total` weights, or these are fewer than the layers.
    """
    sizes = layer_sizes(shapes)
    check_count(total, sum(limits), len(sizes))
    try:
        wanted = QUOTAS[quota](shapes, float(sizes.sum() / total)) * sizes
    except ValueError as error:
        raise UsageError(str(error)) from error
    counts = np.clip(np.floor(wanted), 1, limits)
    while (missing := total - int(counts.sum())) != 0:
        gaps = wanted - counts
        if missing > 0:
            counts[np.argmax(np.where(counts < np.asarray(limits), gaps, -np.inf))] += 1
        else:
            counts[np.argmin(np.where(counts > 1, gaps, np.inf))] -= 1
    return [int(count) for count in counts]
