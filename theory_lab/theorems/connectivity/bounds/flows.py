"""Flows of saliency: sums over weighted paths through units, from one linear solve.

A_{ji} is the weight from unit i to unit j (1 for skips), nilpotent, so that
X = (I - A)^{-1} 1_inputs are the sums over paths into the units, Y = (I - A^T)^{-1} 1_outputs over
paths out of them, and R = sum of Y over the inputs is SynFlow's objective.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

Facts = Mapping[str, Any]


def adjacency(f: Facts) -> tuple[np.ndarray, np.ndarray]:
    """A (runs, U, U) of |weights| (runs, W) under the mask, and the first unit of every
    group."""
    starts = np.concatenate([[0], np.cumsum(f["units"])])
    kept, A = np.abs(f["values"]) * f["mask"], np.zeros((len(f["mask"]), starts[-1], starts[-1]))
    place = 0
    for source, target, area, taps in f["edges"]:
        rows, columns = f["units"][target], f["units"][source]
        size = rows * columns * area * taps
        block = kept[:, place : place + size].reshape(-1, rows, columns, area * taps).sum(axis=3)
        A[:, starts[target] : starts[target + 1], starts[source] : starts[source + 1]] += block
        place += size
    for source, target in f["skips"]:
        here = np.arange(f["units"][source])
        A[:, starts[target] + here, starts[source] + here] += 1.0
    return A, starts


def path_sums(A: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """X and Y (runs, U): the sums over all paths into, and out of, every unit."""
    units, identity = int(starts[-1]), np.eye(int(starts[-1]))
    inputs, outputs = np.zeros((len(A), units, 1)), np.zeros((len(A), units, 1))
    inputs[:, : starts[1]], outputs[:, starts[-2] :] = 1.0, 1.0
    into = np.linalg.solve(identity - A, inputs)
    out_of = np.linalg.solve(identity - np.swapaxes(A, 1, 2), outputs)
    return into[..., 0], out_of[..., 0]


def flows(f: Facts) -> np.ndarray:
    """X_j Y_j (runs, U): the sum over all paths through every unit."""
    into, out_of = path_sums(*adjacency(f))
    return into * out_of


def hidden(f: Facts, values: np.ndarray) -> np.ndarray:
    """The columns of the hidden units."""
    return values[:, int(f["units"][0]) : -int(f["units"][-1])]


def incoming_only(f: Facts) -> np.ndarray:
    """A rival: X_j, the sum over all paths into every unit."""
    return path_sums(*adjacency(f))[0]


def total(f: Facts) -> np.ndarray:
    """R (runs, 1): the sum over all paths from an input to an output."""
    return flows(f)[:, : int(f["units"][0])].sum(axis=1, keepdims=True)


def most_paths(f: Facts) -> float:
    """Above every score of SynFlow with all weights 1: (most paths into a unit) times (most paths
    out of one)."""
    into, out_of = path_sums(*adjacency(dict(f, values=np.ones(f["mask"].shape))))
    return float(into.max() * out_of.max())


def is_representable(f: Facts) -> bool:
    """Whether sums over paths, of weights up to `extremes[1]`, stay below the largest number of the
    type `dtype`."""
    largest = len(f["units"]) * np.log(max(1.0, f["extremes"][1]))
    return bool(np.log(max(1.0, most_paths(f))) + largest <= np.log(np.finfo(f["dtype"]).max))


def is_above_zero(f: Facts) -> bool:
    """Whether the product along the longest path, of weights from `extremes[0]` on, stays above the
    least normal number of the type `dtype`."""
    least = len(f["units"]) * np.log(min(1.0, f["extremes"][0]))
    return bool(least >= np.log(np.finfo(f["dtype"]).tiny))
