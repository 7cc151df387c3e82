"""Plain descent on |U U^T - X*|_F^2 after pruning and without it."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from theory_lab.core import Experiment, Measurement
from theory_lab.core.checks import at_least, one_of, positive
from theory_lab.core.seeds import Stream
from theory_lab.solvers.descent import align, safe_step
from theory_lab.solvers.regulariser import Array, squared_norms
from theory_lab.solvers.stationary import second_order_points
from theory_lab.theorems.matrix_sensing.experiments.instances import (
    DATA,
    check_target,
    make_target,
)
from theory_lab.theorems.matrix_sensing.experiments.losses import PopulationLoss

MODELS = ("generic", "pruned", "unpruned")


def draw(
    d: Annotated[int, at_least(1)],
    k: Annotated[int, at_least(1)],
    eigenvalues: tuple[float, ...] = (),
    data: Annotated[str, one_of(DATA)] = "synthetic",
    components: int = 0,
    lam: Annotated[float, positive] = 0.1,
    beta: Annotated[float, positive] = 0.01,
    scale: Annotated[float, positive] = 0.05,
    *,
    rng: Stream,
) -> dict[str, Any]:
    """The target, a start with entries N(0, .3^2 / d), and a perturbation of relative size `scale`."""
    target = make_target(d, eigenvalues, data, components, rng)
    truth = target.axes * np.sqrt(target.spectrum)
    noise = rng.standard_normal(truth.shape)
    noise *= scale * np.sqrt(target.spectrum[-1]) / np.linalg.norm(noise)
    return dict(
        lam=lam,
        beta=beta,
        spectrum=target.spectrum,
        _target=target.matrix,
        _near=truth + noise,
        _start=0.3 / np.sqrt(d) * rng.standard_normal((d, k)),
    )


def run(
    problem: dict[str, Any],
    *,
    model: Annotated[str, one_of(MODELS)] = "generic",
    step: Annotated[float, positive] = 0.02,
    steps: Annotated[int, at_least(20)] = 1500,
    rng: Stream,
) -> dict[str, Any]:
    """`rate`: the factor per step by which |U U^T - X*|_F falls, from the two halves of its way
    between 1e-4 and 1e-9 (of the last half of the steps, if it never is there).

    model: "generic" starts r columns near the truth, "pruned" at the columns that survive a
    regularised descent, "unpruned" with all k columns. Trace: `error` (steps + 1,).
    """
    starts = {"generic": _near, "pruned": _pruned, "unpruned": _start}
    errors = error_path(problem["_target"], starts[model](problem, rng), step, steps)
    fast, slow = np.sort(_factors(errors, 1e-4, 1e-9))
    return dict(rate=Measurement.estimated(fast, slow), trace=dict(error=_thinned(errors)))


def _near(problem: dict[str, Any], rng: Stream) -> Array:
    return problem["_near"]


def _start(problem: dict[str, Any], rng: Stream) -> Array:
    return problem["_start"]


def _pruned(problem: dict[str, Any], rng: Stream) -> Array:
    """The columns above 2 sqrt(beta) at a stationary point of the regularised problem."""
    lam, beta = problem["lam"], problem["beta"]
    points = second_order_points(
        PopulationLoss(problem["_target"]),
        problem["_start"][None],
        lam,
        beta,
        step=safe_step(1.3 * problem["spectrum"][0], lam, beta),
        rng=rng.named("search"),
        tol=1e-12,
    )
    U = points.U[0]
    return U[:, squared_norms(U) > 4 * beta]


def error_path(target: Array, U: Array, step: float, steps: int) -> Array:
    """|U U^T - X*|_F before each of `steps` steps U <- U - 4 step (U U^T - X*) U, and after."""
    errors = np.empty(steps + 1)
    for t in range(steps + 1):
        difference = U @ U.T - target
        errors[t] = np.linalg.norm(difference)
        U = U - 4 * step * difference @ U
    return errors


def _factors(errors: Array, upper: float, lower: float) -> Array:
    """Geometric mean factors per step over the first and the second half of the window."""
    inside = np.flatnonzero((errors < upper) & (errors > lower))
    if len(inside) < 5:
        inside = np.arange(len(errors) // 2, len(errors))
    first, last = inside[0], inside[-1]
    middle = (first + last) // 2
    logs = np.log(np.maximum(errors, np.finfo(float).tiny))
    halves = ((first, middle), (middle, last))
    return np.exp([(logs[b] - logs[a]) / (b - a) for a, b in halves])


def _thinned(errors: Array) -> Array:
    """At most 2,000 steps of a path, for figures: beyond the rounding floor nothing is to see."""
    return errors[:2000]


FINE_TUNING = Experiment("matrix_sensing.fine_tuning", draw, run, checks=(check_target,))


def draw_edge(
    d: Annotated[int, at_least(1)],
    eigenvalues: tuple[float, ...] = (),
    data: Annotated[str, one_of(DATA)] = "synthetic",
    components: int = 0,
    *,
    rng: Stream,
) -> dict[str, Any]:
    """The target, and a start at relative distance 1e-4 from the truth, r columns."""
    drawn = draw(d, d, eigenvalues, data, components, scale=1e-4, rng=rng)
    return {name: drawn[name] for name in ("spectrum", "_target", "_near")}


def run_edge(
    problem: dict[str, Any], *, steps: Annotated[int, at_least(100)] = 2000, rng: Stream
) -> dict[str, Any]:
    """`edge`: a bracket of the step from which on |U U^T - X*|_F no longer falls in `steps` steps,
    by two rounds of trial steps, in units of the largest singular value of X*."""
    unit = 1 / np.linalg.norm(problem["_target"], 2)
    trial = unit * np.geomspace(0.02, 2.0, 33)
    for _ in range(2):
        stable = _contracts(problem["_target"], problem["_near"], trial, steps)
        first = int(np.argmin(stable))
        low, high = trial[first - 1], trial[first]
        trial = np.linspace(low, high, 65)
    return dict(edge=Measurement.certified(low, high))


def _contracts(target: Array, start: Array, step: Array, steps: int) -> Array:
    """Whether the error is smaller after `steps` steps than at the start, for each step size."""
    U = np.repeat(start[None], len(step), axis=0)
    with np.errstate(all="ignore"):
        for _ in range(steps):
            difference = U @ np.swapaxes(U, 1, 2) - target
            U = U - 4 * step[:, None, None] * (difference @ U)
        error = np.linalg.norm(U @ np.swapaxes(U, 1, 2) - target, axis=(1, 2))
    return error < np.linalg.norm(start @ start.T - target)


def check_edge(params: Any) -> None:
    """As for a target fitted with d columns."""
    check_target({**params, "k": params["d"]})


STABILITY = Experiment("matrix_sensing.stability", draw_edge, run_edge, checks=(check_edge,))


def draw_idle(
    d: Annotated[int, at_least(1)],
    k: Annotated[int, at_least(1)],
    eigenvalues: tuple[float, ...] = (),
    data: Annotated[str, one_of(DATA)] = "synthetic",
    components: int = 0,
    step: Annotated[float, positive] = 0.05,
    runs: Annotated[int, at_least(1)] = 4,
    *,
    rng: Stream,
) -> dict[str, Any]:
    """The target and `runs` starts with entries N(0, .5^2 / d) in every column."""
    target = make_target(d, eigenvalues, data, components, rng)
    return dict(
        step=step,
        spectrum=target.spectrum,
        _target=target.matrix,
        _start=align(0.5 / np.sqrt(d) * rng.standard_normal((runs, d, k))),
    )


def run_idle(
    problem: dict[str, Any], *, steps: Annotated[int, at_least(1)] = 1000, rng: Stream
) -> dict[str, Any]:
    """`error` (runs,): |U U^T - X*|_F after `steps` steps from all k columns.

    Trace: `times` and `errors` of the first run on the way there.
    """
    U, target, rate = problem["_start"], problem["_target"], 4 * problem["step"]
    watched = set(np.unique(np.geomspace(1, steps, 120).astype(int)).tolist())
    errors = []
    for t in range(1, steps + 1):
        U = U - rate * (U @ (np.swapaxes(U, 1, 2) @ U) - target @ U)
        if t in watched:
            errors.append(np.linalg.norm(U[0] @ U[0].T - target))
    error = np.linalg.norm(U @ np.swapaxes(U, 1, 2) - target, axis=(1, 2))
    return dict(error=error, trace=dict(times=np.array(sorted(watched)), errors=np.array(errors)))


IDLE_COLUMNS = Experiment(
    "matrix_sensing.idle_columns", draw_idle, run_idle, checks=(check_target,)
)
