"""Two-layer networks with quadratic activation, y = sum_i (u_i . x)^2, x ~ N(0, I_d).

The population loss is 2 |U U^T - X*|_F^2 + (tr(U U^T - X*))^2. With tau = tr(U U^T - X*), a kept
column along an eigenvector is stationary where 4 (s - mu_i) + 2 tau + lam psi'(s) = 0, which is
phi(s) = mu_i - tau / 2 at half the regularisation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from theory_lab.theorems.matrix_sensing.bounds.finite_samples import degrees_of_freedom
from theory_lab.theorems.matrix_sensing.bounds.regulariser import larger_root, phi


def covering_threshold(smallest: float, beta: float) -> float:
    """4 sqrt(beta) mu_r: below this lam every stationary point has exactly r non-zero columns.

    Twice that of matrix sensing, since the loss is twice as curved. Proof: g(s) = 4 s + lam psi'(s)
    is convex and g(0) = lam / sqrt(beta) < 4 mu_r <= g(s_i) = 4 mu_i - 2 tau, so every s_i is past
    the minimum of g. A column outside the range of X* would have g(s_0) = -2 tau < g(s_i), hence
    be the shortest, hence lam psi'(s_0) >= the mean of lam psi' >= -2 tau (2 + m) / m > g(s_0).
    """
    return 4 * math.sqrt(beta) * smallest


def pruning_keeps(smallest: float, lam: float, beta: float) -> bool:
    """phi(4 beta) < mu_r at half the regularisation: the r columns are longer than 2 sqrt(beta)."""
    return bool(phi(4 * beta, lam / 2, beta) < smallest)


def kept_norms(eigenvalues: Sequence[float] | np.ndarray, lam: float, beta: float) -> np.ndarray:
    """|u_i|^2 for every eigenvalue: r scalar equations tied by tau = sum_i (s_i - mu_i)."""
    from scipy.optimize import brentq

    mu = np.asarray(eigenvalues, dtype=float)

    def norms(tau: float) -> np.ndarray:
        return np.array([larger_root(m - tau / 2, lam / 2, beta) for m in mu])

    def mismatch(tau: float) -> float:
        return float((norms(tau) - mu).sum()) - tau

    lowest = -float(mu.sum())
    return norms(brentq(mismatch, lowest, 0.0, xtol=1e-15, rtol=1e-15))


def radial_curvatures(eigenvalues: Sequence[float] | np.ndarray) -> np.ndarray:
    """Eigenvalues of 16 diag(mu) + 8 s s^T, s_i = sqrt(mu_i): the Hessian at U* along the lengths of
    its columns."""
    mu = np.asarray(eigenvalues, dtype=float)
    roots = np.sqrt(mu)
    return np.linalg.eigvalsh(16 * np.diag(mu) + 8 * np.outer(roots, roots))


def curvatures(eigenvalues: Sequence[float] | np.ndarray, d: int) -> np.ndarray:
    """The distinct non-zero Hessian eigenvalues at U*: 8 mu_j (if d > r), 8 (mu_i + mu_j), radial."""
    mu = np.asarray(eigenvalues, dtype=float)
    pairs = 8 * np.add.outer(mu, mu)[np.triu_indices(len(mu), 1)]
    outward = 8 * mu if d > len(mu) else mu[:0]
    return np.concatenate([outward, pairs, radial_curvatures(mu)])


def generic_rate(eigenvalues: Sequence[float] | np.ndarray, d: int, step: float) -> float:
    """max |1 - eta h| over all curvatures h, mostly max(|1 - 8 eta mu_r|, |1 - eta h_max|)."""
    return float(np.abs(1 - step * curvatures(eigenvalues, d)).max())


def pruned_rate(eigenvalues: Sequence[float] | np.ndarray, step: float) -> float:
    """max |1 - eta h| over the radial curvatures that columns on their eigenvectors can excite.

    Columns of one eigenvalue mu of multiplicity m change length alike: they act as one of
    s = sqrt(m mu).
    """
    mu, m = np.unique(np.asarray(eigenvalues, dtype=float).round(12), return_counts=True)
    roots = np.sqrt(m * mu)
    alike = np.linalg.eigvalsh(16 * np.diag(mu) + 8 * np.outer(roots, roots))
    return float(np.abs(1 - step * alike).max())


def stable_step(eigenvalues: Sequence[float] | np.ndarray) -> float:
    """2 / h, h the largest radial curvature: descent is locally stable below this step."""
    return 2 / float(radial_curvatures(eigenvalues)[-1])


def error_floor(d: int, r: int, n: int, sigma: float) -> float:
    """(sigma^2 / n) [(dof - 1) / 2 + 1 / (2 + r)]: the mean of |U U^T - X*|_F^2 for large n.

    The Fisher information on the tangent space is 2 I + g g^T with |g|^2 = r.
    """
    return sigma**2 / n * ((degrees_of_freedom(d, r) - 1) / 2 + 1 / (2 + r))
