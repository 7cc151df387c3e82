"""The score of the limit at a finite time, along flows with constant and with varying Hessian."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from theory_lab.core import Experiment
from theory_lab.core.checks import at_least, nonnegative, positive
from theory_lab.core.seeds import Stream
from theory_lab.theorems.directional_pruning.experiments.coupled import draw as draw_quadratic
from theory_lab.theorems.directional_pruning.experiments.instances import without
from theory_lab.theorems.directional_pruning.experiments.limits import integrate
from theory_lab.theorems.directional_pruning.experiments.networks import TwoLayers, draw_weights

EXPONENTS = (0.3, 0.51, 0.75, 1.0, 1.5)


def draw(
    d: Annotated[int, at_least(2)] = 20,
    rank: Annotated[int, at_least(1)] = 10,
    distance: Annotated[float, nonnegative] = 0.3,
    crossings: Annotated[int, at_least(0)] = 0,
    midway: Annotated[float, positive] = 8.0,
    *,
    rng: Stream,
) -> dict[str, Any]:
    """As for coupled paths; `crossings` weights change sign before the time `midway`."""
    drawn = draw_quadratic(
        "gaussian", d, rank, distance=distance, time=midway, crossings=crossings, rng=rng
    )
    return {name: value for name, value in drawn.items() if name != "time"}


def run(
    problem: dict[str, Any],
    *,
    time: Annotated[float, positive],
    exponents: tuple[float, ...] = EXPONENTS,
    fineness: Annotated[int, at_least(1)] = 400,
    rng: Stream,
) -> dict[str, Any]:
    """`displacement` (m, d) at `time` for c = 1, by Runge-Kutta with at least `fineness` steps;
    `score_gap` (m,): the largest |sbar_j - s_j|, and times t^mu: `scaled_gap`.

    `signs` (d,): of the flow at the end.
    """
    hessian, optimum = problem["hessian"], problem["optimum"]
    limit = integrate(
        lambda w: hessian @ (w - optimum),
        lambda _, u: u @ hessian,
        problem["start"],
        strengths=(1.0,) * len(exponents),
        exponents=exponents,
        time=time,
        steps=max(fineness, int(5 * time)),
    )
    signs = np.sign(limit.weights)
    scaled = limit.displacement - limit.powers[:, None] * without(problem["_axes"], signs)
    gap = np.max(np.abs(scaled), axis=1)
    return dict(displacement=limit.displacement, score_gap=gap / limit.powers, scaled_gap=gap,
                signs=signs, changed=len(limit.crossings))  # fmt: skip


SCORE = Experiment("directional_pruning.score", draw, run)


def draw_network(
    inputs: Annotated[int, at_least(1)] = 3,
    hidden: Annotated[int, at_least(1)] = 3,
    outputs: Annotated[int, at_least(1)] = 2,
    distance: Annotated[float, nonnegative] = 0.4,
    *,
    rng: Stream,
) -> dict[str, Any]:
    """A two-layer linear net, the mean over unit vectors x of 1/2 |V W x - M x|^2, near a random
    minimum: weights of .7 to 1.4 in size and a start at N(0, distance^2) from them."""
    W, V = (draw_weights(shape, 0.7, 1.4, rng) for shape in ((hidden, inputs), (outputs, hidden)))
    minimum = np.concatenate([W.ravel(), V.ravel()])
    start = minimum + distance * rng.standard_normal(minimum.shape)
    return dict(hidden=hidden, _target=V @ W, start=start)


def run_network(
    problem: dict[str, Any],
    *,
    time: Annotated[float, positive],
    exponents: tuple[float, ...] = (0.3, 0.51, 0.75, 0.9),
    rng: Stream,
) -> dict[str, Any]:
    """sbar - s with s from the kernel of the Hessian at the end: the norms `flat_gap` (m,) of its
    part in that kernel and `curved_gap` (m,) of the rest, and both in `gaps` (2 m,).

    `least_curvature`: the least positive eigenvalue there; `gradient`: its norm there.
    """
    inputs = problem["_target"].shape[1]
    network = TwoLayers(
        np.sqrt(inputs) * np.eye(inputs), np.sqrt(inputs) * problem["_target"],
        problem["hidden"], "linear",
    )  # fmt: skip
    stiffness = np.linalg.eigvalsh(network.hessian(problem["start"]))[-1]
    limit = integrate(
        network.mean_gradient, network.curvature, problem["start"],
        strengths=(1.0,) * len(exponents), exponents=exponents, time=time,
        steps=max(400, int(1.1 * time * stiffness)), grading=2,
    )  # fmt: skip
    values, vectors = np.linalg.eigh(network.hessian(limit.weights))
    positive = values > 1e-6 * values[-1]
    curved, signs = vectors[:, positive], np.sign(limit.weights)
    gap = limit.displacement / limit.powers[:, None] - without(curved, signs)
    flat = np.linalg.norm(without(curved, gap), axis=1)
    rest = np.linalg.norm(gap @ curved, axis=1)
    return dict(
        flat_gap=flat,
        curved_gap=rest,
        gaps=np.concatenate([flat, rest]),
        gradient=np.linalg.norm(network.mean_gradient(limit.weights)),
        least_curvature=np.min(values[positive]),
    )


NETWORK_SCORE = Experiment("directional_pruning.network_score", draw_network, run_network)
