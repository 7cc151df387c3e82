"""Penalties q on grids of norms: sums against values, and q^-1(sum q)."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from theory_lab.core import Experiment, Measurement
from theory_lab.core.checks import at_least, at_most, one_of, positive
from theory_lab.core.seeds import Stream
from theory_lab.solvers.masked_penalties import PENALTIES
from theory_lab.solvers.penalties import Penalty

NAMES = tuple(PENALTIES)
ROUNDING = 8 * np.finfo(float).eps


def draw(
    least: Annotated[float, positive] = 1e-3,
    most: Annotated[float, positive] = 1e2,
    points: Annotated[int, at_least(2)] = 300,
    *,
    rng: Stream,
) -> dict[str, Any]:
    """A logarithmic grid of norms."""
    return dict(_grid=np.geomspace(least, most, points))


def run(
    problem: dict[str, Any], *, q: Annotated[str, one_of(NAMES)] = "abs", rng: Stream
) -> dict[str, Any]:
    """`excess`: the largest (q(a+b) - q(a) - q(b)) / (q(a) + q(b)) over all pairs of the grid;
    `violations` (n + 3,): the largest for each a, the largest relative fall of q between neighbours,
    q(0) and -q(0);
    `bends` (n - 2,): relative growth of the slope from one chord of q to the next."""
    penalty, a = PENALTIES[q], problem["_grid"]
    values = penalty.value(a)
    sums = values[:, None] + values[None, :]
    excess = penalty.value(a[:, None] + a[None, :]) / sums - 1
    at_zero = float(penalty.value(np.zeros(1))[0])
    chords = np.diff(values) / np.diff(a)
    step = -(-len(a) // 50)
    return dict(
        excess=float(excess.max()),
        violations=np.concatenate(
            [excess.max(axis=1), [np.max(-np.diff(values) / values[1:]), at_zero, -at_zero]]
        ),
        bends=np.diff(chords) / np.maximum(chords[:-1], chords[1:]),
        trace=dict(norms=a, values=values, slopes=penalty.slope(a), excess=excess[::step, ::step],
                   coarse=a[::step]),
    )  # fmt: skip


SUBADDITIVITY = Experiment("sequential_attention.subadditivity", draw, run)


def draw_norms(
    q: Annotated[str, one_of(NAMES)],
    groups: Annotated[int, at_least(1)],
    vectors: Annotated[int, at_least(1)] = 20,
    active: int = 0,
    scale: Annotated[float, positive, at_most(10)] = 1.0,
    *,
    rng: Stream,
) -> dict[str, Any]:
    """Norms (vectors, groups), log-uniform over four decades below 10 scale; with `active`, only
    that many of a vector are not 0."""
    norms = scale * 10 ** rng.uniform(-3, 1, (vectors, groups))
    if active:
        order = np.argsort(rng.random(norms.shape), axis=1)
        norms = np.where(order < active, norms, 0.0)
    return dict(norms=norms, q=q)


def run_norms(problem: dict[str, Any], *, rng: Stream) -> dict[str, Any]:
    """`penalty` (vectors,): q^-1(sum q(norms)), 1e100 where a bounded q makes it infinite;
    `bisected`: a bracket of the norm whose q is that sum up to its rounding, by bisection on q."""
    penalty, norms = PENALTIES[problem["q"]], problem["norms"]
    combined = np.minimum(penalty.combined(norms), 1e100)
    total = penalty.value(norms).sum(axis=1)
    ends = [_bisected(penalty, total * (1 + sign * ROUNDING), 10 * norms.sum(axis=1))
            for sign in (-1, 1)]  # fmt: skip
    return dict(penalty=combined, bisected=Measurement.certified(ends[0][0], ends[1][1]))


def _bisected(
    penalty: Penalty, total: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Brackets of the a with q(a) = total, below `high`."""
    low = np.zeros_like(total)
    for _ in range(120):
        middle = 0.5 * (low + high)
        below = penalty.value(middle) < total
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return low, high


PENALTY_VALUES = Experiment("sequential_attention.penalty_values", draw_norms, run_norms)
