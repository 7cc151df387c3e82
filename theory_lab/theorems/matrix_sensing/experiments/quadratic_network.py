"""Two-layer networks with quadratic activation: stationary points and fine-tuning, population loss."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from theory_lab.core import Experiment, Measurement
from theory_lab.core.checks import at_least, nonnegative, one_of, positive
from theory_lab.core.seeds import Stream
from theory_lab.numerics.arrays import on_host
from theory_lab.solvers.descent import descend, safe_step, small_gradient
from theory_lab.solvers.stationary import certify
from theory_lab.theorems.matrix_sensing.experiments.error_floor import kept_columns
from theory_lab.theorems.matrix_sensing.experiments.instances import (
    DATA,
    check_target,
    make_target,
)
from theory_lab.theorems.matrix_sensing.experiments.sensing_losses import QuadraticNetworkLoss
from theory_lab.theorems.matrix_sensing.experiments.stationary_points import describe

GRADIENT = 1e-10
"""Descent stops at this gradient norm."""

WINDOW = (1e-6, 1e-11)
"""Rates are read off errors |U U^T - X*|_F between these, relative to the largest eigenvalue."""


def draw(
    d: Annotated[int, at_least(1)],
    k: Annotated[int, at_least(1)],
    lam: Annotated[float, nonnegative],
    beta: Annotated[float, positive],
    eigenvalues: tuple[float, ...] = (),
    data: Annotated[str, one_of(DATA)] = "synthetic",
    components: int = 0,
    runs: Annotated[int, at_least(1)] = 8,
    scale: Annotated[float, nonnegative] = 0.3,
    *,
    rng: Stream,
) -> dict[str, Any]:
    """X* and `runs` starts with N(0, scale^2 / d) entries (runs, d, k)."""
    target = make_target(d, eigenvalues, data, components, rng)
    starts = rng.standard_normal((runs, d, k)) * (scale / np.sqrt(d))
    return dict(lam=lam, beta=beta, spectrum=target.spectrum, _target=target, _start=starts)


def run_points(problem: dict[str, Any], *, rng: Stream) -> dict[str, Any]:
    """Certified second-order stationary points, as `stationary_points.describe` measures them."""
    loss, U = _stationary(problem)
    lam, beta = problem["lam"], problem["beta"]
    gradient_norm, curvature = certify(loss, U, lam, beta, rng=rng.named("search"))
    columns = describe(on_host(U), len(problem["spectrum"]), beta)
    return columns | dict(gradient_norm=gradient_norm, curvature=curvature)


def run_rate(
    problem: dict[str, Any],
    *,
    step: Annotated[float, positive],
    start: Annotated[str, one_of(("generic", "pruned"))] = "generic",
    rng: Stream,
) -> dict[str, Any]:
    """Plain descent with r columns, from X* slightly disturbed or from a pruned stationary point.

    `rate` (runs,): the factor by which |U U^T - X*|_F falls in a step, between its values over the
    last half and the last quarter of the WINDOW.
    """
    loss, target = QuadraticNetworkLoss(problem["_target"].matrix), problem["_target"]
    if start == "pruned":
        U = kept_columns(_stationary(problem)[1], problem["beta"])
    else:
        exact = target.axes * np.sqrt(target.spectrum)
        shape = (len(problem["_start"]), *exact.shape)
        U = exact + 0.05 / np.sqrt(len(exact)) * rng.named("start").standard_normal(shape)
    errors = _error_path(loss, U, step)
    return dict(rate=window_rate(errors / target.spectrum[0]), final_error=errors[-1])


def _stationary(problem: dict[str, Any]) -> tuple[QuadraticNetworkLoss, np.ndarray]:
    """Descent of the regularised loss from every start to a gradient of GRADIENT."""
    spectrum, start = on_host(problem["spectrum"]), problem["_start"]
    lam, beta, loss = (
        problem["lam"],
        problem["beta"],
        QuadraticNetworkLoss(problem["_target"].matrix),
    )
    largest = max(1.3 * spectrum[0], np.linalg.norm(on_host(start), 2, axis=(1, 2)).max() ** 2)
    step = safe_step(largest, lam, beta, curvature=4 + 2 * len(spectrum))
    path = descend(
        loss, start, lam, beta,
        step=step, steps=20_000, until=small_gradient(GRADIENT), momentum=True,
    )  # fmt: skip
    return loss, path.U


def _error_path(loss: QuadraticNetworkLoss, U: np.ndarray, step: float) -> np.ndarray:
    """|U_t U_t^T - X*|_F along plain descent of every run: (T, runs)."""
    errors = []

    def record(t: int, rows: np.ndarray, U: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        errors.append(np.linalg.norm(U @ np.swapaxes(U, 1, 2) - loss.target, axis=(1, 2)))
        low = WINDOW[1] * np.linalg.norm(loss.target, 2) / 10
        return np.full(len(rows), bool(np.all(errors[-1] < low)))

    descend(loss, U, 0.0, 1.0, step=step, steps=3000, until=record, every=1)
    return np.array(errors)


def window_rate(errors: np.ndarray) -> Measurement:
    """The factor per step of errors (T, runs) over the last half and the last quarter of WINDOW.

    The whole path takes the window's place for a run that does not fall below it.
    """
    ends = [_factors(path) for path in errors.T]
    low, high = np.min(ends, axis=1), np.max(ends, axis=1)
    return Measurement.estimated(low, high)


def _factors(path: np.ndarray) -> tuple[float, float]:
    inside = np.flatnonzero((path < WINDOW[0]) & (path > WINDOW[1]))
    start, end = (inside[0], inside[-1]) if path[-1] < WINDOW[1] else (0, len(path) - 1)

    def factor(first: int) -> float:
        return float((path[end] / path[first]) ** (1 / (end - first)))

    return factor((start + end) // 2), factor((start + 3 * end) // 4)


NETWORK_POINTS = Experiment(
    "matrix_sensing.network_points", draw, run_points, checks=(check_target,), device_ready=True
)
NETWORK_RATE = Experiment("matrix_sensing.network_rate", draw, run_rate, checks=(check_target,))
