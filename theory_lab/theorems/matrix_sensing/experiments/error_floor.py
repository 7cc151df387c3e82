"""The error that the noise leaves: after pruning and fine-tuning, and without pruning.

A cell holds `sets` data sets with `noises` independent noises each, all descending as one batch.
Noises of one data set are averaged, so that the entries of a result (one a data set) are
independent.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np
from array_api_compat import array_namespace

from theory_lab.core import Experiment
from theory_lab.core.checks import BadParameter, at_least, nonnegative, positive
from theory_lab.core.seeds import Stream
from theory_lab.numerics.arrays import on_host
from theory_lab.solvers.descent import descend, safe_step, small_gradient
from theory_lab.solvers.regulariser import Array, squared_norms
from theory_lab.theorems.matrix_sensing.experiments.instances import make_target
from theory_lab.theorems.matrix_sensing.experiments.losses import PopulationLoss
from theory_lab.theorems.matrix_sensing.experiments.sensing_losses import (
    EmpiricalLoss,
    GramForm,
    GramSampler,
    gaussian_gram,
    quadratic_gram,
    sampled_curvature,
)

SETTLED, TUNED = 1e-6, 1e-8
"""Gradient norms at which the regularised descent, and the fine-tuning after it, are over."""

SCALE = 0.3
"""Starts have entries N(0, SCALE^2 / d)."""


def draw(
    d: Annotated[int, at_least(1)],
    eigenvalues: Annotated[tuple[float, ...], positive],
    n: Annotated[int, at_least(1)],
    sigma: Annotated[float, positive],
    sets: Annotated[int, at_least(2)] = 40,
    noises: Annotated[int, at_least(1)] = 8,
    *,
    rng: Stream,
) -> dict[str, Any]:
    """X* with the given eigenvalues, and data sets of n Gaussian measurements of it."""
    curvature = sampled_curvature(d, n)
    return _draw(gaussian_gram, d, eigenvalues, n, sigma, sets, noises, rng) | dict(_bend=curvature)


def draw_network(
    d: Annotated[int, at_least(1)],
    eigenvalues: Annotated[tuple[float, ...], positive],
    n: Annotated[int, at_least(1)],
    sigma: Annotated[float, positive],
    sets: Annotated[int, at_least(2)] = 40,
    noises: Annotated[int, at_least(1)] = 8,
    *,
    rng: Stream,
) -> dict[str, Any]:
    """As `draw`, for the answers of a quadratic network to n Gaussian inputs."""
    curvature = (2 + len(eigenvalues)) * sampled_curvature(d, n)
    return _draw(quadratic_gram, d, eigenvalues, n, sigma, sets, noises, rng) | dict(
        _bend=curvature
    )


def _draw(
    sample: GramSampler,
    d: int,
    eigenvalues: tuple[float, ...],
    n: int,
    sigma: float,
    sets: int,
    noises: int,
    rng: Stream,
) -> dict[str, Any]:
    target = make_target(d, eigenvalues, "synthetic", 0, rng).matrix
    forms = [sample(rng, n, target, sigma, noises) for _ in range(sets)]
    return dict(d=d, eigenvalues=eigenvalues, _target=target, _form=GramForm.stack(forms))


def run_pruned(
    problem: dict[str, Any],
    *,
    columns: Annotated[int, at_least(1)],
    lam: Annotated[float, nonnegative] = 0.1,
    beta: Annotated[float, positive] = 0.01,
    rng: Stream,
) -> dict[str, Any]:
    """Regularised descent, pruning at 2 sqrt(beta), plain descent on what is left.

    `error` and `error_before` (sets,): |U U^T - X*|_F^2 with and without the last phase;
    `exact`: the fraction of runs with as many survivors as X* has rank.
    """
    loss = EmpiricalLoss(problem["_form"])
    settled = descend(
        loss, _starts(problem, columns, rng), lam, beta,
        step=_step(problem, lam, beta), steps=5000, until=small_gradient(SETTLED), aligned=True,
    ).U  # fmt: skip
    pruned = kept_columns(settled, beta)
    tuned = descend(
        loss, pruned, 0.0, 1.0,
        step=_step(problem), steps=5000, until=small_gradient(TUNED),
    ).U  # fmt: skip
    survivors = (squared_norms(pruned) > 0).sum(1)
    return dict(
        error=_errors(problem, tuned),
        error_before=_errors(problem, pruned),
        exact=np.mean(on_host(survivors) == len(problem["eigenvalues"])),
    )


def run_overparameterised(
    problem: dict[str, Any],
    *,
    columns: Annotated[int, at_least(1)],
    steps: Annotated[int, at_least(1)] = 1500,
    rng: Stream,
) -> dict[str, Any]:
    """Plain descent with all columns: `error` (sets,) as in `run_pruned`."""
    U = _starts(problem, columns, rng)
    loss = EmpiricalLoss(problem["_form"])
    end = descend(loss, U, 0.0, 1.0, step=_step(problem), steps=steps)
    return dict(error=_errors(problem, end.U))


def kept_columns(U: Array, beta: float) -> Array:
    """The columns longer than 2 sqrt(beta), longest first: (B, d, k) -> (B, d, m), m the largest
    number that any run keeps; runs that keep fewer have zero columns."""
    xp, s = array_namespace(U), squared_norms(U)
    is_kept = s > 4 * beta
    most = max(1, int(is_kept.sum(1).max()))
    order = xp.argsort(s * is_kept, axis=1, descending=True)[:, :most]
    return xp.take_along_axis(U * is_kept[:, None, :], order[:, None, :], axis=2)


def _starts(problem: dict[str, Any], columns: int, rng: Stream) -> Array:
    shape = (math.prod(problem["_form"].energy.shape), problem["d"], columns)
    normals = rng.named("start").normal(shape, like=problem["_target"])
    return normals * (SCALE / math.sqrt(problem["d"]))


def _step(problem: dict[str, Any], lam: float = 0.0, beta: float = 1.0) -> float:
    return float(safe_step(1.3 * max(problem["eigenvalues"]), lam, beta, problem["_bend"]))


def _errors(problem: dict[str, Any], U: Array) -> Array:
    squares = PopulationLoss(problem["_target"]).value(U @ U.mT)
    return squares.reshape(problem["_form"].energy.shape).mean(1)


def check_rank(params: Any) -> None:
    """From 1 to d eigenvalues."""
    d, r = params["d"], len(params["eigenvalues"])
    if not 1 <= r <= d:
        raise BadParameter(f"eigenvalues holds {r} numbers, but it must hold from 1 to d = {d}.")


PRUNED_ERROR = Experiment(
    "matrix_sensing.pruned_error", draw, run_pruned, (check_rank,), device_ready=True
)
OVERPARAMETERISED_ERROR = Experiment(
    "matrix_sensing.overparameterised_error", draw, run_overparameterised, (check_rank,),
    device_ready=True,
)  # fmt: skip
NETWORK_ERROR = Experiment(
    "matrix_sensing.network_error", draw_network, run_pruned, (check_rank,), device_ready=True
)
