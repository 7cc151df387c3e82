"""Penalties q on grids of norms: sums against values, and q^-1(sum q)."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from theory_lab.core import Experiment
from theory_lab.core.checks import at_least, one_of, positive
from theory_lab.core.seeds import Stream
from theory_lab.solvers.masked_penalties import PENALTIES

NAMES = tuple(PENALTIES)


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
    `least_increase`: the least relative increase of q between neighbours; `at_zero`: q(0)."""
    penalty, a = PENALTIES[q], problem["_grid"]
    values = penalty.value(a)
    sums = values[:, None] + values[None, :]
    excess = penalty.value(a[:, None] + a[None, :]) / sums - 1
    return dict(
        excess=float(excess.max()),
        excesses=excess.max(axis=1),
        least_increase=float(np.min(np.diff(values) / values[1:])),
        at_zero=float(penalty.value(np.zeros(1))[0]),
        trace=dict(norms=a, values=values, excess=excess[::6, ::6], coarse=a[::6]),
    )


SUBADDITIVITY = Experiment("sequential_attention.subadditivity", draw, run)


def draw_norms(
    q: Annotated[str, one_of(NAMES)],
    groups: Annotated[int, at_least(1)],
    vectors: Annotated[int, at_least(1)] = 20,
    active: int = 0,
    scale: Annotated[float, positive] = 1.0,
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
    """`penalty` (vectors,): q^-1(sum q(norms)), capped at 1e12 where a bounded q makes it infinite;
    `bisected`: the same with the inverse by bisection on q alone."""
    penalty, norms = PENALTIES[problem["q"]], problem["norms"]
    combined = np.minimum(penalty.combined(norms), 1e12)
    total = penalty.value(norms).sum(axis=1)
    low, high = np.zeros_like(total), np.full_like(total, 1e4)
    with np.errstate(over="ignore"):
        for _ in range(120):
            middle = 0.5 * (low + high)
            below = penalty.value(middle) < total
            low, high = np.where(below, middle, low), np.where(below, high, middle)
    return dict(penalty=combined, bisected=0.5 * (low + high))


PENALTY_VALUES = Experiment("sequential_attention.penalty_values", draw_norms, run_norms)
