"""Hypothesis strategies: parameters of stationary points inside the conditions of pruning, and
parameters that break exactly one of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from theory_lab.theorems.matrix_sensing.bounds import stationary_points as bounds

Params = dict[str, Any]


@st.composite
def shapes(draw: st.DrawFn, spare: int = 0) -> Params:
    """d, k and descending eigenvalues of X*, with at least `spare` columns more than the rank."""
    r = draw(st.integers(1, 3))
    eigenvalues = draw(st.lists(st.sampled_from((1.0, 1.3, 1.6, 2.0, 2.5)), min_size=r, max_size=r))
    return dict(
        d=draw(st.integers(r, 9)),
        k=draw(st.integers(r + spare, r + spare + 4)),
        eigenvalues=tuple(sorted(eigenvalues, reverse=True)),
        runs=2,
        method="aligned",
    )


@st.composite
def inside(draw: st.DrawFn, spare: int = 0) -> Params:
    """lam > 0 below 2 sqrt(beta) mu_r and phi(4 beta) < mu_r: exactly r columns survive."""
    shape = draw(shapes(spare))
    smallest = shape["eigenvalues"][-1]
    beta = draw(st.floats(0.003, 0.2)) * smallest
    room = (smallest - 4 * beta) / threshold_slope(beta)
    most = min(bounds.covering_threshold(smallest, beta), room)
    return dict(shape, beta=beta, lam=draw(st.floats(0.1, 0.95)) * most)


def threshold_slope(beta: float) -> float:
    """d phi(4 beta) / d lam = psi'(4 beta) / 2 = 3 / (10 sqrt(5 beta))."""
    return 3 / (10 * math.sqrt(5 * beta))


@st.composite
def without_regulariser(draw: st.DrawFn) -> Params:
    """lam = 0, more columns than the rank, all in the column space of X*."""
    changes = dict(lam=0.0, start="column space", method="descent", scale=2.0, beta=0.001)
    return draw(inside(spare=2)) | changes


@st.composite
def at_a_saddle(draw: st.DrawFn) -> Params:
    """A second column parallel to the first: stationary, not of second order."""
    params = draw(inside(spare=1))
    along = (0, *range(len(params["eigenvalues"])))
    return params | dict(start="eigenvectors", along=along, method="descent", beta=0.01, lam=0.1)


@st.composite
def not_stationary(draw: st.DrawFn) -> Params:
    """No step from a start so large that the Hessian is positive there."""
    changes = dict(steps=0, start="column space", scale=50.0, method="descent")
    return draw(inside(spare=4)) | changes


@st.composite
def too_strong(draw: st.DrawFn) -> Params:
    """lam above 2 sqrt(beta) mu_r, and a start too small to hold on to the smallest direction.

    lam = 2 sqrt(beta) mu_i is left out: there small columns neither grow nor shrink.
    """
    params = draw(shapes())
    smallest = params["eigenvalues"][-1]
    ratios = [mu / smallest for mu in params["eigenvalues"]]
    loads = st.floats(1.1, 2.0).filter(lambda load: all(abs(load / q - 1) > 0.03 for q in ratios))
    beta = draw(st.floats(0.003, 0.05)) * smallest
    lam = draw(loads) * bounds.covering_threshold(smallest, beta)
    return params | dict(beta=beta, lam=lam, scale=0.003)


@st.composite
def too_wide(draw: st.DrawFn) -> Params:
    """4 beta above mu_r: the smallest column is shorter than the threshold of pruning."""
    params = draw(shapes())
    smallest = params["eigenvalues"][-1]
    beta = draw(st.floats(0.26, 0.5)) * smallest
    lam = draw(st.floats(0.1, 0.9)) * bounds.covering_threshold(smallest, beta)
    return params | dict(beta=beta, lam=lam)


BROKEN: dict[str, Callable[[], st.SearchStrategy[Params]]] = {
    "lam > 0": without_regulariser,
    "second order: Hessian >= -1e-8": at_a_saddle,
    "stationary: |grad f| <= 1e-9": not_stationary,
    "lam < 2 sqrt(beta) mu_r": too_strong,
    "phi(4 beta) < mu_r": too_wide,
}
"""By the name of the one condition of `prune_keeps_rank` that the parameters break."""
