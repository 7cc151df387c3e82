"""gRDA and stochastic gradient descent on one stream of noise, beside the limit of their distance.

Paths are followed where the problem is; the limit, a small differential equation, always in numpy.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from array_api_compat import array_namespace

from theory_lab.core import Experiment
from theory_lab.core.checks import BadParameter, at_least, nonnegative, one_of, positive
from theory_lab.core.parameters import Params
from theory_lab.core.seeds import Stream
from theory_lab.numerics.arrays import like
from theory_lab.numerics.samples import median
from theory_lab.solvers.averaging import RandomGradient, dual_averaging
from theory_lab.theorems.directional_pruning.experiments.instances import (
    copies,
    make_rows,
    problem_on_host,
    pruned,
    row_space,
    without,
)
from theory_lab.theorems.directional_pruning.experiments.limits import Limit, integrate
from theory_lab.theorems.directional_pruning.experiments.losses import (
    AdditiveNoise,
    AllRows,
    GaussianRows,
    SampledRows,
)

PROBLEMS = ("gaussian", "digits", "diabetes")
SAMPLING = ("single", "full batch", "additive")


def draw(
    data: Annotated[str, one_of(PROBLEMS)] = "gaussian",
    d: Annotated[int, at_least(2)] = 20,
    rank: Annotated[int, at_least(1)] = 10,
    noise: Annotated[float, nonnegative] = 0.5,
    distance: Annotated[float, nonnegative] = 0.3,
    time: Annotated[float, positive] = 8.0,
    crossings: Annotated[int, at_least(0)] = 0,
    grazing: bool = False,
    *,
    rng: Stream,
) -> dict[str, Any]:
    """A Hessian of that rank, an optimum whose weights are .8 to 1.6 in size, and a start that
    differs from it by N(0, distance^2) in every curved direction.

    data "gaussian": eigenvalues .2 to 1 and Gaussian rows; else `rank` rows of real features, with
    weights of .5 to 5 that fit the true labels. `crossings` weights are moved so that they change
    sign midway, `grazing` one so that it ends at .002.
    """
    if data == "gaussian":
        axes = np.linalg.qr(rng.standard_normal((d, rank)))[0]
        factor = axes * np.sqrt(np.linspace(0.2, 1, rank))
        optimum = rng.choice([-1.0, 1.0], d) * rng.uniform(0.8, 1.6, d)
        more: dict[str, Any] = dict(hessian=factor @ factor.T)
    else:
        rows, labels = make_rows(data, rank, d, rng)
        axes, factor = row_space(rows)[0], rows.T
        optimum = _interpolating(rows, labels, rng)
        more = dict(_rows=rows, _labels=labels)
    start = optimum + distance * axes @ rng.standard_normal(axes.shape[1])
    shift = _shift(factor, optimum, start, time, crossings, grazing)
    return more | dict(
        optimum=optimum + shift, start=start + shift, noise=noise, time=time,
        _factor=factor, _axes=axes,
    )  # fmt: skip


def _interpolating(rows: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Weights (d,) of random signs and sizes of .5 to 5 with X w = labels."""
    from scipy.optimize import lsq_linear

    inverse = np.linalg.pinv(rows, rcond=1e-5)
    guess = 2 * rng.choice([-1.0, 1.0], rows.shape[1])
    signs = np.sign(guess + inverse @ (labels - rows @ guess))
    found = lsq_linear(rows * signs, labels, bounds=(0.5, 5), tol=1e-14, lsmr_tol="auto")
    weights = signs * found.x
    if np.max(np.abs(rows @ weights - labels)) > 1e-9:
        raise BadParameter(
            f"No weights of .5 to 5 in size fit these labels; let d, now {len(weights)}, be at least"
            " six times the rank."
        )
    return weights


def _shift(
    factor: np.ndarray,
    optimum: np.ndarray,
    start: np.ndarray,
    time: float,
    crossings: int,
    grazing: bool,
) -> np.ndarray:
    """What moves chosen weights, at the start and at the optimum alike, so that the flow moves
    with them."""
    values, vectors = np.linalg.eigh(factor @ factor.T)
    end = optimum + (vectors * np.exp(-values * time)) @ (vectors.T @ (start - optimum))
    shift = np.zeros(len(optimum))
    travelled = np.argsort(-np.abs(end - start))[:crossings]
    shift[travelled] = -0.5 * (start + end)[travelled]
    if grazing:
        last = np.argmin(np.abs(end - start))
        shift[last] = 0.002 * np.sign((start - end)[last]) - end[last]
    return shift


def sampled_loss(problem: dict[str, Any], sampling: str) -> RandomGradient:
    """The loss behind the three ways to sample gradients; "additive" is N(0, noise^2 I)."""
    if "_rows" in problem:
        labels = problem["_rows"] @ problem["optimum"]
        rows = problem["_rows"]
        if sampling == "single":
            return SampledRows(rows, labels)
        return AllRows(rows, labels)
    factor, optimum = problem["_factor"], problem["optimum"]
    if sampling == "single":
        return GaussianRows(factor, optimum, problem["noise"])
    if sampling == "full batch":
        return AllRows(factor.T, factor.T @ optimum)
    return AdditiveNoise(factor, optimum, problem["noise"])


def find_limit(
    problem: dict[str, Any], strengths: tuple[float, ...], exponents: tuple[float, ...]
) -> Limit:
    """The flow and the displacement at the final time."""
    factor, optimum = problem["_factor"], problem["optimum"]
    return integrate(
        lambda w: factor @ (factor.T @ (w - optimum)),
        lambda _, u: (u @ factor) @ factor.T,
        problem["start"],
        strengths=strengths,
        exponents=exponents,
        time=problem["time"],
    )


def run(
    problem: dict[str, Any],
    *,
    step: Annotated[float, positive],
    paths: Annotated[int, at_least(1)] = 60,
    sampling: Annotated[str, one_of(SAMPLING)] = "single",
    strengths: tuple[float, ...] = (0.1, 0.1, 0.1, 0.1),
    exponents: tuple[float, ...] = (0.3, 0.51, 0.75, 1.0),
    rng: Stream,
) -> dict[str, Any]:
    """Medians over paths of the largest |w_gRDA - w| / sqrt(step), for m pairs (c, mu), to three
    w: directional pruning of the coupled SGD with the score of the limit (`error`: (m,)), with the
    score of infinite time (`error_limit_score`), and SGD itself (`error_unpruned`). `error_size`:
    the root mean square of the norm of the first, over sqrt(step).

    `clearance` (m,): the least |w_j(T)| / (sqrt(step) |x_j|) of the flow; `changed`: how many signs
    changed on the way.
    """
    here = problem_on_host(problem)
    limit = find_limit(here, strengths, exponents)
    signs, scale = np.sign(limit.weights), np.sqrt(step)
    size = scale * (np.array(strengths) * limit.powers)[:, None, None]
    return distances(
        sampled_loss(problem, sampling), limit, problem["start"], problem["time"], step, paths,
        strengths, exponents, rng, size * signs * without(here["_axes"], signs),
    )  # fmt: skip


def distances(
    loss: RandomGradient,
    limit: Limit,
    start: Any,
    time: float,
    step: float,
    paths: int,
    strengths: tuple[float, ...],
    exponents: tuple[float, ...],
    rng: Stream,
    endless: np.ndarray | None = None,
) -> dict[str, Any]:
    """gRDA against directional pruning of the coupled SGD, with the score of the limit and, where
    it is given, with the penalty `endless` (m, 1, d) of infinite time."""
    found, _ = dual_averaging(
        loss,
        copies(start, paths),
        step=step,
        steps=round(time / step),
        strengths=(0.0, *strengths),
        exponents=(1.0, *exponents),
        stream=rng,
    )
    sgd, averaged = found.weights[0], found.weights[1:]
    scale, signs = np.sqrt(step), np.sign(limit.weights)
    finite = pruned(sgd, like(scale * (signs * limit.displacement)[:, None], sgd))
    measured = dict(
        error=_distance(averaged, finite, scale),
        error_size=_size(averaged - finite, scale),
        error_unpruned=_distance(averaged, sgd, scale),
        clearance=np.min(np.abs(limit.weights) / (scale * np.abs(limit.displacement)), axis=1),
        changed=len(limit.crossings),
    )
    if endless is not None:
        limit_score = pruned(sgd, like(endless, sgd))
        measured["error_limit_score"] = _distance(averaged, limit_score, scale)
    return measured


def _distance(averaged: Any, other: Any, scale: float) -> Any:
    xp = array_namespace(averaged)
    return median(xp.max(xp.abs(averaged - other), axis=2).T) / scale


def _size(difference: Any, scale: float) -> Any:
    xp = array_namespace(difference)
    return xp.sqrt(xp.mean(xp.sum(difference**2, axis=2), axis=1)) / scale


def check(params: Params) -> None:
    """The rank is below d, every mu has its c, and real rows are sampled."""
    if params["rank"] >= params["d"]:
        raise BadParameter(f"rank is {params['rank']}, but it must be below d = {params['d']}.")
    if len(params["strengths"]) != len(params["exponents"]):
        raise BadParameter("strengths and exponents are pairs; give tuples of equal length.")
    if params["data"] != "gaussian" and params["sampling"] == "additive":
        raise BadParameter(
            "Real rows are sampled singly or taken in full batch; additive noise needs"
            " data='gaussian'."
        )


COUPLED = Experiment("directional_pruning.coupled", draw, run, checks=(check,), device_ready=True)
