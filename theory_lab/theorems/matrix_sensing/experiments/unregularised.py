"""Descent and gradient flow without regulariser: dU/dt = 4 (X* - U U^T) U."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from theory_lab.core import Experiment
from theory_lab.core.checks import BadParameter, at_least, nonnegative, one_of, positive
from theory_lab.core.seeds import Stream
from theory_lab.solvers.descent import descend
from theory_lab.solvers.regulariser import Array, squared_norms
from theory_lab.theorems.matrix_sensing.experiments.instances import (
    DATA,
    Target,
    check_target,
    make_target,
)
from theory_lab.theorems.matrix_sensing.experiments.losses import PopulationLoss

SHARES = (0.25, 0.5, 0.75)
"""Shares of the largest norm at which columns are counted."""


def draw_flow(
    d: Annotated[int, at_least(1)],
    k: Annotated[int, at_least(1)],
    eigenvalues: tuple[float, ...] = (),
    data: Annotated[str, one_of(DATA)] = "synthetic",
    components: int = 0,
    scale: Annotated[float, positive] = 0.3,
    time: Annotated[float, positive] = 0.5,
    *,
    rng: Stream,
) -> dict[str, Any]:
    """The target and a start with entries N(0, scale^2 / d), both facts."""
    target = make_target(d, eigenvalues, data, components, rng)
    start = scale / np.sqrt(d) * rng.standard_normal((d, k))
    return dict(time=time, spectrum=target.spectrum, target=target.matrix, start=start)


def run_flow(
    problem: dict[str, Any],
    *,
    step: Annotated[float, positive] = 1e-3,
    lam: Annotated[float, nonnegative] = 0.0,
    beta: Annotated[float, positive] = 0.01,
    rng: Stream,
) -> dict[str, Any]:
    """`flow` (d, d): U U^T of the unregularised flow at `time`, integrated to 1e-12; `distance`:
    |U U^T - flow|_F of descent with step `step` (and the regulariser, if lam > 0) at that time."""
    target, start, time = problem["target"], problem["start"], problem["time"]
    flow = _integrated(target, start, time)
    steps = round(time / step)
    loss = PopulationLoss(target)
    U = descend(loss, start[None], lam, beta, step=time / steps, steps=steps).U[0]
    flow = flow @ flow.T
    return dict(flow=flow, distance=np.linalg.norm(U @ U.T - flow))


def _integrated(target: Array, start: Array, time: float) -> Array:
    from scipy.integrate import solve_ivp

    def velocity(_: float, flat: Array) -> Array:
        U = flat.reshape(start.shape)
        return (4 * (target @ U - U @ (U.T @ U))).ravel()

    path = solve_ivp(velocity, (0, time), start.ravel(), method="DOP853", rtol=1e-12, atol=1e-13)
    return path.y[:, -1].reshape(start.shape)


def check_step(params: Any) -> None:
    """At least one step fits into the time."""
    if params["step"] > params["time"]:
        raise BadParameter(
            f"Matrix sensing: the step {params['step']:g} must be at most the time"
            f" {params['time']:g}."
        )


GRADIENT_FLOW = Experiment(
    "matrix_sensing.gradient_flow", draw_flow, run_flow, checks=(check_target, check_step)
)


def draw_birth(
    d: Annotated[int, at_least(1)],
    k: Annotated[int, at_least(1)],
    eigenvalues: tuple[float, ...] = (),
    data: Annotated[str, one_of(DATA)] = "synthetic",
    components: int = 0,
    *,
    rng: Stream,
) -> dict[str, Any]:
    """The target, and a start with N(0, 1) entries that `run` scales; `projections` (r, k) are
    its products with the eigenvectors."""
    target = make_target(d, eigenvalues, data, components, rng)
    start = rng.standard_normal((d, k))
    return dict(
        spectrum=target.spectrum, projections=target.axes.T @ start, _rest=_rest(target, start)
    )


def _rest(target: Target, start: Array) -> Array:
    """The rows of the start orthogonal to all eigenvectors, in some basis: (d - r, k)."""
    d, r = target.axes.shape
    complete = np.linalg.qr(np.hstack([target.axes, np.eye(d)]))[0]
    return complete[:, r:].T @ start


def run_birth(
    problem: dict[str, Any], *, size: Annotated[float, positive] = 1e-8, rng: Stream
) -> dict[str, Any]:
    """The flow from `size` times the start, until the smallest eigendirection has settled.

    `projected` (r, k): |v_j^T u_i| there; `change`: how far these are, at most, from where the
    flow from a start 1e-8 times smaller ends. The flow runs in the basis of the eigenvectors:
    there a direction that has hardly grown is not lost in the rounding of one that has.
    """
    spectrum = problem["spectrum"]
    start = np.vstack([problem["projections"], problem["_rest"]])
    projected = _settled(spectrum, size * start, size)
    limit = _settled(spectrum, 1e-8 * size * start, 1e-8 * size)
    return dict(projected=projected, change=np.abs(projected - limit).max())


def _settled(spectrum: Array, P: Array, size: float) -> Array:
    """|P| of the first r rows after (log(1 / size) + 14) / (4 mu_r), by Runge-Kutta's fourth
    order, for rows P (d, k) in the eigenbasis."""
    mu = np.zeros((len(P), 1))
    mu[: len(spectrum), 0] = spectrum
    time = (max(0.0, np.log(1 / size)) + 14) / (4 * spectrum[-1])
    steps = int(np.ceil(time * max(1.3 * spectrum[0], np.linalg.norm(P, 2) ** 2) / 0.05))
    h = time / steps
    for _ in range(steps):
        a = _velocity(mu, P)
        b = _velocity(mu, P + h / 2 * a)
        c = _velocity(mu, P + h / 2 * b)
        e = _velocity(mu, P + h * c)
        P = P + h / 6 * (a + 2 * b + 2 * c + e)
    return np.abs(P[: len(spectrum)])


def _velocity(mu: Array, P: Array) -> Array:
    return 4 * (mu * P - P @ (P.T @ P))


SMALL_START = Experiment(
    "matrix_sensing.small_start", draw_birth, run_birth, checks=(check_target,)
)


def draw_crowd(
    d: Annotated[int, at_least(1)],
    k: Annotated[int, at_least(2)],
    runs: Annotated[int, at_least(2)] = 1500,
    size: Annotated[float, positive] = 1e-4,
    *,
    rng: Stream,
) -> dict[str, Any]:
    """X* = e_1 e_1^T and `runs` starts with entries N(0, size^2)."""
    target = np.zeros((d, d))
    target[0, 0] = 1.0
    return dict(size=size, _target=target, _start=size * rng.standard_normal((runs, d, k)))


def run_crowd(
    problem: dict[str, Any],
    *,
    lam: Annotated[float, nonnegative] = 0.0,
    beta: Annotated[float, positive] = 0.01,
    rng: Stream,
) -> dict[str, Any]:
    """`fractions` (runs, 3): the share of columns with norm at least .25, .5, .75 times the
    largest after descent to the time (log(1 / size) + 14) / 4 (with the regulariser if lam > 0)."""
    start = problem["_start"]
    largest = max(1.3, float(np.linalg.eigvalsh(start @ np.swapaxes(start, 1, 2)).max()))
    step = 1 / (8 * largest + 2 * lam / np.sqrt(beta))
    steps = int(np.ceil((max(0.0, np.log(1 / problem["size"])) + 14) / 4 / step))
    loss = PopulationLoss(problem["_target"])
    U = descend(loss, start, lam, beta, step=step, steps=steps).U
    norms = np.sqrt(squared_norms(U))
    above = norms[:, None, :] >= np.array(SHARES)[:, None] * norms.max(axis=1)[:, None, None]
    return dict(fractions=above.mean(axis=2))


CROWD = Experiment("matrix_sensing.crowd", draw_crowd, run_crowd)
