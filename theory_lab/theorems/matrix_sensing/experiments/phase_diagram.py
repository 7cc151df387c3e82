"""How many columns survive at stationary points, over a grid of regularisations in one batch."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from array_api_compat import array_namespace

from theory_lab.core import Experiment
from theory_lab.core.checks import at_least, positive
from theory_lab.core.seeds import Stream
from theory_lab.numerics.arrays import on_host
from theory_lab.solvers.descent import descend, safe_step, small_gradient
from theory_lab.solvers.regulariser import squared_norms
from theory_lab.theorems.matrix_sensing.experiments.instances import check_target, make_target
from theory_lab.theorems.matrix_sensing.experiments.losses import PopulationLoss


def draw(
    d: Annotated[int, at_least(1)],
    k: Annotated[int, at_least(1)],
    eigenvalues: tuple[float, ...],
    loads: Annotated[tuple[float, ...], positive],
    widths: Annotated[tuple[float, ...], positive],
    seeds: Annotated[int, at_least(1)] = 4,
    scale: Annotated[float, positive] = 0.3,
    *,
    rng: Stream,
) -> dict[str, Any]:
    """One target; `seeds` starts N(0, scale^2 / d) for every pair of lam / (2 sqrt(beta) mu_r)
    in `loads` and beta / mu_r in `widths`."""
    target = make_target(d, eigenvalues, "synthetic", 0, rng)
    starts = scale / np.sqrt(d) * rng.standard_normal((seeds, d, k))
    largest = float(np.max(np.linalg.norm(starts, 2, axis=(1, 2))) ** 2)
    return dict(
        eigenvalues=eigenvalues,
        loads=loads,
        widths=widths,
        start_norm=largest,
        _target=target.matrix,
        _starts=starts,
    )


def run(
    problem: dict[str, Any], *, steps: Annotated[int, at_least(0)] = 20_000, rng: Stream
) -> dict[str, Any]:
    """Aligned descent to gradient 1e-8, then over the grid (loads, widths): `exact`, the share of
    starts after which exactly r columns exceed 2 sqrt(beta); `gradient_norm`, the largest."""
    smallest, starts = problem["eigenvalues"][-1], problem["_starts"]
    beta = np.array(problem["widths"])[None, :, None] * smallest
    lam = np.array(problem["loads"])[:, None, None] * 2 * np.sqrt(beta) * smallest
    shape = (*np.broadcast_shapes(lam.shape, beta.shape)[:2], len(starts))
    lam, beta = (np.broadcast_to(grid, shape).ravel() for grid in (lam, beta))
    U = array_namespace(starts).tile(starts, (shape[0] * shape[1], 1, 1))
    largest = max(1.3 * problem["eigenvalues"][0], problem["start_norm"])
    path = descend(
        PopulationLoss(problem["_target"]),
        U,
        lam,
        beta,
        step=safe_step(largest, lam, beta),
        steps=steps,
        until=small_gradient(1e-8),
        aligned=True,
    )
    above = on_host(squared_norms(path.U)) > 4 * beta[:, None]
    counts = above.sum(axis=1).reshape(shape)
    exact = (counts == len(problem["eigenvalues"])).mean(axis=2)
    return dict(
        exact=exact,
        finished=on_host(path.finished).reshape(shape).all(axis=2),
        trace=dict(survivors=counts.mean(axis=2)),
    )


def check_grid(params: Any) -> None:
    """The same checks as for one synthetic target."""
    check_target({**params, "data": "synthetic", "components": 0})


PHASE_DIAGRAM = Experiment(
    "matrix_sensing.phase_diagram", draw, run, checks=(check_grid,), device_ready=True
)
