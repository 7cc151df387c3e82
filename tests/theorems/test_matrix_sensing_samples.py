"""Laws of the measured losses and of the formulas for finite samples and quadratic networks."""

import itertools
import math

import numpy as np
import pytest
from scipy.special import stdtrit

from theory_lab.core.seeds import Stream
from theory_lab.numerics.symmetric import smat, svec
from theory_lab.solvers.objective import Objective
from theory_lab.theorems.matrix_sensing.bounds import finite_samples as bounds
from theory_lab.theorems.matrix_sensing.bounds import quadratic_network as network
from theory_lab.theorems.matrix_sensing.bounds.regulariser import phi, psi_prime
from theory_lab.theorems.matrix_sensing.experiments import error_floor, restricted_isometry
from theory_lab.theorems.matrix_sensing.experiments.sensing_losses import (
    EmpiricalLoss,
    GramForm,
    QuadraticNetworkLoss,
    bartlett_gram,
    direct_gram,
    gaussian_gram,
    quadratic_gram,
)

FALSE_ALARM = 1e-6
SAMPLERS = [(gaussian_gram, 40), (gaussian_gram, 6), (quadratic_gram, 40)]


def symmetric(rng: np.random.Generator, runs: int, d: int) -> np.ndarray:
    Z = rng.standard_normal((runs, d, d))
    return Z + np.swapaxes(Z, 1, 2)


def random_target(rng: np.random.Generator, d: int, r: int) -> np.ndarray:
    U = rng.standard_normal((d, r))
    return U @ U.T


@pytest.mark.parametrize("n", [4, 50])
def test_gram_form_is_the_two_product_loss(n: int) -> None:
    rng = np.random.default_rng(n)
    d, target = 5, random_target(rng, 5, 2)
    A = rng.standard_normal((n, d, d))
    y = np.einsum("nij,ij->n", A, target) + rng.standard_normal((3, n))
    X = symmetric(rng, 3, d)
    residual = np.einsum("nij,bij->bn", A, X) - y
    direct = np.einsum("bn,nij->bij", residual, A + np.swapaxes(A, 1, 2)) / n
    loss = EmpiricalLoss(GramForm.of(svec(0.5 * (A + np.swapaxes(A, 1, 2))), y))
    np.testing.assert_allclose(loss.value(X), (residual**2).mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(loss.gradient(X), direct, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(("sample", "n"), SAMPLERS)
def test_gradient_and_hessian_are_derivatives(sample: error_floor.GramSampler, n: int) -> None:
    rng = np.random.default_rng(n)
    target = random_target(rng, 5, 2)
    loss = EmpiricalLoss(GramForm.stack([sample(rng, n, target, 0.1, 2) for _ in range(3)]))
    _require_derivatives(loss, rng, 6, 5)


def test_network_gradient_and_hessian_are_derivatives() -> None:
    rng = np.random.default_rng(3)
    _require_derivatives(QuadraticNetworkLoss(random_target(rng, 5, 2)), rng, 4, 5)


def _require_derivatives(loss, rng: np.random.Generator, runs: int, d: int) -> None:
    X, V = symmetric(rng, runs, d), symmetric(rng, runs, d)
    h = 1e-4
    value = (loss.value(X + h * V) - loss.value(X - h * V)) / (2 * h)
    slope = np.einsum("bij,bij->b", loss.gradient(X.copy()), V)
    np.testing.assert_allclose(value, slope, rtol=1e-7)
    change = loss.gradient(X + V) - loss.gradient(X.copy())
    np.testing.assert_allclose(change, loss.hessian(V), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("sets", "noises"), [(1, 1), (1, 4), (4, 1), (2, 3)])
def test_taking_runs_keeps_their_losses(sets: int, noises: int) -> None:
    rng = np.random.default_rng(0)
    target = random_target(rng, 4, 1)
    forms = [gaussian_gram(rng, 30, target, 0.5, noises) for _ in range(sets)]
    loss, runs = EmpiricalLoss(GramForm.stack(forms)), max(4, sets * noises)
    X, rows = symmetric(rng, runs, 4), np.array([3, 0])
    np.testing.assert_allclose(loss.take(rows).gradient(X[rows]), loss.gradient(X.copy())[rows])
    np.testing.assert_allclose(loss.take(rows).value(X[rows]), loss.value(X)[rows])


def test_network_loss_is_the_mean_over_inputs() -> None:
    """Exact: x -> (x^T Z x)^2 has degree 4, so three Gauss-Hermite nodes a coordinate suffice."""
    rng = np.random.default_rng(5)
    nodes, weights = np.polynomial.hermite_e.hermegauss(3)
    inputs = np.array(list(itertools.product(nodes, repeat=4)))
    mass = np.prod(np.array(list(itertools.product(weights, repeat=4))), axis=1)
    target, X = random_target(rng, 4, 2), symmetric(rng, 3, 4)
    squares = np.einsum("ni,bij,nj->bn", inputs, X - target, inputs) ** 2
    mean = squares @ mass / mass.sum()
    np.testing.assert_allclose(QuadraticNetworkLoss(target).value(X), mean, rtol=1e-12)


def test_bartlett_sampling_has_the_law_of_measurements() -> None:
    """Means of ten statistics, Welch's test; all together a false alarm has probability 1e-6."""
    x = svec(np.diag([1.5, 1.0, 0.0]))

    def statistics(sample: error_floor.GramSampler, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        return np.array([_statistics(sample(rng, 9, x, 0.7, 1), x) for _ in range(4000)])

    ours, theirs = statistics(bartlett_gram, 1), statistics(direct_gram, 2)
    error = np.sqrt(ours.var(axis=0, ddof=1) + theirs.var(axis=0, ddof=1)) / math.sqrt(len(ours))
    reach = -stdtrit(len(ours) - 1, FALSE_ALARM / (2 * ours.shape[1]))
    assert np.all(np.abs(ours.mean(axis=0) - theirs.mean(axis=0)) <= reach * error)


def _statistics(form: GramForm, x: np.ndarray) -> list[float]:
    H, c, energy = form.gram[0], form.moment[0, 0], form.energy[0, 0]
    values = np.linalg.eigvalsh(H)
    noise = c - H @ x
    residual = energy - c @ np.linalg.solve(H, c)
    return [
        np.trace(H), values[0], values[-1], np.linalg.norm(H) ** 2, noise @ noise, c @ c,
        c @ x, energy, energy**2, residual,
    ]  # fmt: skip


def test_bartlett_needs_enough_measurements() -> None:
    with pytest.raises(ValueError, match="n >= 6"):
        bartlett_gram(np.random.default_rng(0), 5, np.zeros(6), 1.0)


def test_low_rank_projection_is_nearest() -> None:
    rng = np.random.default_rng(2)
    z = rng.standard_normal((4, 15))
    near = restricted_isometry.low_rank(z, 2)
    assert np.all(np.linalg.matrix_rank(smat(near), tol=1e-12) == 2)
    top = np.sort(np.linalg.eigvalsh(smat(z)) ** 2, axis=1)[:, -2:].sum(axis=1)
    np.testing.assert_allclose(np.einsum("ri,ri->r", near, z) ** 2, top, rtol=1e-12)


def test_isometry_search_finds_the_extreme_eigenvalues_at_full_rank() -> None:
    stream = Stream({"d": 6, "n": 300, "ranks": (6,)}, 0)
    problem = restricted_isometry.draw(6, 300, (6,), rng=stream)
    found = restricted_isometry.run(problem, steps=400, rng=stream)
    values = np.linalg.eigvalsh(problem["_gram"])
    assert found["upper"][0] == pytest.approx(values[-1] - 1, rel=1e-6)
    assert found["lower"][0] == pytest.approx(1 - values[0], rel=1e-6)


@pytest.mark.parametrize(("lam", "beta"), [(0.1, 0.01), (0.02, 0.3), (1.0, 1e-3), (0.0, 0.1)])
def test_least_kept_is_the_minimum(lam: float, beta: float) -> None:
    s = 4 * beta + np.linspace(0, 3, 300_001)
    assert bounds.least_kept(lam, beta) == pytest.approx(phi(s, lam, beta).min(), rel=1e-8)


def test_effective_degrees_run_from_rank_r_to_all_psd_matrices() -> None:
    d, r = 9, 2
    dof = bounds.degrees_of_freedom(d, r)
    assert bounds.effective_degrees(d, r, r) == dof
    assert bounds.effective_degrees(d, r, 20) == pytest.approx(dof + (d - r) * (d - r + 1) / 4)
    assert bounds.effective_degrees(d, d, d) == d * (d + 1) / 2


def test_width_is_that_of_all_matrices_at_full_rank() -> None:
    assert bounds.gaussian_width(8, 8) == pytest.approx(6.0)
    assert bounds.gaussian_width(40, 1) == pytest.approx(math.sqrt(2 * 40), rel=0.05)


@pytest.mark.parametrize("eigenvalues", [(2.0, 1.0), (1.0, 1.0, 1.0), (1.5,)])
def test_network_norms_solve_their_equations(eigenvalues: tuple[float, ...]) -> None:
    lam, beta = 0.2, 0.01
    s = network.kept_norms(eigenvalues, lam, beta)
    tau = (s - np.array(eigenvalues)).sum()
    balance = 4 * (s - np.array(eigenvalues)) + 2 * tau + lam * psi_prime(s, beta)
    np.testing.assert_allclose(balance, 0, atol=1e-13)
    assert np.all(s > 4 * beta)


@pytest.mark.parametrize("eigenvalues", [(2.0, 1.0), (3.0, 2.0, 1.5), (1.5,)])
@pytest.mark.parametrize("extra", [0, 2])
def test_network_curvatures_are_the_hessian_at_the_truth(
    eigenvalues: tuple[float, ...], extra: int
) -> None:
    d, r = len(eigenvalues) + extra, len(eigenvalues)
    exact = np.eye(d)[:, :r] * np.sqrt(eigenvalues)
    basis = np.eye(d * r).reshape(d * r, d, r)
    objective = Objective.of(
        QuadraticNetworkLoss(exact @ exact.T), np.empty((d * r, d, r)), 0.0, 1.0
    )
    columns = objective.curvature_at(np.broadcast_to(exact, basis.shape))(basis)
    spectrum = np.linalg.eigvalsh(columns.reshape(d * r, d * r))
    distinct = np.unique(spectrum[spectrum > 1e-9].round(9))
    predicted = np.unique(network.curvatures(eigenvalues, d).round(9))
    np.testing.assert_allclose(distinct, predicted, rtol=1e-8)


@pytest.mark.parametrize(("d", "r"), [(5, 1), (6, 3), (3, 3)])
def test_network_floor_is_the_trace_of_the_inverse_information(d: int, r: int) -> None:
    """Information 2 Z + tr(Z) I on the tangent space {V U^T + U V^T} of rank-r matrices."""
    U = np.random.default_rng(d).standard_normal((d, r))
    V = np.eye(d * r).reshape(d * r, d, r)
    tangents = svec(V @ U.T + U @ np.swapaxes(V, 1, 2))
    basis = np.linalg.svd(tangents.T)[0][:, : bounds.degrees_of_freedom(d, r)]
    identity = svec(np.eye(d))
    information = 2 * basis.T @ basis + np.outer(basis.T @ identity, basis.T @ identity)
    expected = np.trace(np.linalg.inv(information))
    assert network.error_floor(d, r, 100, 1.0) * 100 == pytest.approx(expected, rel=1e-12)


def test_kept_columns_come_longest_first() -> None:
    U = np.zeros((2, 3, 4))
    U[0, 0] = [0.1, 2.0, 1.0, 0.0]
    U[1, 1] = [0.0, 0.0, 0.0, 3.0]
    kept = error_floor.kept_columns(U, beta=0.01)
    np.testing.assert_array_equal(kept[:, :2, :].max(axis=1), [[2.0, 1.0], [3.0, 0.0]])
