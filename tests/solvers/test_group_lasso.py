"""Group LASSO: certificates, KKT conditions, an independent reference, and errors with a cure."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory_lab.core.errors import UsageError
from theory_lab.solvers.group_lasso import (
    Logistic,
    Multinomial,
    Problem,
    Squares,
    accelerated,
    solve,
)

LOSSES = ("squares", "responses", "logistic", "multinomial")


def make(
    loss: str, sizes: tuple[int, ...], seed: int, *, ridge: float = 0.1, m: int = 30
) -> Problem:
    """A problem with shuffled features, so that groups are not contiguous."""
    rng = np.random.default_rng(seed)
    d = sum(sizes)
    X = rng.standard_normal((m, d))
    order = rng.permutation(d)
    groups = np.split(order, np.cumsum(sizes)[:-1])
    score = X @ rng.standard_normal((d, 3)) / np.sqrt(d)
    if loss == "squares":
        return Problem(X, Squares(score[:, :1] + 0.1 * rng.standard_normal((m, 1))), groups)
    if loss == "responses":
        return Problem(X, Squares(score), groups)
    if loss == "logistic":
        return Problem(X, Logistic((score[:, :1] > 0).astype(float)), groups, ridge)
    return Problem(X, Multinomial(np.eye(3)[score.argmax(axis=1)]), groups, ridge)


def largest(problem: Problem) -> float:
    zero = np.zeros((problem.X.shape[1], problem.loss.shape[1]))
    return float(problem.norms(problem.gradient(zero)).max())


def kkt_violation(problem: Problem, B: np.ndarray, lam: float) -> float:
    """The largest violation, group by group from the definition."""
    G, worst = problem.gradient(B), 0.0
    for group, is_penalised in zip(problem.members, problem.penalised, strict=True):
        norm = np.linalg.norm(B[group])
        if not is_penalised:
            worst = max(worst, np.linalg.norm(G[group]))
        elif norm > 0:
            worst = max(worst, np.linalg.norm(G[group] + lam * B[group] / norm))
        else:
            worst = max(worst, np.linalg.norm(G[group]) - lam)
    return worst


sizes = st.lists(st.integers(1, 6), min_size=1, max_size=9).map(tuple)


@given(
    loss=st.sampled_from(LOSSES),
    sizes=sizes,
    fraction=st.floats(0.02, 1.2),
    seed=st.integers(0, 999),
)
def test_solutions_are_certified(
    loss: str, sizes: tuple[int, ...], fraction: float, seed: int
) -> None:
    problem = make(loss, sizes, seed)
    lam = fraction * largest(problem)
    found = solve(problem, lam, tol=1e-12)
    assert found.converged
    assert found.gap >= 0
    assert found.objective == pytest.approx(problem.objective(found.coefficients, lam), rel=1e-12)
    # the gap bounds the KKT residual through the curvature of the loss only to its square root
    assert kkt_violation(problem, found.coefficients, lam) <= 1e-5 * lam
    if fraction >= 1:
        assert not found.coefficients.any()


@settings(max_examples=15)
@given(loss=st.sampled_from(LOSSES), sizes=sizes, seed=st.integers(0, 999))
def test_the_lower_bound_is_below_every_value(loss: str, sizes: tuple[int, ...], seed: int) -> None:
    problem = make(loss, sizes, seed)
    rng = np.random.default_rng(seed)
    shape = (problem.X.shape[1], problem.loss.shape[1])
    lam = 0.3 * largest(problem)
    best = solve(problem, lam).objective
    for size in (0.0, 0.1, 1.0):
        B = size * rng.standard_normal(shape)
        slope = problem.loss.slope(problem.X @ B)
        assert problem.lower_bound(slope, problem.X.T @ slope, lam) <= best + 1e-12 * abs(best)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("free", [(), (1,)])
def test_same_minimum_as_cvxpy(loss: str, free: tuple[int, ...]) -> None:
    cp = pytest.importorskip("cvxpy")
    base = make(loss, (3, 1, 2, 4), 5)
    problem = Problem(base.X, base.loss, base.groups, base.ridge, free)
    lam, K = 0.2 * largest(problem), problem.loss.shape[1]
    found = solve(problem, lam)
    B = cp.Variable((problem.X.shape[1], K))
    Z, Y = problem.X @ B, problem.loss.Y
    value = {
        "squares": lambda: 0.5 * cp.sum_squares(Z - Y),
        "responses": lambda: 0.5 * cp.sum_squares(Z - Y),
        "logistic": lambda: cp.sum(cp.logistic(Z)) - cp.sum(cp.multiply(Y, Z)),
        "multinomial": lambda: cp.sum(cp.log_sum_exp(Z, axis=1)) - cp.sum(cp.multiply(Y, Z)),
    }[loss]()
    penalty = sum(
        cp.norm(B[group], "fro")
        for group, on in zip(problem.members, problem.penalised, strict=True) if on
    )  # fmt: skip
    reference = cp.Problem(
        cp.Minimize(value + 0.5 * problem.ridge * cp.sum_squares(B) + lam * penalty)
    )
    reference.solve(solver="CLARABEL")
    # interior points stop at relative 1e-8; the minimiser is known to the root of that
    assert found.objective == pytest.approx(reference.value, rel=1e-7)
    np.testing.assert_allclose(found.coefficients, B.value, atol=1e-3)


def test_more_variables_than_samples() -> None:
    rng = np.random.default_rng(3)
    X, Y = rng.standard_normal((40, 200)), rng.standard_normal((40, 1))
    problem = Problem(X, Squares(Y), 5)
    for fraction in (0.5, 0.1, 0.01):
        lam = fraction * largest(problem)
        found = solve(problem, lam, tol=1e-10)
        assert found.converged
        assert kkt_violation(problem, found.coefficients, lam) <= 1e-5 * lam


def test_a_warm_start_ends_at_the_same_point() -> None:
    problem = make("squares", (2, 3, 2, 2), 1)
    lam = 0.2 * largest(problem)
    cold = solve(problem, lam, tol=1e-14)
    warm = solve(problem, lam, tol=1e-14, start=solve(problem, 2 * lam).coefficients)
    np.testing.assert_allclose(warm.coefficients, cold.coefficients, atol=1e-9)


def test_a_single_group_of_orthonormal_columns_is_shrunk() -> None:
    """min 1/2 |X b - y|^2 + lam |b| has b = (1 - lam/|c|) c for X^T X = I, c = X^T y."""
    rng = np.random.default_rng(0)
    X = np.linalg.qr(rng.standard_normal((20, 3)))[0]
    y = rng.standard_normal((20, 1))
    c = X.T @ y
    lam = 0.4 * np.linalg.norm(c)
    found = solve(Problem(X, Squares(y), 3), lam, tol=1e-14)
    np.testing.assert_allclose(found.coefficients, 0.6 * c, rtol=1e-9)


@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_the_proximal_version_agrees(kind: str) -> None:
    problem = make("responses", (3, 1, 2), 2)
    lam = 0.3 * largest(problem)
    membership = np.zeros((3, 6))
    for g, group in enumerate(problem.members):
        membership[g, group] = 1
    arrays = [problem.X, problem.loss.Y, membership]
    if kind == "torch":
        torch = pytest.importorskip("torch")
        arrays = [torch.from_numpy(array) for array in arrays]
    point = accelerated(*arrays, lam, tol=1e-12)
    exact = solve(problem, lam, tol=1e-13)
    np.testing.assert_allclose(np.asarray(point.coefficients), exact.coefficients, atol=1e-5)
    assert 0 <= point.gap <= 1e-10


ONE = Squares(np.ones((4, 1)))
BAD = [
    (lambda: Problem(np.ones((4, 3)), ONE, [[0, 1], [1, 2]]), "overlap in feature 1"),
    (lambda: Problem(np.ones((4, 3)), ONE, [[0, 1, 2], []]), "empty"),
    (lambda: Problem(np.ones((4, 3)), ONE, [[0, 1]]), "in no group"),
    (lambda: Problem(np.ones((4, 3)), ONE, []), "there is none"),
    (lambda: Problem(np.ones((4, 3)), ONE, 1, free=(3,)), "outside of 0..2"),
    (lambda: Problem(np.ones(4), ONE, 1), "must be"),
    (lambda: Squares(np.ones(4)), "must be"),
    (lambda: Logistic(np.full((4, 1), -1.0)), "0 and 1"),
    (lambda: Multinomial(np.ones((4, 2))), "one-hot"),
    (lambda: accelerated(np.full((4, 3), np.nan), np.ones((4, 1)), np.eye(3), 1.0), "not finite"),
    (lambda: Problem(np.ones((4, 3)), ONE, [[0, 1, 3]]), "outside of 0..2"),
    (lambda: Problem(np.ones((4, 3)), ONE, 2), "do not divide"),
    (lambda: Problem(np.ones((0, 3)), Squares(np.ones((0, 1))), 1), "m and d at least 1"),
    (lambda: Problem(np.ones((3, 3)), ONE, 1), "must agree"),
    (lambda: Problem(np.ones((4, 3)), ONE, 1, -1.0), "at least 0"),
    (lambda: Problem(np.ones((4, 3)), Logistic(np.ones((4, 1))), 1, free=(0,)), "ridge above 0"),
    (lambda: solve(Problem(np.ones((4, 3)), ONE, 1), 0.0), "greater than 0"),
    (lambda: solve(Problem(np.ones((4, 3)), ONE, 1), np.nan), "greater than 0"),
    (lambda: solve(Problem(np.full((4, 3), np.nan), ONE, 1), 1.0), "not finite"),
    (lambda: accelerated(np.ones((4, 3)), np.ones((4, 1)), np.eye(3), -1.0), "greater than 0"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "cure"), BAD)
def test_bad_input_is_refused_with_a_cure(call, cure: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UsageError, match=cure):
        call()
