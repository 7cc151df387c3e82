"""Branch and bound against the enumeration of supports, and where it must refuse."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from theory_lab.core.errors import UsageError
from theory_lab.solvers.exhaustive import minimise
from theory_lab.solvers.group_lasso import Logistic, Problem, Squares, solve
from theory_lab.solvers.masked_penalties import PENALTIES


def make(groups: int, seed: int) -> Problem:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((30, 2 * groups)) / np.sqrt(30)
    y = X[:, :4] @ np.array([3.0, -2.0, 1.5, 1.0]) + 0.1 * rng.standard_normal(30)
    return Problem(X, Squares(y[:, None]), 2)


def largest(problem: Problem) -> float:
    return float(problem.norms(problem.gradient(np.zeros((problem.X.shape[1], 1)))).max())


def enumerated(problem: Problem, lam: float, name: str) -> float:
    """The best value over all supports, 4 descents on each."""
    from scipy.optimize import minimize

    rng, q, t = np.random.default_rng(0), PENALTIES[name], len(problem.members)
    best = problem.smooth(np.zeros((problem.X.shape[1], 1)))
    for size in range(1, t + 1):
        for support in itertools.combinations(range(t), size):
            on = np.concatenate([problem.members[g] for g in support])

            def value(x: np.ndarray, on: np.ndarray = on) -> float:
                B = np.zeros((problem.X.shape[1], 1))
                B[on, 0] = x
                penalty = min(float(q.combined(problem.norms(B))), 1e6)  # a bounded q has infinity
                return problem.smooth(B) + lam * penalty

            for _ in range(4):
                best = min(best, minimize(value, rng.standard_normal(len(on))).fun)
    return float(best)


@pytest.mark.parametrize("name", ["sqrt", "log", "bounded"])
@pytest.mark.parametrize("fraction", [0.9, 0.3])
def test_the_minimum_is_that_of_all_supports(name: str, fraction: float) -> None:
    problem = make(3, 1)
    lam = fraction * largest(problem)
    found = minimise(problem, lam, PENALTIES[name])
    reference = enumerated(problem, lam, name)
    assert found.lower_bound <= reference + 1e-9
    assert found.value <= reference + 1e-5 * abs(reference)
    assert found.closed


def test_the_plain_norm_is_the_group_lasso() -> None:
    problem = make(6, 2)
    lam = 0.2 * largest(problem)
    found = minimise(problem, lam, PENALTIES["abs"])
    assert found.closed
    assert found.value == pytest.approx(solve(problem, lam).objective, rel=1e-6)


@pytest.mark.parametrize("name", ["sine", "square"])
def test_other_functions_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="concave"):
        minimise(make(3, 0), 1.0, PENALTIES[name])


def test_other_losses_are_refused() -> None:
    with pytest.raises(UsageError, match="squares"):
        minimise(Problem(np.ones((4, 2)), Logistic(np.ones((4, 1))), 1), 1.0, PENALTIES["log"])
