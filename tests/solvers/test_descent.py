"""Laws of the objective, the align step, descent, and the certificates of where it ends."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.elsewhere import Counted, SameNoise
from theory_lab.core.seeds import Stream
from theory_lab.lab import backends
from theory_lab.solvers.curvature import smallest_curvature
from theory_lab.solvers.descent import align, descend, safe_step, small_gradient
from theory_lab.solvers.objective import Loss, Objective, transposed
from theory_lab.solvers.regulariser import (
    penalty,
    penalty_bend,
    penalty_slope,
    squared_norms,
)
from theory_lab.solvers.stationary import certify, second_order_points
from theory_lab.theorems.matrix_sensing.experiments.losses import PopulationLoss
from theory_lab.theorems.matrix_sensing.experiments.sensing_losses import (
    EmpiricalLoss,
    QuadraticNetworkLoss,
    gaussian_gram,
)

LOSSES = ("population", "empirical", "network")


def target(rng: np.random.Generator, d: int, r: int = 2) -> np.ndarray:
    axes = np.linalg.qr(rng.standard_normal((d, r)))[0]
    return (axes * np.linspace(1.5, 1.0, r)) @ axes.T


def make_loss(kind: str, rng: np.random.Generator, d: int) -> Loss:
    X = target(rng, d)
    if kind == "population":
        return PopulationLoss(X)
    if kind == "network":
        return QuadraticNetworkLoss(X)
    return EmpiricalLoss(gaussian_gram(rng, 60, X, 0.3))


def objective(kind: str, rng: np.random.Generator, runs: int, d: int) -> Objective:
    lam, beta = rng.uniform(0.05, 0.5, runs), rng.uniform(0.01, 0.2, runs)
    return Objective.of(make_loss(kind, rng, d), np.empty((runs, d, 1)), lam, beta)


@given(s=st.floats(1e-6, 10), beta=st.floats(1e-3, 2))
def test_penalty_derivatives(s: float, beta: float) -> None:
    h = 1e-5 * (s + beta)
    at = np.array([max(0.0, s - h), s, s + h])
    width = at[2] - at[0]
    value, slope = penalty(at, beta), penalty_slope(at, beta)
    assert (value[2] - value[0]) / width == pytest.approx(slope.mean(), rel=1e-4)
    bend = penalty_bend(at, beta)
    assert (slope[2] - slope[0]) / width == pytest.approx(bend.mean(), rel=1e-4)
    assert slope[1] > 0 > bend[1]


@pytest.mark.parametrize("kind", LOSSES)
def test_gradient_and_hessian_are_derivatives(kind: str) -> None:
    rng = np.random.default_rng(1)
    f, h = objective(kind, rng, 3, 6), 1e-5
    U, V = rng.standard_normal((2, 3, 6, 4))
    rise = (f.value(U + h * V) - f.value(U - h * V)) / (2 * h)
    np.testing.assert_allclose(rise, np.einsum("bij,bij->b", f.gradient(U), V), rtol=1e-6)
    turn = (f.gradient(U + h * V) - f.gradient(U - h * V)) / (2 * h)
    np.testing.assert_allclose(f.curvature_at(U)(V), turn, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", LOSSES)
def test_hessian_is_symmetric(kind: str) -> None:
    rng = np.random.default_rng(2)
    U, V, W = rng.standard_normal((3, 2, 5, 3))
    hessian = objective(kind, rng, 2, 5).curvature_at(U)
    left, right = np.einsum("bij,bij->b", W, hessian(V)), np.einsum("bij,bij->b", V, hessian(W))
    np.testing.assert_allclose(left, right, rtol=1e-11)


@pytest.mark.parametrize("kind", LOSSES)
def test_column_products_commute_up_to_the_gradient(kind: str) -> None:
    """lam (G D - D G) = U^T E - E^T U with E the gradient and D = diag(2 psi')."""
    rng = np.random.default_rng(3)
    f = objective(kind, rng, 2, 5)
    U = rng.standard_normal((2, 5, 4))
    G, E = transposed(U) @ U, f.gradient(U)
    D = 2 * penalty_slope(squared_norms(U), f.beta)
    left = f.lam[:, None] * (G * D[:, None, :] - D[:, :, None] * G)
    right = transposed(U) @ E - transposed(E) @ U
    np.testing.assert_allclose(left, right, atol=1e-11)


@pytest.mark.parametrize("kind", LOSSES)
def test_curvature_of_exchanging_two_columns(kind: str) -> None:
    """<V, H V> for V = U (e_i e_j^T - e_j e_i^T), in closed form for every loss."""
    rng = np.random.default_rng(4)
    f = objective(kind, rng, 2, 5)
    U = rng.standard_normal((2, 5, 3))
    V = np.zeros_like(U)
    V[:, :, 1], V[:, :, 0] = U[:, :, 0], -U[:, :, 1]
    measured = np.einsum("bij,bij->b", V, f.curvature_at(U)(V))
    E, s = f.gradient(U), squared_norms(U)
    slope, bend = penalty_slope(s, f.beta), penalty_bend(s, f.beta)
    product = np.einsum("bi,bi->b", U[:, :, 0], U[:, :, 1])
    ours = 4 * product**2 * bend[:, :2].sum(1)
    ours += 2 * (s[:, 0] - s[:, 1]) * (slope[:, 1] - slope[:, 0])
    ends = np.einsum("bij,bij->bj", U, E)[:, :2].sum(1)
    np.testing.assert_allclose(measured, ends + f.lam[:, 0] * ours, rtol=1e-10)


@given(seed=st.integers(0, 10**6), d=st.integers(1, 8), k=st.integers(1, 9))
def test_align_keeps_the_product_and_never_raises_the_penalty(seed: int, d: int, k: int) -> None:
    U = np.random.default_rng(seed).standard_normal((d, k))
    turned = align(U)
    np.testing.assert_allclose(turned @ turned.T, U @ U.T, atol=1e-12)
    gram = turned.T @ turned
    assert np.abs(gram - np.diag(np.diag(gram))).max() < 1e-12
    for beta in (1e-3, 0.1, 10.0):
        before, after = (penalty(squared_norms(X), beta).sum() for X in (U, turned))
        assert after <= before * (1 + 1e-12)


def start(rng: np.random.Generator, runs: int, d: int, k: int) -> np.ndarray:
    return 0.3 / np.sqrt(d) * rng.standard_normal((runs, d, k))


@pytest.mark.parametrize("method", [dict(), dict(aligned=True), dict(momentum=True)])
def test_runs_do_not_notice_their_neighbours(method: dict[str, bool]) -> None:
    rng = np.random.default_rng(5)
    loss, U = PopulationLoss(target(rng, 6)), start(rng, 4, 6, 4)
    lam = np.array([0.05, 0.1, 0.2, 0.3])
    step = safe_step(2.0, lam, 0.02)
    budget = dict(steps=700, until=small_gradient(1e-6), **method)
    together = descend(loss, U, lam, 0.02, step=step, **budget)
    for run in range(4):
        one = slice(run, run + 1)
        alone = descend(loss, U[one], lam[run], 0.02, step=step[run], **budget)
        np.testing.assert_allclose(together.U[run], alone.U[0], atol=1e-12)
        assert together.steps[run] == alone.steps[0]
        assert together.finished[run] == alone.finished[0]


METHODS = st.sampled_from([dict(), dict(aligned=True), dict(momentum=True)])


@pytest.mark.parametrize("kind", LOSSES)
@given(
    seed=st.integers(0, 10**6), runs=st.integers(1, 4), d=st.integers(2, 6), k=st.integers(1, 6),
    steps=st.integers(0, 60), method=METHODS,
)  # fmt: skip
def test_a_batch_is_its_runs_one_after_another_on_both_backends(
    kind: str, seed: int, runs: int, d: int, k: int, steps: int, method: dict[str, bool]
) -> None:
    rng = np.random.default_rng(seed)
    loss, U = make_loss(kind, rng, d), start(rng, runs, d, k)
    lam, beta = rng.uniform(0, 0.5, runs), rng.uniform(0.01, 0.2, runs)
    step = safe_step(2.0, lam, beta, 8.0)
    budget = dict(steps=steps, until=small_gradient(0.3), every=7, **method)
    together = descend(loss, U, lam, beta, step=step, **budget)
    (moved,) = backends.to_device(dict(loss=loss), "cpu").values()
    on_tensors = descend(moved, torch.tensor(U), lam, beta, step=step, **budget)
    for run in range(runs):
        one = slice(run, run + 1)
        alone = descend(loss, U[one], lam[run], beta[run], step=step[run], **budget)
        for found in (together, on_tensors):
            # the align step leaves the sign of a column open, and its turn where norms are equal
            for told in (lambda U: U @ U.T, squared_norms):
                np.testing.assert_allclose(told(found.U[run]), told(alone.U[0]), atol=1e-11)
            assert found.steps[run] == alone.steps[0]
            assert found.finished[run] == alone.finished[0]


def operations(steps: int, runs: int, d: int, momentum: bool) -> int:
    rng = np.random.default_rng(13)
    loss, U = PopulationLoss(torch.tensor(target(rng, d))), torch.tensor(start(rng, runs, d, 4))
    with Counted() as counted:
        descend(loss, U, 0.1, 0.01, step=0.01, steps=steps, momentum=momentum)
    return counted.count


@pytest.mark.parametrize("momentum", [False, True])
def test_a_step_gives_the_device_few_operations_whatever_its_size(momentum: bool) -> None:
    """A device waits for the host where a step is many small operations."""
    step = operations(4, 3, 5, momentum) - operations(3, 3, 5, momentum)
    assert step == operations(4, 50, 9, momentum) - operations(3, 50, 9, momentum)
    assert 10 <= step <= (30 if momentum else 18)


@pytest.mark.parametrize("kind", LOSSES)
def test_certificates_are_those_of_tensors(kind: str) -> None:
    rng = np.random.default_rng(12)
    f, U = objective(kind, rng, 3, 5), rng.standard_normal((3, 5, 4))
    lam, beta = f.lam[:, 0], f.beta[:, 0]
    (moved,) = backends.to_device(dict(loss=f.loss), "cpu").values()
    ours = certify(f.loss, U, lam, beta, rng=Stream({}, 0))
    theirs = certify(moved, torch.tensor(U), lam, beta, rng=SameNoise({}, 0, "problem", "cpu"))
    np.testing.assert_allclose(theirs[0], ours[0], rtol=1e-12)
    np.testing.assert_allclose(theirs[1], ours[1], rtol=1e-7)  # by the residual, up to 1e-9


def test_plain_descent_is_the_plain_iteration() -> None:
    rng = np.random.default_rng(6)
    f, U = objective("empirical", rng, 3, 5), start(rng, 3, 5, 4)
    step = np.array([0.01, 0.02, 0.005])
    path = descend(f.loss, U, f.lam[:, 0], f.beta[:, 0], step=step, steps=7)
    for _ in range(7):
        U = U - step[:, None, None] * f.gradient(U)
    np.testing.assert_allclose(path.U, U, atol=1e-13)
    assert list(path.steps) == [7, 7, 7]


def test_descent_leaves_its_start_alone_and_may_take_no_step() -> None:
    rng = np.random.default_rng(7)
    U = start(rng, 2, 4, 3)
    kept = U.copy()
    path = descend(PopulationLoss(target(rng, 4)), U, 0.1, 0.01, step=0.05, steps=0)
    np.testing.assert_array_equal(path.U, kept)
    descend(PopulationLoss(target(rng, 4)), U, 0.1, 0.01, step=0.05, steps=3, aligned=True)
    np.testing.assert_array_equal(U, kept)


@pytest.mark.parametrize("method", ["aligned", "momentum"])
def test_both_fast_methods_reach_the_same_points(method: str) -> None:
    rng = np.random.default_rng(8)
    loss, U = PopulationLoss(target(rng, 10)), start(rng, 5, 10, 7)
    step = safe_step(2.0, 0.1, 0.01)
    path = descend(
        loss, U, 0.1, 0.01, step=step, steps=5000, until=small_gradient(1e-10), **{method: True}
    )
    gradient, curvature = certify(loss, path.U, 0.1, 0.01, rng=Stream({}, 8))
    assert path.finished.all()
    assert gradient.max() <= 1e-10
    assert curvature.min() >= 0
    assert ((squared_norms(path.U) > 1e-8).sum(1) == 2).all()


@pytest.mark.parametrize("kind", LOSSES)
def test_lanczos_finds_the_smallest_eigenvalue(kind: str) -> None:
    rng = np.random.default_rng(9)
    runs, d, k = 3, 5, 4
    U = rng.standard_normal((runs, d, k))
    hessian = objective(kind, rng, runs, d).curvature_at(U)
    basis = np.eye(d * k).reshape(d * k, 1, d, k)
    dense = np.stack(
        [hessian(np.broadcast_to(e, U.shape)).reshape(runs, -1) for e in basis], axis=2
    )
    least = np.linalg.eigvalsh(dense)[:, 0]
    found = smallest_curvature(hessian, rng.standard_normal(U.shape))
    np.testing.assert_allclose(found.value, least, atol=1e-9)
    assert (found.residual <= 1e-8).all()
    assert (found.lower <= least + 1e-12).all()


def test_lanczos_survives_an_early_invariant_space() -> None:
    """At U = 0 the Hessian has as few distinct eigenvalues as X* has."""
    hessian = Objective.of(PopulationLoss(np.eye(4)), np.zeros((2, 4, 3)), 0.1, 0.01).curvature_at(
        np.zeros((2, 4, 3))
    )
    rng = np.random.default_rng(10)
    found = smallest_curvature(hessian, rng.standard_normal((2, 4, 3)))
    np.testing.assert_allclose(found.value, -4 + 2 * 0.1 / 0.1, atol=1e-12)


def test_a_spent_budget_shows_in_the_certificate() -> None:
    rng = np.random.default_rng(11)
    loss, U = PopulationLoss(target(rng, 6)), start(rng, 2, 6, 4)
    points = second_order_points(loss, U, 0.1, 0.01, step=0.02, rng=Stream({}, 11), steps=10)
    assert (points.gradient_norm > 1e-3).all()
    assert list(points.steps) == [10, 10]
