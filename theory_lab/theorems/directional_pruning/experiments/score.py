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
    """A two-layer linear net 1/2 |W2 W1 - M|^2 near a random minimum: weights of .5 to 1 in size
    and a start at N(0, distance^2) from them."""
    first, second = (
        rng.choice([-1.0, 1.0], shape) * rng.uniform(0.5, 1.0, shape)
        for shape in ((hidden, inputs), (outputs, hidden))
    )
    minimum = np.concatenate([first.ravel(), second.ravel()])
    start = minimum + distance * rng.standard_normal(minimum.shape)
    return dict(hidden=hidden, _target=second @ first, start=start)


class LinearNetwork:
    """1/2 |W2 W1 - M|_F^2 at w = (W1, W2) flattened, W1 (hidden, inputs), W2 (outputs, hidden)."""

    def __init__(self, target: np.ndarray, hidden: int) -> None:
        self.target, self.hidden = target, hidden

    def split(self, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """W1 and W2 of flattened w (..., d)."""
        outputs, inputs = self.target.shape
        size, lead = self.hidden * inputs, w.shape[:-1]
        return (
            w[..., :size].reshape(*lead, self.hidden, inputs),
            w[..., size:].reshape(*lead, outputs, self.hidden),
        )

    def gradient(self, w: np.ndarray) -> np.ndarray:
        """(W2^T G, G W1^T) with G = W2 W1 - M."""
        first, second = self.split(w)
        G = second @ first - self.target
        return np.concatenate([(second.T @ G).ravel(), (G @ first.T).ravel()])

    def curvature(self, w: np.ndarray, u: np.ndarray) -> np.ndarray:
        """H(w) u for rows of u (m, d)."""
        (first, second), (du, dv) = self.split(w), self.split(u)
        G = second @ first - self.target
        dG = dv @ first + second @ du
        upper = np.swapaxes(dv, 1, 2) @ G + second.T @ dG
        lower = dG @ first.T + G @ np.swapaxes(du, 1, 2)
        return np.concatenate([upper.reshape(len(u), -1), lower.reshape(len(u), -1)], axis=1)


def run_network(
    problem: dict[str, Any],
    *,
    time: Annotated[float, positive],
    exponents: tuple[float, ...] = (0.3, 0.4, 0.51, 0.6),
    rng: Stream,
) -> dict[str, Any]:
    """`score_gap` (m,): the largest |sbar_j - s_j|, s from the kernel of the Hessian at the end;
    `gradient`: its norm there."""
    network = LinearNetwork(problem["_target"], problem["hidden"])
    stiffness = np.linalg.eigvalsh(
        network.curvature(problem["start"], np.eye(len(problem["start"])))
    )[-1]
    limit = integrate(
        network.gradient, network.curvature, problem["start"],
        strengths=(1.0,) * len(exponents), exponents=exponents, time=time,
        steps=max(400, int(1.5 * time * stiffness)), grading=2,
    )  # fmt: skip
    w, signs = limit.weights, np.sign(limit.weights)
    values, vectors = np.linalg.eigh(network.curvature(w, np.eye(len(w))))
    curved = vectors[:, values > 1e-6 * values[-1]]
    gap = limit.displacement / limit.powers[:, None] - without(curved, signs)
    return dict(score_gap=np.max(np.abs(gap), axis=1), gradient=np.linalg.norm(network.gradient(w)),
                changed=len(limit.crossings), least_curvature=np.min(values[values > 1e-6 * values[-1]]))  # fmt: skip


NETWORK_SCORE = Experiment("directional_pruning.network_score", draw_network, run_network)
