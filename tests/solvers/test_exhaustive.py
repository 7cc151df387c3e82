"""Branch and bound against the enumeration of supports, and where it must refuse."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory_lab.core.errors import UsageError
from theory_lab.solvers.exhaustive import minimise, proven, relaxed, runner_up
from theory_lab.solvers.group_lasso import Logistic, Multinomial, Problem, Squares, solve
from theory_lab.solvers.masked_penalties import PENALTIES

LOSSES = ("squares", "responses", "logistic", "multinomial")


def make(groups: int, seed: int, loss: str = "squares") -> Problem:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((30, 2 * groups)) / np.sqrt(30)
    Z = X[:, :4] @ np.array([3.0, -2.0, 1.5, 1.0]) + 0.1 * rng.standard_normal(30)
    if loss == "squares":
        return Problem(X, Squares(Z[:, None]), 2)
    if loss == "responses":
        return Problem(X, Squares(np.column_stack([Z, X[:, 1] - Z])), 2)
    if loss == "logistic":
        return Problem(X, Logistic((Z[:, None] > 0).astype(float)), 2, 0.1)
    labels = np.column_stack([Z, X[:, 4], X[:, 3]]).argmax(axis=1)
    return Problem(X, Multinomial(np.eye(3)[labels]), 2, 0.1)


def zero(problem: Problem) -> np.ndarray:
    return np.zeros((problem.X.shape[1], problem.loss.shape[1]))


def largest(problem: Problem) -> float:
    return float(problem.norms(problem.gradient(zero(problem))).max())


def objective(problem: Problem, lam: float, name: str, B: np.ndarray) -> float:
    return problem.smooth(B) + lam * float(PENALTIES[name].combined(problem.norms(B)))


def enumerated(problem: Problem, lam: float, name: str) -> float:
    """The best value over all supports, 4 descents on each."""
    from scipy.optimize import minimize

    rng, t, K = np.random.default_rng(0), len(problem.members), problem.loss.shape[1]
    best = problem.smooth(zero(problem))
    for size in range(1, t + 1):
        for support in itertools.combinations(range(t), size):
            on = np.concatenate([problem.members[g] for g in support])

            def value(x: np.ndarray, on: np.ndarray = on) -> float:
                B = zero(problem)
                B[on] = x.reshape(-1, K)
                return min(objective(problem, lam, name, B), 1e6)  # a bounded q has infinity

            for _ in range(4):
                best = min(best, minimize(value, rng.standard_normal(len(on) * K)).fun)
    return float(best)


@pytest.mark.parametrize(
    ("name", "fraction", "loss"),
    [("sqrt", 0.9, "squares"), ("log", 0.3, "squares"), ("bounded", 0.3, "squares"),
     ("log", 0.1, "squares"), ("sqrt", 0.3, "responses"), ("log", 0.3, "logistic"),
     ("bounded", 0.2, "logistic"), ("log", 0.3, "multinomial")],
)  # fmt: skip
def test_the_minimum_is_that_of_all_supports(name: str, fraction: float, loss: str) -> None:
    problem = make(3, 1, loss)
    lam = fraction * largest(problem)
    found = minimise(problem, lam, PENALTIES[name])
    reference = enumerated(problem, lam, name)
    assert found.value == pytest.approx(objective(problem, lam, name, found.coefficients))
    assert found.lower_bound <= reference + 1e-9
    # descents that difference their gradients end at 1e-6 of the value
    assert found.value <= reference + 1e-5 * abs(reference)
    assert found.closed


@settings(max_examples=12)
@given(
    loss=st.sampled_from(LOSSES), name=st.sampled_from(["sqrt", "log", "bounded"]),
    fraction=st.floats(0.15, 0.9), seed=st.integers(0, 99),
)  # fmt: skip
def test_every_leaf_has_a_proof(loss: str, name: str, fraction: float, seed: int) -> None:
    """Recomputed from its point on the problem as it was given, below every value in its box."""
    problem, rng = make(4, seed, loss), np.random.default_rng(seed)
    lam, q = fraction * largest(problem), PENALTIES[name]
    found = minimise(problem, lam, q, nodes=30)
    for leaf in found.leaves:
        own = proven(problem, lam, q, leaf.proof)
        assert own == pytest.approx(leaf.proof.bound, rel=1e-9, abs=1e-9) or own == np.inf
        assert own >= found.lower_bound - 1e-9
        assert np.all(leaf.proof.low <= leaf.low)
        assert np.all(leaf.high <= leaf.proof.high)
        B = rng.standard_normal(found.coefficients.shape)
        wanted = leaf.low + rng.random(4) * (leaf.high - leaf.low)
        B *= np.repeat(wanted / problem.norms(B), 2)[:, None]
        assert objective(problem, lam, name, B) >= own - 1e-9


def test_the_leaves_cover_the_box() -> None:
    problem = make(4, 3)
    lam = 0.3 * largest(problem)
    found = minimise(problem, lam, PENALTIES["log"], nodes=40)
    top = np.max([leaf.high for leaf in found.leaves], axis=0)
    for point in np.random.default_rng(0).random((500, 4)) * top:
        assert any(np.all((leaf.low <= point) & (point <= leaf.high)) for leaf in found.leaves)


@settings(max_examples=30)
@given(name=st.sampled_from(["abs", "sqrt", "two_thirds", "log", "bounded"]), data=st.data())
def test_the_relaxation_is_below_the_penalty(name: str, data: st.DataObject) -> None:
    t = data.draw(st.integers(1, 6))
    numbers = st.lists(st.floats(0, 3), min_size=t, max_size=t).map(np.array)
    low, width, share = data.draw(numbers), data.draw(numbers), data.draw(numbers) / 3
    node = relaxed(PENALTIES[name], low, low + width)
    a = low + share * width
    bound = node.offset + float(node.slopes @ (a - low))
    assert PENALTIES[name].combined(a) >= bound * (1 - 1e-9)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_runner_up_has_not_the_group(loss: str) -> None:
    problem = make(4, 2, loss)
    lam = 0.6 * largest(problem)
    best = minimise(problem, lam, PENALTIES["log"])
    group = int(np.argmax(problem.norms(best.coefficients)))
    second = runner_up(problem, lam, PENALTIES["log"], group)
    assert problem.norms(second.coefficients)[group] == 0
    assert second.lower_bound > best.value
    assert objective(problem, lam, "log", second.coefficients) == pytest.approx(second.value)


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


def test_free_groups_are_refused() -> None:
    base = make(3, 0)
    with pytest.raises(UsageError, match="every group"):
        minimise(Problem(base.X, base.loss, 2, free=(0,)), 1.0, PENALTIES["log"])
