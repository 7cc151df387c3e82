"""Pairs of columns at points along the descent, with the gradient and curvature there."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from theory_lab.core import Experiment
from theory_lab.core.checks import at_least
from theory_lab.core.seeds import Stream
from theory_lab.solvers.descent import descend, safe_step
from theory_lab.solvers.regulariser import (
    Array,
    penalty_bend,
    penalty_slope,
    squared_norms,
)
from theory_lab.solvers.stationary import certify
from theory_lab.theorems.matrix_sensing.experiments.stationary_points import CHECKS, draw


def run(
    problem: dict[str, Any], *, steps: Annotated[int, at_least(0)] = 200, rng: Stream
) -> dict[str, Any]:
    """Plain descent for `steps` steps, then for every run: eps = |grad f|_F, gamma = max(0, minus
    the certified curvature), and for every pair of columns i < j (runs, pairs):

    first_norms, second_norms: |u_i|^2, |u_j|^2; slope_products: 2 lam |G_ij| |psi'_i - psi'_j|;
    bend_products: 4 lam G_ij^2 (|psi''_i| + |psi''_j|).
    """
    loss, lam, beta = problem["_loss"], problem["lam"], problem["beta"]
    largest = max(1.3 * problem["spectrum"][0], problem["start_norm"])
    step = safe_step(largest, lam, beta, problem["_curvature"])
    U = descend(loss, problem["_start"], lam, beta, step=step, steps=steps).U
    gradient_norm, curvature = certify(loss, U, lam, beta, rng=rng.named("search"))
    pairs = pair_products(U, lam, beta)
    return dict(eps=gradient_norm[:, None], gamma=np.maximum(0, -curvature)[:, None], **pairs)


def pair_products(U: Array, lam: float, beta: float) -> dict[str, Array]:
    """What the two bounds of approximate orthogonality bound, for all pairs of columns."""
    i, j = np.triu_indices(U.shape[2], 1)
    gram = np.abs(np.swapaxes(U, 1, 2) @ U)[:, i, j]
    s = squared_norms(U)
    slope, bend = penalty_slope(s, beta), np.abs(penalty_bend(s, beta))
    return dict(
        first_norms=s[:, i],
        second_norms=s[:, j],
        slope_products=2 * lam * gram * np.abs(slope[:, i] - slope[:, j]),
        bend_products=4 * lam * gram**2 * (bend[:, i] + bend[:, j]),
    )


DESCENT_PATH = Experiment("matrix_sensing.descent_path", draw, run, checks=CHECKS)
