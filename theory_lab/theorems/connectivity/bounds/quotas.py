"""What layer quotas are, by the equations that they solve."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np


def gas_force(sizes: Sequence[float], compression: float) -> float:
    """The F >= 0 with sum n_l / (1 + F n_l) = N / compression: the ideal gas quota's one unknown."""
    from scipy.optimize import brentq

    n = np.asarray(sizes, dtype=float)
    kept = n.sum() / compression

    def excess(log_force: float) -> float:
        return float(np.sum(n / (1 + math.exp(log_force) * n)) / kept - 1)

    most = math.log(len(n) / kept)
    return math.exp(brentq(excess, most - 60, most, xtol=1e-14, rtol=1e-14))


def gas_densities(sizes: Sequence[float], compression: float) -> np.ndarray:
    """d_l = 1 / (1 + F n_l)."""
    return 1 / (1 + gas_force(sizes, compression) * np.asarray(sizes, dtype=float))


def erk_ratios(shapes: np.ndarray) -> np.ndarray:
    """(sum of a layer's dimensions) / (their product); shapes (L, 4), a linear layer's taps 0."""
    real = shapes > 0
    return np.where(real, shapes, 0).sum(axis=1) / np.where(real, shapes, 1).prod(axis=1)


def erk_densities(shapes: np.ndarray, compression: float) -> np.ndarray:
    """d_l = min(1, k r_l), k the root of sum n_l min(1, k r_l) = N / compression: sorted by r_l, the
    first few layers are full, and the total is linear in k between the breaks."""
    ratios, sizes = erk_ratios(shapes), np.where(shapes > 0, shapes, 1).prod(axis=1).astype(float)
    order = np.argsort(-ratios)
    kept, n, slope = sizes.sum() / compression, sizes[order], (sizes * ratios)[order]
    full = np.concatenate([[0.0], np.cumsum(n)[:-1]])
    scale = (kept - full) / np.cumsum(slope[::-1])[::-1]
    first = int(np.argmax(scale * ratios[order] <= 1 + 1e-12))
    return np.minimum(1.0, scale[first] * ratios)


def erk_without_resolving(shapes: np.ndarray, compression: float) -> np.ndarray:
    """A rival: d_l = k r_l with one k for all layers, above 1 where a layer is small."""
    ratios, sizes = erk_ratios(shapes), np.where(shapes > 0, shapes, 1).prod(axis=1)
    return ratios * sizes.sum() / compression / (ratios * sizes).sum()


def uniform_plus_limit(sizes: Sequence[float]) -> float:
    """N / (n_1 + .2 n_L): above this compression the middle layers' density would be negative."""
    return sum(sizes) / (sizes[0] + 0.2 * sizes[-1])


def all_of_last_limit(sizes: Sequence[float]) -> float:
    """A rival: the last layer dense too."""
    return sum(sizes) / (sizes[0] + sizes[-1])


def counts(quota: str, widths: Sequence[int], compression: float) -> tuple[float, ...]:
    """The rounded numbers of weights that a perceptron's layers keep: uniform, ERK or IGQ."""
    shapes = np.array([(b, a, 0, 0) for a, b in itertools.pairwise(widths)])
    sizes = shapes[:, 0] * shapes[:, 1]
    densities = {
        "uniform": lambda: np.full(len(sizes), 1 / compression),
        "ERK": lambda: erk_densities(shapes, compression),
        "IGQ": lambda: gas_densities(sizes, compression),
    }[quota]()
    return tuple(np.round(densities * sizes).tolist())
