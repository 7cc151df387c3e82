"""The law of gRDA over many paths, and of its distance to SGD on the same stream.

Paths are followed, sorted and counted where the problem is; limits are found in numpy.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from theory_lab.core import Experiment, Measurement
from theory_lab.core.checks import BadParameter, at_least, positive
from theory_lab.core.parameters import Params
from theory_lab.core.reduce import LEVEL
from theory_lab.core.seeds import Stream
from theory_lab.numerics.arrays import like, on_host
from theory_lab.numerics.samples import quantiles, shares_below
from theory_lab.solvers.averaging import dual_averaging
from theory_lab.theorems.directional_pruning.experiments.coupled import (
    check,
    draw,
    find_limit,
    sampled_loss,
)
from theory_lab.theorems.directional_pruning.experiments.instances import (
    copies,
    problem_on_host,
    pruned,
    without,
)
from theory_lab.theorems.directional_pruning.experiments.limits import limit_covariance

LEVELS = np.linspace(0.02, 0.98, 49)


def run(
    problem: dict[str, Any],
    *,
    step: Annotated[float, positive],
    paths: Annotated[int, at_least(100)] = 4000,
    strengths: tuple[float, ...] = (0.25, 0.25, 0.25, 0.25),
    exponents: tuple[float, ...] = (0.75, 0.51, 0.3, 1.0),
    rng: Stream,
) -> dict[str, Any]:
    """z = (w_gRDA - flow) / sqrt(step) over the paths, for m pairs (c, mu). `whitened` (100, m):
    z^T C^+ z / rank about the limit's mean, averaged over 100 groups of paths; `covariance`: C
    (d, d). Of the first pair: the quantiles `points` (d, 49) of z, coordinate by coordinate, with
    the `shares` of paths below them, and the mean's limit -`displacement` (d,).

    `independent` (d, 49): the shares of gRDA below the quantiles of directional pruning of another,
    independent run of SGD; `independent_limit_score`, `independent_sgd`: of pruning with the score
    of infinite time, and of that SGD itself. `clearance`: how many standard deviations, the shift
    included, every weight is away from 0.
    """
    here = problem_on_host(problem)
    limit = find_limit(here, strengths, exponents)
    averaged = _paths(problem, step, paths, strengths, exponents, rng)
    other = _paths(problem, step, paths, (0.0,), (1.0,), rng.named("independent"))[0]
    scale, signs = np.sqrt(step), np.sign(limit.weights)
    z = (averaged - like(limit.weights, averaged)) / scale
    C = limit_covariance(
        here["hessian"], here["start"] - here["optimum"], here["noise"], here["time"]
    )
    size = scale * strengths[0] * limit.powers[0]
    endless = like(size * signs * without(here["_axes"], signs), other)
    finite = pruned(other, like(scale * signs * limit.displacement[0], other))
    centred = z + like(limit.displacement[:, None], z)
    distance = np.abs(limit.weights) / scale - np.abs(limit.displacement)
    return dict(
        points=quantiles(z[0], LEVELS).T,
        shares=_shares(*z[0].shape),
        whitened=_whitened(centred, C, here["_axes"].shape[1]),
        covariance=C,
        displacement=limit.displacement[0],
        independent=_against(averaged[0], finite),
        independent_limit_score=_against(averaged[0], pruned(other, endless)),
        independent_sgd=_against(averaged[0], other),
        clearance=np.min(distance / np.sqrt(np.diag(C))),
        changed=len(limit.crossings),
    )


def _paths(
    problem: dict[str, Any],
    step: float,
    paths: int,
    strengths: tuple[float, ...],
    exponents: tuple[float, ...],
    rng: Stream,
) -> Any:
    """Weights (m, paths, d) at the final time, where the problem is."""
    found, _ = dual_averaging(
        sampled_loss(problem, "single"),
        copies(problem["start"], paths),
        step=step,
        steps=round(problem["time"] / step),
        strengths=strengths,
        exponents=exponents,
        stream=rng,
    )
    return found.weights


def _shares(paths: int, d: int) -> Measurement:
    """The levels of the quantiles of (paths, d), with the Dvoretzky-Kiefer-Wolfowitz band of all
    coordinates."""
    reach = np.sqrt(np.log(2 * d / LEVEL) / (2 * paths))
    shares = np.tile(LEVELS, (d, 1))
    return Measurement.statistical(shares - reach, shares + reach, LEVEL)


def _against(sample: Any, other: Any) -> Measurement:
    """Shares of the sample below the quantiles of another: the bands of both samples."""
    shares = on_host(shares_below(sample, quantiles(other, LEVELS))).T
    reach = 2 * np.sqrt(np.log(4 * len(shares) / LEVEL) / (2 * len(sample)))
    return Measurement.statistical(shares - reach, shares + reach, LEVEL)


def _whitened(z: Any, covariance: np.ndarray, rank: int) -> Any:
    """z^T C^+ z / rank of z (m, paths, d), averaged over 100 groups of paths: (100, m)."""
    inverse = like(np.linalg.pinv(covariance, rcond=1e-9, hermitian=True), z)
    return _groups(((z @ inverse) * z).sum(2) / rank)


def _groups(values: Any) -> Any:
    """Means of values (m, paths) over 100 groups of paths: (100, m)."""
    used = values[:, : values.shape[1] // 100 * 100]
    return used.reshape(len(values), 100, -1).mean(2).T


def check_law(params: Params) -> None:
    """Gaussian rows; a rank below d."""
    check({"strengths": (), "exponents": (), **params, "sampling": "single"})
    if params["data"] != "gaussian":
        raise BadParameter("Laws are of Gaussian rows; use data='gaussian'.")


LAW = Experiment("directional_pruning.law", draw, run, checks=(check_law,), device_ready=True)


def run_second_order(
    problem: dict[str, Any],
    *,
    step: Annotated[float, positive],
    paths: Annotated[int, at_least(200)] = 4000,
    strengths: tuple[float, ...] = (0.1, 0.1, 0.1, 0.1),
    exponents: tuple[float, ...] = (0.3, 0.51, 0.75, 1.0),
    rng: Stream,
) -> dict[str, Any]:
    """`size` (100, m): the mean square, over 100 groups of paths, of the norm of
    [(w_SGD - w_gRDA) / sqrt(step) - x] / sqrt(step), with x from its differential equation."""
    limit = find_limit(problem_on_host(problem), strengths, exponents)
    found, _ = dual_averaging(
        sampled_loss(problem, "single"),
        copies(problem["start"], paths),
        step=step,
        steps=round(problem["time"] / step),
        strengths=(0.0, *strengths),
        exponents=(1.0, *exponents),
        stream=rng,
    )
    x = (found.weights[0] - found.weights[1:]) / np.sqrt(step)
    error = (x - like(limit.displacement[:, None], x)) / np.sqrt(step)
    return dict(
        size=_groups((error**2).sum(2)),
        signs=np.sign(limit.weights),
        changed=len(limit.crossings),
        zeros=(found.weights[1:] == 0).sum(),
    )


SECOND_ORDER = Experiment(
    "directional_pruning.second_order", draw, run_second_order, checks=(check_law,),
    device_ready=True,
)  # fmt: skip


def run_moments(
    problem: dict[str, Any], *, step: Annotated[float, positive], rng: Stream
) -> dict[str, Any]:
    """`bias`: how far the covariance of SGD after time / step steps, by its exact recursion, is
    from the limit, relative to it (Frobenius norms)."""
    hessian, noise = problem["hessian"], problem["noise"]
    mean = problem["start"] - problem["optimum"]
    moment = np.outer(mean, mean)
    for _ in range(round(problem["time"] / step)):
        pulled = hessian @ moment
        spread = (np.trace(pulled) + noise**2) * hessian
        moment = moment - step * (pulled + pulled.T) + step**2 * (2 * pulled @ hessian + spread)
        mean = mean - step * hessian @ mean
    exact = (moment - np.outer(mean, mean)) / step
    C = limit_covariance(hessian, problem["start"] - problem["optimum"], noise, problem["time"])
    return dict(bias=np.linalg.norm(exact - C) / np.linalg.norm(C))


MOMENTS = Experiment("directional_pruning.moments", draw, run_moments, checks=(check_law,))
