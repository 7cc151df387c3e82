"""The limit of gRDA for small steps, by integrating its differential equations.

w' = -grad l(w),   u' = -H(w) (u - c t^mu sigma),   sigma = sign(w),
(w_SGD - w_gRDA) / sqrt(gamma)  ->  x = c t^mu sigma - u
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

Gradient = Callable[[np.ndarray], np.ndarray]
Curvature = Callable[[np.ndarray, np.ndarray], np.ndarray]


class Limit(NamedTuple):
    """At the final time: the flow `weights` (d,), the displacement x (m, d), and t^mu (m,).

    `crossings`: the times at which a weight changed its sign.
    """

    weights: np.ndarray
    displacement: np.ndarray
    powers: np.ndarray
    crossings: np.ndarray


def integrate(
    gradient: Gradient,
    curvature: Curvature,
    start: np.ndarray,
    *,
    strengths: Sequence[float],
    exponents: Sequence[float],
    time: float,
    steps: int = 200,
    grading: int = 4,
) -> Limit:
    """Classical Runge-Kutta on the times time (i / steps)^grading, with the crossings among them.

    gradient(w): (d,) -> (d,); curvature(w, u) = H(w) u for rows of u (m, d).
    """
    grid = time * np.linspace(0, 1, steps + 1) ** grading
    path = _flow(gradient, start, grid)
    crossings = _crossings(path, grid)
    c, mu = np.array(strengths), np.array(exponents)

    def velocity(t: float, state: np.ndarray) -> np.ndarray:
        w, u = state[0], state[1:]
        return -np.vstack([gradient(w), curvature(w, u - (c * t**mu)[:, None] * signs)])

    state = np.vstack([start, np.zeros((len(c), len(start)))])
    for a, b in itertools.pairwise(np.union1d(grid, crossings)):
        # constant between two times of the grid, which has all crossings
        signs = np.sign(state[0] - 0.5 * (b - a) * gradient(state[0]))
        state = _step(velocity, a, b - a, state)
    powers = time**mu
    displacement = (c * powers)[:, None] * np.sign(state[0]) - state[1:]
    return Limit(state[0], displacement, powers, crossings)


def _step(
    velocity: Callable[[float, np.ndarray], np.ndarray], t: float, h: float, state: np.ndarray
) -> np.ndarray:
    """One step of the classical Runge-Kutta method."""
    first = velocity(t, state)
    second = velocity(t + h / 2, state + h / 2 * first)
    third = velocity(t + h / 2, state + h / 2 * second)
    fourth = velocity(t + h, state + h * third)
    return state + h / 6 * (first + 2 * second + 2 * third + fourth)


def _flow(gradient: Gradient, start: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """The gradient flow at all times of the grid: (len(grid), d)."""
    path = [start]
    for a, b in itertools.pairwise(grid):
        path.append(_step(lambda _, w: -gradient(w), a, b - a, path[-1]))
    return np.array(path)


def _crossings(path: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Times at which a coordinate of the path is 0, by inverse cubic interpolation."""
    rows, columns = np.nonzero(np.sign(path[:-1]) * np.sign(path[1:]) < 0)
    times = []
    for row, column in zip(rows, columns, strict=True):
        near = slice(max(row - 1, 0), row + 3)
        values, at = path[near, column], grid[near]
        times.append(_lagrange(values, at))
    return np.sort(np.array(times))


def _lagrange(values: np.ndarray, at: np.ndarray) -> float:
    """Where the polynomial through (value, time) takes the value 0."""
    total = 0.0
    for i, value in enumerate(values):
        others = np.delete(values, i)
        total += at[i] * np.prod(others / (others - value))
    return float(total)


def limit_covariance(
    hessian: np.ndarray, gap: np.ndarray, noise: float, time: float, steps: int = 400
) -> np.ndarray:
    """C(t) (d, d) of C' = -H C - C H + H e e^T H + (e^T H e) H + noise^2 H along e' = -H e.

    gap: e(0) (d,); classical Runge-Kutta on equal steps.
    """

    def velocity(_: float, state: np.ndarray) -> np.ndarray:
        e, C = state[0], state[1:]
        pulled, flowed = hessian @ e, hessian @ C
        source = np.outer(pulled, pulled) + (e @ pulled + noise**2) * hessian
        return np.vstack([-pulled, source - flowed - flowed.T])

    state = np.vstack([gap, np.zeros_like(hessian)])
    for i in range(steps):
        state = _step(velocity, i * time / steps, time / steps, state)
    return state[1:]
