"""Flows of saliency: sums over weighted paths through units, from one linear solve.

A_{ji} is the weight from unit i to unit j (1 for skips), nilpotent, so that
X = (I - A)^{-1} 1_inputs are the sums over paths into the units, Y = (I - A^T)^{-1} 1_outputs over
paths out of them, and R = sum of Y over the inputs is SynFlow's objective.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from theory_lab.theorems.connectivity.bounds.effective import effective

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


def scores(f: Facts) -> np.ndarray:
    """X_i |w| Y_j (runs, W): the sum over all paths through every weight from i to j."""
    A, starts = adjacency(f)
    into, out_of = path_sums(A, starts)
    through = []
    for source, target, area, taps in f["edges"]:
        X = into[:, starts[source] : starts[source + 1]]
        Y = out_of[:, starts[target] : starts[target + 1]]
        pairs = np.repeat(Y[:, :, None] * X[:, None, :], area * taps, axis=2)
        through.append(pairs.reshape(len(pairs), -1))
    return np.concatenate(through, axis=1) * np.abs(f["values"]) * f["mask"]


def does_not_overflow(f: Facts) -> bool:
    """Whether (largest sum over paths into a unit) times (that out of one) is a number of the type
    `dtype`."""
    into, out_of = path_sums(*adjacency(f))
    with np.errstate(over="ignore"):
        return bool(into.max() * out_of.max() <= np.finfo(f["dtype"]).max)


def does_not_underflow(f: Facts) -> bool:
    """Whether the sum over paths through every active weight is a normal number of the type."""
    active = effective(f) > 0
    return bool(np.all(scores(f)[active] >= np.finfo(f["dtype"]).tiny))
