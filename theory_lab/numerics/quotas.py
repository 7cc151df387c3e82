"""Layer quotas: how dense each layer is to be when a network is compressed N / |M| times.

All take the shapes of the layers' weights, (out, in, *kernel), and the compression, and return
densities (L,) with sum d_l n_l = N / compression, n_l the number of weights of layer l and N their
sum. numpy only. Source: arXiv:2107.02306 and its authors' code; ERK in the form of RigL.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

Shapes = Sequence[Sequence[int]]

LAST_DENSITY = 0.2
"""uniform+ never makes the last layer sparser than this."""


def layer_sizes(shapes: Shapes) -> np.ndarray:
    """n_l: the number of weights of each layer, as floats (L,)."""
    sizes = np.array([math.prod(shape) for shape in shapes], dtype=np.float64)
    if not len(sizes) or sizes.min() < 1:
        raise ValueError("A quota needs at least one layer, each with at least one weight.")
    return sizes


def uniform(shapes: Shapes, compression: float) -> np.ndarray:
    """The same density everywhere."""
    return np.full(len(shapes), _kept(layer_sizes(shapes), compression) / sum(layer_sizes(shapes)))


def uniform_plus(shapes: Shapes, compression: float) -> np.ndarray:
    """The first layer dense, the last one at least .2 dense, the others uniform.

    ValueError where what the first and the last layer keep leaves less than nothing for the others.
    """
    sizes = layer_sizes(shapes)
    if len(sizes) < 3:
        raise ValueError(f"uniform+ needs at least 3 layers, not {len(sizes)}.")
    rest = _kept(sizes, compression) - sizes[0]
    last = max(rest / (sizes.sum() - sizes[0]), LAST_DENSITY)
    middle = (rest - last * sizes[-1]) / sizes[1:-1].sum()
    if middle < 0:
        raise ValueError(
            f"uniform+ keeps the first layer and {LAST_DENSITY:g} of the last, more than a"
            f" compression of {compression:g} leaves; choose a smaller one, or another quota."
        )
    return np.array([1.0, *[middle] * (len(sizes) - 2), last])


def erk(shapes: Shapes, compression: float) -> np.ndarray:
    """d_l = k * (sum of the dimensions) / (their product); layers above 1 are frozen dense, and k is
    solved for again with the others until none is."""
    sizes = layer_sizes(shapes)
    ratios, kept = np.array([sum(shape) for shape in shapes]) / sizes, _kept(sizes, compression)
    dense = np.zeros(len(sizes), dtype=bool)
    while not dense.all():
        scale = (kept - sizes[dense].sum()) / (ratios * sizes)[~dense].sum()
        overfull = ~dense & (scale * ratios > 1)
        if not overfull.any():
            return np.where(dense, 1.0, scale * ratios)
        dense |= overfull
    return np.ones(len(sizes))


def igq(shapes: Shapes, compression: float) -> np.ndarray:
    """Ideal gas quota: d_l = 1 / (1 + F n_l) with the one force F >= 0 that meets the total.

    The total falls strictly with F, so that bisection finds it; every density is in (0, 1].
    """
    sizes = layer_sizes(shapes)
    kept = _kept(sizes, compression)
    low, high = 0.0, len(sizes) / kept  # each layer keeps less than 1 / F
    while low < (middle := 0.5 * (low + high)) < high:
        too_much = np.sum(sizes / (1 + middle * sizes)) > kept
        low, high = (middle, high) if too_much else (low, middle)
    return 1 / (1 + high * sizes)


QUOTAS: dict[str, Callable[[Shapes, float], np.ndarray]] = {
    "uniform": uniform,
    "uniform+": uniform_plus,
    "ERK": erk,
    "IGQ": igq,
}


def kept_counts(shapes: Shapes, densities: np.ndarray) -> np.ndarray:
    """round(d_l n_l), integers (L,): what a mask of these densities keeps."""
    return np.round(densities * layer_sizes(shapes)).astype(np.int64)


def _kept(sizes: np.ndarray, compression: float) -> float:
    """N / compression, the number of weights to keep."""
    if not 1 <= compression < math.inf:
        raise ValueError(f"A compression must be a number of at least 1, not {compression!r}.")
    return float(sizes.sum()) / compression
