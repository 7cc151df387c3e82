"""Empirical quantiles and distribution functions of samples along the first axis. Array API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device

from theory_lab.numerics.arrays import like


def quantiles(sample: Any, levels: Sequence[float] | np.ndarray) -> Any:
    """Quantiles of sample (n, ...) at `levels` (q,) in [0, 1]: (q, ...).

    Linear in the level between the order statistics, the least at 0 and the largest at 1.
    """
    xp, n = array_namespace(sample), sample.shape[0]
    place = np.asarray(levels) * (n - 1)
    below = np.minimum(place.astype(np.int64), max(n - 2, 0))
    ordered = xp.sort(sample, axis=0)
    low, high = (
        xp.take(ordered, xp.asarray(i, device=device(sample), copy=True), axis=0)
        for i in (below, np.minimum(below + 1, n - 1))
    )
    share = np.reshape(place - below, (-1, *[1] * (sample.ndim - 1)))
    return low + like(share, sample) * (high - low)


def median(sample: Any) -> Any:
    """The median over the first axis: (n, ...) -> (...)."""
    return quantiles(sample, [0.5])[0, ...]


def shares_below(sample: Any, points: Any) -> Any:
    """Shares of sample (n, ...), coordinate by coordinate, at or below points (q, ...): (q, ...)."""
    xp, n = array_namespace(sample), sample.shape[0]
    counts = [xp.sum(xp.astype(sample <= point, xp.int64), axis=0) for point in points]
    return xp.astype(xp.stack(counts), sample.dtype) / n
