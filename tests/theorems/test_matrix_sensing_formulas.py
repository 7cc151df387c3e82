"""Laws of the population formulas: each against its definition, never against an experiment."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from theory_lab.theorems.matrix_sensing.bounds import fine_tuning, unregularised
from theory_lab.theorems.matrix_sensing.bounds import stationary_points as bounds
from theory_lab.theorems.matrix_sensing.bounds.regulariser import (
    larger_root,
    lowest_point,
    phi,
    psi,
    psi_prime,
    psi_second,
    smaller_root,
)

LAM, BETA, MU = st.floats(0, 3), st.floats(1e-3, 0.5), st.floats(0.2, 5)


@given(s=st.floats(0, 10), t=st.floats(0, 10), beta=BETA)
def test_psi_is_increasing_and_concave(s: float, t: float, beta: float) -> None:
    low, high = min(s, t), max(s, t)
    assert psi(low, beta) <= psi(high, beta)
    tangent = psi(low, beta) + psi_prime(low, beta) * (high - low)
    assert psi(high, beta) <= tangent + 1e-12
    assert psi_second(s, beta) < 0 < psi_prime(s, beta)


@given(lam=LAM, beta=BETA, mu=MU)
def test_roots_solve_phi_and_the_larger_is_stable(lam: float, beta: float, mu: float) -> None:
    assume(phi(lowest_point(lam, beta), lam, beta) < mu * (1 - 1e-6))
    s = larger_root(mu, lam, beta)
    assert phi(s, lam, beta) == pytest.approx(mu, rel=1e-9)
    assert 1 + lam / 2 * psi_second(s, beta) >= -1e-6
    t = smaller_root(mu, lam, beta)
    assert t < s
    if t > 0:
        assert phi(t, lam, beta) == pytest.approx(mu, rel=1e-9)
        assert 1 + lam / 2 * psi_second(t, beta) <= 1e-6


@given(lam=LAM, beta=BETA, s=st.floats(0, 10))
def test_lowest_point_is_lowest(lam: float, beta: float, s: float) -> None:
    assert phi(lowest_point(lam, beta), lam, beta) <= phi(s, lam, beta) + 1e-12


def test_no_root_is_said_and_nothing_is_extinct_without_one() -> None:
    with pytest.raises(ArithmeticError, match="stays above"):
        larger_root(0.1, 5.0, 0.01)
    assert smaller_root(0.1, 5.0, 0.01) == math.inf
    assert smaller_root(1.0, 0.0, 0.01) == 0


@given(beta=st.floats(1e-3, 0.2), lam=st.floats(1e-3, 2), r=st.integers(1, 4))
def test_bounds_on_the_pruned_loss_follow_from_long_columns(
    beta: float, lam: float, r: int
) -> None:
    assume(bounds.pruning_keeps(1.0, lam, beta))
    assume(phi(lowest_point(lam, beta), lam, beta) < 1 and larger_root(1.0, lam, beta) > 4 * beta)
    eigenvalues = np.linspace(2.0, 1.0, r) if r > 1 else np.ones(1)
    loss = bounds.pruned_loss(eigenvalues, lam, beta)
    assert loss < bounds.pruned_loss_bound(r, lam, beta)
    kept = bounds.kept_norms(eigenvalues, lam, beta)
    assert loss == pytest.approx(((eigenvalues - kept) ** 2).sum(), rel=1e-6, abs=1e-14)
    if lam <= bounds.ball_threshold(1.0, r, beta):
        assert math.sqrt(loss) <= 0.5


def test_pruning_threshold_is_linear_in_lam() -> None:
    beta, lam = 0.07, 0.3
    assert phi(4 * beta, lam, beta) == pytest.approx(4 * beta + 0.134164 * lam / math.sqrt(beta))


@pytest.mark.parametrize(("d", "k"), [(3, 3), (5, 3), (6, 8)])
def test_spectrum_has_all_eigenvalues_and_their_trace(d: int, k: int) -> None:
    mu, lam, beta = (2.0, 1.5, 1.0), 0.1, 0.01
    coupled = bounds.hessian_spectrum(mu, d, k, lam, beta)
    loose = bounds.hessian_spectrum(mu, d, k, lam, beta, coupling=0.0)
    assert len(coupled) == len(loose) == d * k
    assert coupled.sum() == pytest.approx(loose.sum())
    assert coupled[0] >= 0


def test_pair_modes_have_the_determinant_of_the_note() -> None:
    mu, lam, beta = (2.0, 1.0), 0.1, 0.01
    s, t = bounds.kept_norms(mu, lam, beta)
    delta = psi_prime(t, beta) - psi_prime(s, beta)
    modes = bounds.pair_modes(s, t, 2 * lam * delta)
    assert modes.prod() == pytest.approx(8 * lam * delta * (mu[0] - mu[1]))


@given(s=st.floats(0, 4), t=st.floats(0, 4), eps=st.floats(0, 1), gamma=st.floats(0, 1), beta=BETA)
def test_pair_bounds_are_symmetric_and_grow(
    s: float, t: float, eps: float, gamma: float, beta: float
) -> None:
    one = bounds.pair_curvature_bound(s, t, eps, gamma, 0.1, beta)
    other = bounds.pair_curvature_bound(t, s, eps, gamma, 0.1, beta)
    assert one == pytest.approx(other, rel=1e-12, abs=1e-15)
    assert one <= bounds.pair_curvature_bound(s, t, eps, gamma + 0.1, 0.1, beta) + 1e-15
    assert bounds.pair_gradient_bound(s, t, eps) <= one + 1e-15


def test_phase_cells_are_consistent() -> None:
    loads, widths = (0.1, 0.5, 0.9, 1.5, 5.0), (1e-4, 0.01, 0.1, 0.24, 0.4)
    sure = bounds.guaranteed_cells(1.3, loads, widths)
    possible = bounds.possible_cells(1.3, loads, widths)
    assert (sure <= possible).all()
    assert sure.any()
    assert not possible[:, -1].any()


def test_riccati_solves_its_equation() -> None:
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.standard_normal((5, 2)))[0]
    target, start = (axes * [2.0, 1.0]) @ axes.T, rng.standard_normal((5, 3)) / 3
    h, t = 1e-5, 0.4
    X = unregularised.riccati(target, start, t)
    later, earlier = (unregularised.riccati(target, start, t + e) for e in (h, -h))
    velocity = 4 * ((target - X) @ X + X @ (target - X))
    np.testing.assert_allclose((later - earlier) / (2 * h), velocity, atol=1e-8)
    np.testing.assert_allclose(
        unregularised.riccati(target, start, 0.0), start @ start.T, atol=1e-14
    )


@given(seed=st.integers(0, 1000))
def test_limit_projections_fit_the_target(seed: int) -> None:
    mu = np.array([3.0, 1.5, 1.5, 1.0])
    born = np.random.default_rng(seed).standard_normal((4, 9))
    found = unregularised.limit_projections(mu, born)
    np.testing.assert_allclose((found**2).sum(1), mu, rtol=1e-10)
    first = np.abs(born[0]) / np.linalg.norm(born[0])
    np.testing.assert_allclose(found[0], np.sqrt(3.0) * first, rtol=1e-10)


def test_limit_exponent_of_known_spectra() -> None:
    known = {(1.0,): 2, (1.0, 1.0): 2, (1.5, 1.0): 0.5, (2.0, 1.0): 1, (4.0, 1.0): 1.5}
    for eigenvalues, exponent in known.items():
        assert unregularised.limit_exponent(eigenvalues) == pytest.approx(exponent)
    assert unregularised.least_ratio((3.0, 3.0, 2.0)) == pytest.approx(1.5)


def test_fraction_above_agrees_with_sampled_half_normals() -> None:
    """A false alarm has probability below 1e-6: 5 standard errors, three comparisons."""
    shares, k = (0.25, 0.5, 0.75), 30
    norms = np.abs(np.random.default_rng(1).standard_normal((40_000, k)))
    relative = norms / norms.max(axis=1, keepdims=True)
    fractions = (relative[:, None, :] >= np.array(shares)[:, None]).mean(axis=2)
    error = fractions.std(axis=0) / math.sqrt(len(fractions))
    deviation = np.abs(fractions.mean(axis=0) - unregularised.fraction_above(k, shares))
    assert (deviation < 5.3 * error).all()


def test_rates_are_the_hessian_at_the_truth() -> None:
    """The factors per step are those of the eigenvalues 8 mu_i, 4 (mu_i + mu_j), 4 mu_j."""
    mu = (2.0, 1.5, 1.0)
    radial = [8 * value for value in mu]
    pairs = [4 * (a + b) for a, b in itertools.combinations(mu, 2)]
    transverse = [4 * value for value in mu]
    for step in np.linspace(0.005, 0.12, 24):
        every = max(abs(1 - step * value) for value in radial + pairs + transverse)
        assert fine_tuning.generic_rate(2.0, 1.0, step) == pytest.approx(every)
        lengths = max(abs(1 - step * value) for value in radial)
        assert fine_tuning.pruned_rate(2.0, 1.0, step) == pytest.approx(lengths)
    edge = fine_tuning.stable_step(2.0)
    assert fine_tuning.generic_rate(2.0, 1.0, edge) == pytest.approx(1)


@pytest.mark.parametrize("radius", [0.1, 0.5, 0.9])
def test_inequality_constant_is_attained_for_one_column(radius: float) -> None:
    """Over X = N u u^T the ratio is a function of N alone; its minimum is 1 - radius^2."""
    N = np.linspace(1 - radius, 1 + radius, 200_001)
    # |X - X*|^2 = N^2 - 2 N c + 1 with c = cos^2; |grad|^2 / 16 = N ((N - c)^2 + c (1 - c))
    c = (N**2 + 1 - radius**2) / (2 * N)
    ratio = 2 * N * ((N - c) ** 2 + c * (1 - c)) / radius**2
    least = ratio[(c >= 0) & (c <= 1)].min()
    assert least == pytest.approx(fine_tuning.inequality_constant(radius), abs=1e-8)


def test_overparameterised_error_solves_the_scalar_recursion() -> None:
    step, s, t = 0.01, 0.5, 200_000
    for _ in range(t):
        s *= 1 - 4 * step * s**2
    assert fine_tuning.idle_directions(10, 5, 2) == 3
    predicted = fine_tuning.overparameterised_error(10, 3, 2, step, t)
    assert s**2 == pytest.approx(float(predicted), rel=1e-3)
    assert s**2 <= predicted
