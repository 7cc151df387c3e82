"""Exact means of extreme squared eigenvalues, against closed forms and against samples."""

import math

import numpy as np
import pytest
from scipy.special import stdtrit

from theory_lab.numerics.gaussian_orthogonal import hermite_functions, mean_top_squares, pfaffian

FALSE_ALARM = 1e-6


@pytest.mark.parametrize("d", [1, 2, 5, 8, 17, 40])
def test_all_squares_together_are_the_trace(d: int) -> None:
    total = d * (d + 1) / 2
    assert mean_top_squares(d, True)[-1] == pytest.approx(total, rel=1e-10)
    assert mean_top_squares(d, False)[-1] == pytest.approx(total / 2, rel=1e-10)


def test_two_by_two_in_closed_form() -> None:
    """The eigenvalues of [[a, b], [b, c]] are m ± r, m = (a + c)/2 ~ N(0, 1/2) independent of
    r = sqrt((a - c)^2/4 + b^2), and the larger square is (|m| + r)^2."""
    mean_abs = math.sqrt(1 / math.pi)
    mean_radius = math.sqrt(math.pi) / 2
    expected = 1.5 + 2 * mean_abs * mean_radius
    assert mean_top_squares(2, True)[1] == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("two_sided", [True, False])
@pytest.mark.parametrize("d", [3, 6, 11])
def test_means_agree_with_samples(d: int, two_sided: bool) -> None:
    G = np.random.default_rng(d).standard_normal((4000, d, d))
    values = np.linalg.eigvalsh(0.5 * (G + np.swapaxes(G, 1, 2)))
    signed = np.abs(values) if two_sided else np.maximum(values, 0)
    squares = np.cumsum(np.sort(signed**2, axis=1)[:, ::-1], axis=1)
    error = squares.std(axis=0, ddof=1) / math.sqrt(len(squares))
    reach = -stdtrit(len(squares) - 1, FALSE_ALARM / (12 * d)) * error
    assert np.all(np.abs(squares.mean(axis=0) - mean_top_squares(d, two_sided)[1:]) <= reach)


@pytest.mark.parametrize("two_sided", [True, False])
def test_partial_sums_are_increasing_and_concave(two_sided: bool) -> None:
    steps = np.diff(mean_top_squares(9, two_sided))
    assert np.all(steps >= -1e-12)
    assert np.all(np.diff(steps) <= 1e-12)


def test_pfaffian_squares_to_the_determinant() -> None:
    rng = np.random.default_rng(1)
    A = rng.standard_normal((20, 6, 6)) + 1j * rng.standard_normal((20, 6, 6))
    A = A - np.swapaxes(A, 1, 2)
    np.testing.assert_allclose(pfaffian(A) ** 2, np.linalg.det(A), rtol=1e-11)


def test_pfaffian_has_the_right_sign() -> None:
    a, b, c, d, e, f = 1.0, 2.0, 3.0, 4.0, 5.0, 7.0
    upper = np.array([[0, a, b, c], [0, 0, d, e], [0, 0, 0, f], [0, 0, 0, 0]])
    assert pfaffian((upper - upper.T)[None])[0] == pytest.approx(a * f - b * e + c * d)


def test_hermite_functions_are_orthonormal() -> None:
    x = np.linspace(-14, 14, 4001)
    h = hermite_functions(20, x)
    np.testing.assert_allclose(h @ h.T * (x[1] - x[0]), np.eye(20), atol=1e-12)
