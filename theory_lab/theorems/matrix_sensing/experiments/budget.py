"""How long plain descent needs until exactly r columns survive, over many starts."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from theory_lab.core import Experiment
from theory_lab.core.checks import at_least, one_of, positive
from theory_lab.core.seeds import Stream
from theory_lab.numerics.arrays import on_host
from theory_lab.solvers.descent import descend, safe_step
from theory_lab.solvers.regulariser import Array, squared_norms
from theory_lab.theorems.matrix_sensing.experiments.instances import (
    DATA,
    check_target,
    make_target,
)
from theory_lab.theorems.matrix_sensing.experiments.losses import PopulationLoss

POINTS = 200
"""Points of the curve of survivors that a trace keeps."""


def draw(
    d: Annotated[int, at_least(1)],
    k: Annotated[int, at_least(1)],
    lam: Annotated[float, positive],
    beta: Annotated[float, positive],
    eigenvalues: tuple[float, ...] = (),
    data: Annotated[str, one_of(DATA)] = "synthetic",
    components: int = 0,
    runs: Annotated[int, at_least(1)] = 800,
    *,
    rng: Stream,
) -> dict[str, Any]:
    """One target and `runs` starts with entries N(0, .3^2 / d)."""
    target = make_target(d, eigenvalues, data, components, rng)
    U = 0.3 / np.sqrt(d) * rng.standard_normal((runs, d, k))
    return dict(lam=lam, beta=beta, spectrum=target.spectrum, _target=target.matrix, _start=U)


def run(
    problem: dict[str, Any],
    *,
    threshold: Annotated[float, positive] = 6.0,
    patience: Annotated[float, positive] = 12.0,
    rng: Stream,
) -> dict[str, Any]:
    """`budget` (runs,): eta t lam / sqrt(mu_1) at the first step t with exactly r columns above
    2 sqrt(beta), `patience` where that was not reached; `late` (runs,): whether it is above
    `threshold`. Trace: the mean number of survivors against the budget.
    """
    lam, beta, spectrum = problem["lam"], problem["beta"], on_host(problem["spectrum"])
    step = safe_step(1.3 * spectrum[0], lam, beta)
    unit = float(step * lam / np.sqrt(spectrum[0]))
    watch = _Watch(len(spectrum), 4 * beta, len(problem["_start"]))
    path = descend(
        PopulationLoss(problem["_target"]),
        problem["_start"],
        lam,
        beta,
        step=step,
        steps=int(np.ceil(patience / unit)),
        until=watch,
        every=1,
    )
    budget = np.where(on_host(path.finished), on_host(path.steps) * unit, patience)
    means = np.array([float(mean) for mean in watch.means])
    kept = np.unique(np.linspace(0, len(means) - 1, POINTS).astype(int))
    trace = dict(budget=kept * unit, survivors=means[kept])
    return dict(budget=budget, late=budget > threshold, trace=trace)


class _Watch:
    """Stops a run when exactly r columns are longer than the threshold; counts them on the way."""

    def __init__(self, r: int, threshold: float, runs: int) -> None:
        self.r, self.threshold, self.runs = r, threshold, runs
        self.means: list[Any] = []

    def __call__(self, t: int, rows: Array, U: Array, gradient: Array) -> Array:
        counts = (squared_norms(U) > self.threshold).sum(axis=1)
        stopped = self.runs - len(rows)
        self.means.append((counts.sum() + stopped * self.r) / self.runs)
        return counts == self.r


BUDGET = Experiment("matrix_sensing.budget", draw, run, checks=(check_target,), device_ready=True)
