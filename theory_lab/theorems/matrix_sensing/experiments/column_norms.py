"""The norms of all columns after descent with and without the regulariser (the paper's figure)."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from theory_lab.core import Experiment
from theory_lab.core.checks import at_least
from theory_lab.core.seeds import Stream
from theory_lab.numerics.arrays import on_host
from theory_lab.solvers.descent import descend, safe_step
from theory_lab.solvers.regulariser import squared_norms
from theory_lab.theorems.matrix_sensing.experiments.stationary_points import CHECKS, draw

SHARES = (0.1, 0.25, 0.5, 0.75, 0.9)


def run(
    problem: dict[str, Any],
    *,
    regularised: bool = True,
    steps: Annotated[int, at_least(1)] = 1000,
    rng: Stream,
) -> dict[str, Any]:
    """Plain descent, then `fractions` (runs, 5): the share of columns with norm at least
    .1, .25, .5, .75, .9 times the largest. Trace: `norms` (runs, k), descending.
    """
    lam, beta = problem["lam"] * regularised, problem["beta"]
    largest = max(1.3 * float(problem["spectrum"][0]), problem["start_norm"])
    U = descend(
        problem["_loss"],
        problem["_start"],
        lam,
        beta,
        step=safe_step(largest, lam, beta, problem["_curvature"]),
        steps=steps,
    ).U
    norms = np.sort(np.sqrt(on_host(squared_norms(U))), axis=1)[:, ::-1]
    above = norms[:, None, :] >= np.array(SHARES)[:, None] * norms[:, None, :1]
    return dict(fractions=above.mean(axis=2), trace=dict(norms=norms))


COLUMN_NORMS = Experiment(
    "matrix_sensing.column_norms", draw, run, checks=CHECKS, device_ready=True
)
