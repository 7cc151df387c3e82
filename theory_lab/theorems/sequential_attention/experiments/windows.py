"""The first two entries of the Group LASSO as lam falls."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from theory_lab.solvers.group_lasso import Problem, solve

SCAN, HALVINGS = 40, 26


class Window(NamedTuple):
    """tau = max_g |grad_g L(0)|, the group that has it, and a bracket of lam2, where a second one
    enters."""

    tau: float
    leader: int
    low: float
    high: float


def restricted(problem: Problem, *groups: int) -> Problem:
    """The problem with all other groups held at 0."""
    parts = [problem.members[g] for g in groups]
    places = np.split(
        np.arange(sum(map(len, parts))), np.cumsum([len(part) for part in parts])[:-1]
    )
    return replace(problem, X=problem.X[:, np.concatenate(parts)], groups=places)


def one_group_point(problem: Problem, group: int, lam: float) -> np.ndarray:
    """The minimiser over one group, as coefficients (d, K) of all."""
    B = np.zeros((problem.X.shape[1], problem.loss.shape[1]))
    B[problem.members[group]] = solve(restricted(problem, group), lam, tol=1e-15).coefficients
    return B


def zero_gradient_norms(problem: Problem) -> np.ndarray:
    """|grad_g L(0)| (t,)."""
    zero = np.zeros((problem.X.shape[1], problem.loss.shape[1]))
    return problem.norms(problem.gradient(zero))


def find_window(problem: Problem) -> Window:
    """A scan downwards from tau over the one-group point, then bisection."""
    norms = zero_gradient_norms(problem)
    leader, tau = int(np.argmax(norms)), float(norms.max())
    second = float(np.delete(norms, leader).max(initial=0.0))
    if second >= tau * (1 - 1e-12):
        return Window(tau, leader, tau, tau)

    def is_alone(lam: float) -> bool:
        pulls = problem.norms(problem.gradient(one_group_point(problem, leader, lam)))
        return bool(np.delete(pulls, leader).max(initial=0.0) <= lam)

    high = tau
    for lam in np.geomspace(tau, 1e-4 * tau, SCAN)[1:].tolist():
        if not is_alone(lam):
            break
        high = lam
    else:
        return Window(tau, leader, 0.0, high)
    low = lam
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if is_alone(middle) else (middle, high)
    return Window(tau, leader, low, high)


def outside_entry(problem: Problem, window: Window) -> float:
    """The lam at which a group that does not have the largest gradient at 0 enters: lam2, but for
    ties (then those that have it are left to themselves); 0 if none does down to 1e-4 tau."""
    norms = zero_gradient_norms(problem)
    leaders = np.flatnonzero(norms >= window.tau * (1 - 1e-9)).tolist()
    others = [g for g in range(len(norms)) if g not in leaders]
    if len(leaders) == 1 or not others:
        return window.high if others else 0.0
    together = restricted(problem, *leaders)

    def asks(lam: float) -> bool:
        B = np.zeros((problem.X.shape[1], problem.loss.shape[1]))
        B[np.concatenate([problem.members[g] for g in leaders])] = solve(together, lam).coefficients
        return bool(problem.norms(problem.gradient(B))[others].max() > lam)

    low, high = 0.0, window.tau
    for lam in np.geomspace(window.tau, 1e-4 * window.tau, SCAN)[1:].tolist():
        if asks(lam):
            low = lam
            break
        high = lam
    for _ in range(HALVINGS if low else 0):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if asks(middle) else (low, middle)
    return high if low else 0.0
