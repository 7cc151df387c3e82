"""Certified second-order stationary points, and what is left of them after pruning."""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np
from array_api_compat import array_namespace

from theory_lab.core import Experiment
from theory_lab.core.checks import BadParameter, at_least, nonnegative, one_of, positive
from theory_lab.core.seeds import Stream
from theory_lab.numerics.arrays import like, on_host
from theory_lab.solvers.descent import descend, safe_step, small_gradient
from theory_lab.solvers.objective import Loss, Objective
from theory_lab.solvers.regulariser import Array, squared_norms
from theory_lab.solvers.stationary import certify
from theory_lab.theorems.matrix_sensing.experiments.instances import (
    DATA,
    Target,
    check_target,
    make_target,
)
from theory_lab.theorems.matrix_sensing.experiments.losses import PopulationLoss
from theory_lab.theorems.matrix_sensing.experiments.sensing_losses import (
    EmpiricalLoss,
    QuadraticNetworkLoss,
    gaussian_gram,
    quadratic_gram,
    sampled_curvature,
)

GRADIENT = 1e-10
"""Descent stops at this gradient norm."""

ZERO = 1e-8
"""A column with a smaller squared norm counts as zero (at such points they are below 1e-18)."""

METHODS = ("momentum", "aligned", "descent")
LOSSES = ("population", "empirical", "quadratic network", "empirical network")
STARTS = ("gaussian", "column space", "eigenvectors")


def draw(
    d: Annotated[int, at_least(1)],
    k: Annotated[int, at_least(1)],
    lam: Annotated[float, nonnegative],
    beta: Annotated[float, positive],
    eigenvalues: tuple[float, ...] = (),
    data: Annotated[str, one_of(DATA)] = "synthetic",
    components: int = 0,
    runs: Annotated[int, at_least(1)] = 8,
    start: Annotated[str, one_of(STARTS)] = "gaussian",
    scale: Annotated[float, positive] = 0.3,
    along: tuple[int, ...] = (),
    loss: Annotated[str, one_of(LOSSES)] = "population",
    n: Annotated[int, at_least(0)] = 0,
    sigma: Annotated[float, nonnegative] = 0.0,
    *,
    rng: Stream,
) -> dict[str, Any]:
    """A target X*, a loss that sees it, and `runs` starts.

    The empirical losses have n measurements with noise N(0, sigma^2).

    Starts have N(0, scale^2 / d) entries; "column space" projects them on that of X*;
    "eigenvectors" gives one column to each eigenvector that `along` names (0 the largest;
    repetitions make parallel columns) and zero to the others: symmetric starts that descent leads
    to saddles.
    """
    target = make_target(d, eigenvalues, data, components, rng)
    U = _starts(target, start, scale, along, (runs, d, k), rng)
    return dict(
        lam=lam,
        beta=beta,
        spectrum=target.spectrum,
        start_norm=float(np.max(np.linalg.norm(U, 2, axis=(1, 2))) ** 2),
        _target=target.matrix,
        _start=U,
        _loss=_loss(loss, target, n, sigma, rng),
        _curvature=_curvature(loss, d, n, len(target.spectrum)),
    )


def _loss(loss: str, target: Target, n: int, sigma: float, rng: Stream) -> Any:
    if loss == "population":
        return PopulationLoss(target.matrix)
    if loss == "empirical":
        return EmpiricalLoss(gaussian_gram(rng, n, target.matrix, sigma))
    if loss == "quadratic network":
        return QuadraticNetworkLoss(target.matrix)
    return EmpiricalLoss(quadratic_gram(rng, n, target.matrix, sigma))


def _curvature(loss: str, d: int, n: int, r: int) -> float:
    """A bound on the loss's second derivative along the way, for the step."""
    if loss == "population":
        return 2.0
    sampled = sampled_curvature(d, n) if n else 2.0
    return sampled if loss == "empirical" else (4 + 2 * r) * sampled / 2


def _starts(
    target: Target,
    start: str,
    scale: float,
    along: tuple[int, ...],
    shape: tuple[int, int, int],
    rng: Stream,
) -> Array:
    if start == "eigenvectors":
        U = np.zeros(shape)
        U[:, :, : len(along)] = target.axes[:, along] * np.sqrt(target.spectrum[list(along)])
        return U
    U = scale / np.sqrt(shape[1]) * rng.standard_normal(shape)
    return target.axes @ (target.axes.T @ U) if start == "column space" else U


def check_start(params: Any) -> None:
    """`along` names eigenvectors that there are, no more than there are columns."""
    along, rank = params["along"], len(params["eigenvalues"]) or params["components"]
    if (params["start"] == "eigenvectors") != bool(along):
        raise BadParameter("Matrix sensing: along goes with start='eigenvectors', and only there.")
    if len(along) > params["k"] or any(not 0 <= index < rank for index in along):
        raise BadParameter(
            f"Matrix sensing: along must name at most k = {params['k']} eigenvectors, 0 to"
            f" {rank - 1}."
        )


def check_samples(params: Any) -> None:
    """Measurements and noise go with the empirical losses, and only with them."""
    sampled = params["loss"].startswith("empirical")
    if sampled != (params["n"] > 0) or (params["sigma"] > 0 and not sampled):
        raise BadParameter(
            "Matrix sensing: an empirical loss needs n >= 1 measurements; the population losses"
            " take neither n nor sigma."
        )


def run(
    problem: dict[str, Any],
    *,
    method: Annotated[str, one_of(METHODS)] = "momentum",
    steps: Annotated[int, at_least(0)] = 20_000,
    dense: bool = False,
    rng: Stream,
) -> dict[str, Any]:
    """Descend from every start and certify where it ends, where the problem is; prune at
    2 sqrt(beta) and measure in numpy.

    `dense`: also all Hessian eigenvalues of the first run.
    """
    loss, lam, beta = problem["_loss"], problem["lam"], problem["beta"]
    spectrum = on_host(problem["spectrum"])
    largest = max(1.3 * spectrum[0], problem["start_norm"])
    reached = descend(
        loss,
        problem["_start"],
        lam,
        beta,
        step=safe_step(largest, lam, beta, problem["_curvature"]),
        steps=steps,
        until=small_gradient(GRADIENT),
        aligned=method == "aligned",
        momentum=method == "momentum",
    ).U
    gradient_norm, curvature = certify(loss, reached, lam, beta, rng=rng.named("search"))
    U = on_host(reached)
    results = describe(U, len(spectrum), beta)
    results |= dict(gradient_norm=gradient_norm, curvature=curvature)
    results |= pruned(U, on_host(problem["_target"]), beta)
    if dense:
        results["hessian_eigenvalues"] = hessian_eigenvalues(loss, reached[0, ...], lam, beta)
    return results


def describe(U: Array, r: int, beta: float) -> dict[str, Any]:
    """The columns of every run of U (B, d, k).

    squared_norms (B, r): the r largest; off_diagonal (B,): the largest |<u_i, u_j>|;
    largest_norm (B,): the largest squared norm; nonzero, survivors (B,): columns above ZERO and
    above the pruning threshold 4 beta.
    """
    gram = np.swapaxes(U, 1, 2) @ U
    s = squared_norms(U)
    outside = gram * (1 - np.eye(U.shape[2]))
    return dict(
        squared_norms=np.sort(s, axis=1)[:, ::-1][:, :r],
        off_diagonal=np.abs(outside).max(axis=(1, 2)),
        largest_norm=s.max(axis=1),
        nonzero=(s > ZERO).sum(axis=1),
        survivors=(s > 4 * beta).sum(axis=1),
    )


def prune(U: Array, beta: float) -> Array:
    """U with the columns of norm at most 2 sqrt(beta) set to zero."""
    return U * (squared_norms(U) > 4 * beta)[..., None, :]


def pruned(U: Array, target: Array, beta: float) -> dict[str, Any]:
    """|U_prune U_prune^T - X*|_F^2 and its root, for every run."""
    kept = prune(U, beta)
    loss = PopulationLoss(target).value(kept @ np.swapaxes(kept, 1, 2))
    return dict(pruned_loss=loss, pruned_error=np.sqrt(loss))


def hessian_eigenvalues(loss: Loss, U: Array, lam: float, beta: float) -> Array:
    """All d k eigenvalues of the Hessian at U (d, k), ascending. Array API."""
    xp, size = array_namespace(U), math.prod(U.shape)
    at = xp.broadcast_to(U, (size, *U.shape))
    directions = like(np.eye(size), U).reshape(size, *U.shape)
    columns = Objective.of(loss, at, lam, beta).curvature_at(at)(directions).reshape(size, size)
    return xp.linalg.eigvalsh(0.5 * (columns + columns.T))


CHECKS = (check_target, check_start, check_samples)
STATIONARY_POINTS = Experiment(
    "matrix_sensing.stationary_points", draw, run, checks=CHECKS, device_ready=True
)
