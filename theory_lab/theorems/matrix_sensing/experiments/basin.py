"""The neighbourhood of the truth from which fine-tuning contracts, searched for its worst points."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from theory_lab.core import Experiment
from theory_lab.core.checks import at_least, one_of, positive
from theory_lab.core.seeds import Stream
from theory_lab.solvers.regulariser import Array
from theory_lab.theorems.matrix_sensing.experiments.instances import (
    DATA,
    check_target,
    make_target,
)


def draw(
    d: Annotated[int, at_least(1)],
    radius: Annotated[float, positive],
    eigenvalues: tuple[float, ...] = (),
    data: Annotated[str, one_of(DATA)] = "synthetic",
    components: int = 0,
    *,
    rng: Stream,
) -> dict[str, Any]:
    """The target with its r columns; `radius` is rho0, the distance in units of mu_r."""
    target = make_target(d, eigenvalues, data, components, rng)
    truth = target.axes * np.sqrt(target.spectrum)
    return dict(radius=radius, spectrum=target.spectrum, _target=target.matrix, _truth=truth)


def run_inequality(
    problem: dict[str, Any], *, restarts: Annotated[int, at_least(1)] = 8, rng: Stream
) -> dict[str, Any]:
    """`ratio`: the least |grad L|_F^2 / (8 mu_r L) found at distance rho0 mu_r from X*."""
    return dict(ratio=min(_ratio(problem, U) for U in worst_points(problem, restarts, rng)))


def worst_points(problem: dict[str, Any], restarts: int, rng: Stream) -> list[Array]:
    """Local minimisers of the ratio over the sphere |U U^T - X*|_F = rho0 mu_r, by quasi-Newton
    descent on the direction in which U leaves the truth."""
    from scipy.optimize import minimize

    shape, search = problem["_truth"].shape, rng.named("search")

    def ratio(direction: Array) -> float:
        return _ratio(problem, on_sphere(problem, direction.reshape(shape)))

    found = [
        minimize(ratio, search.standard_normal(shape).ravel(), options=dict(maxiter=60)).x
        for _ in range(restarts)
    ]
    return [on_sphere(problem, direction.reshape(shape)) for direction in found]


def on_sphere(problem: dict[str, Any], direction: Array) -> Array:
    """truth + c direction with |U U^T - X*|_F = rho0 mu_r, for the smallest such c > 0."""
    truth, distance = problem["_truth"], problem["radius"] * problem["spectrum"][-1]
    direction = direction / np.linalg.norm(direction)
    linear = truth @ direction.T + direction @ truth.T
    square = direction @ direction.T
    # |c linear + c^2 square|^2 - distance^2 as a polynomial in c
    quartic = [np.vdot(square, square), 2 * np.vdot(linear, square), np.vdot(linear, linear)]
    roots = np.roots([*quartic, 0, -(distance**2)])
    real = roots.real[(np.abs(roots.imag) < 1e-9) & (roots.real > 0)]
    return truth + real.min() * direction


def _ratio(problem: dict[str, Any], U: Array) -> float:
    difference = U @ U.T - problem["_target"]
    gradient = 4 * difference @ U
    smallest = problem["spectrum"][-1]
    return float(np.vdot(gradient, gradient) / (8 * smallest * np.vdot(difference, difference)))


def run_contraction(
    problem: dict[str, Any],
    *,
    step: Annotated[float, positive] = 0.02,
    steps: Annotated[int, at_least(1)] = 100,
    restarts: Annotated[int, at_least(1)] = 6,
    rng: Stream,
) -> dict[str, Any]:
    """`factor`: the largest |X_{t+1} - X*|_F^2 / |X_t - X*|_F^2 over `steps` steps of descent (while
    the error is above 1e-10) from the worst points found on the sphere and 8 random ones."""
    search = rng.named("start")
    starts = [on_sphere(problem, search.standard_normal(problem["_truth"].shape)) for _ in range(8)]
    starts += worst_points(problem, restarts, rng)
    return dict(factor=max(_worst_factor(problem["_target"], U, step, steps) for U in starts))


def _worst_factor(target: Array, U: Array, step: float, steps: int) -> float:
    losses = []
    for _ in range(steps + 1):
        difference = U @ U.T - target
        losses.append(np.vdot(difference, difference))
        U = U - 4 * step * difference @ U
    seen = np.array(losses)
    factors = seen[1:] / seen[:-1]
    return float(factors[seen[:-1] > 1e-20].max())


def check_basin(params: Any) -> None:
    """As for a target fitted with d columns."""
    check_target({**params, "k": params["d"]})


INEQUALITY = Experiment("matrix_sensing.inequality", draw, run_inequality, checks=(check_basin,))
CONTRACTION = Experiment("matrix_sensing.contraction", draw, run_contraction, checks=(check_basin,))
