"""Exact second-order stationary points of |U U^T - X*|_F^2 + lam R_beta(U), in closed form.

`eigenvalues` are those of X*, mu_1 >= ... >= mu_r > 0; X* is d x d and U is d x k.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from theory_lab.theorems.matrix_sensing.bounds.regulariser import (
    Array,
    larger_root,
    phi,
    psi,
    psi_prime,
    psi_second,
    smaller_root,
)


def spectral_penalty(eigenvalues: Array, beta: float, penalty: str = "group lasso") -> Array:
    """sum_i psi(lambda_i(U U^T)): the least R_beta among all U with this U U^T: (..., m) -> (...).

    `penalty` "square" puts the convex s^2 in the place of psi, for which the statement is false.
    """
    values = np.asarray(eigenvalues) ** 2 if penalty == "square" else psi(eigenvalues, beta)
    return np.asarray(values.sum(axis=-1))


def pair_gradient_bound(s: Array, t: Array, gradient_norm: float) -> Array:
    """eps sqrt(s + t): above 2 lam |G_ij| |psi'(s) - psi'(t)| for columns of squared norms s, t."""
    return gradient_norm * np.sqrt(s + t)


def pair_curvature_bound(
    s: Array, t: Array, gradient_norm: float, gamma: float, lam: float, beta: float
) -> Array:
    """gamma (s + t) + eps sqrt(s + t) + 2 lam |s - t| |psi'(s) - psi'(t)|.

    It is above 4 lam G_ij^2 (|psi''(s)| + |psi''(t)|) where the Hessian is >= -gamma.
    """
    apart = np.abs(s - t) * np.abs(psi_prime(s, beta) - psi_prime(t, beta))
    return gamma * (s + t) + pair_gradient_bound(s, t, gradient_norm) + 2 * lam * apart


def covering_threshold(smallest: float, beta: float) -> float:
    """2 sqrt(beta) mu_r: below this lam every stationary point has r non-zero columns."""
    return 2 * math.sqrt(beta) * smallest


def pruning_keeps(smallest: float, lam: float, beta: float) -> bool:
    """phi(4 beta) < mu_r: columns at the larger root are longer than 2 sqrt(beta)."""
    return bool(phi(4 * beta, lam, beta) < smallest)


def extinction_radius(largest: float, lam: float, beta: float) -> float:
    """The smaller root of phi(s) = mu_1: starts with |U_0|_2^2 below it lose every column."""
    return smaller_root(largest, lam, beta)


def kept_norms(eigenvalues: Sequence[float] | Array, lam: float, beta: float) -> Array:
    """|u_i|^2 = the larger root of phi(s) = mu_i, for every eigenvalue."""
    return np.array([larger_root(mu, lam, beta) for mu in eigenvalues])


def other_roots(eigenvalues: Sequence[float] | Array, lam: float, beta: float) -> Array:
    """The smaller roots of phi(s) = mu_i, where columns balance but not stably; 0 if none."""
    return np.array([smaller_root(mu, lam, beta) for mu in eigenvalues])


def pruned_loss(eigenvalues: Sequence[float] | Array, lam: float, beta: float) -> float:
    """|U_prune U_prune^T - X*|_F^2 = (lam^2 / 4) sum_i psi'(s_i)^2."""
    slopes = psi_prime(kept_norms(eigenvalues, lam, beta), beta)
    return float(0.25 * lam**2 * (slopes**2).sum())


def pruned_loss_bound(r: int, lam: float, beta: float) -> float:
    """.018 r lam^2 / beta: above the pruned loss, as psi'(s) < psi'(4 beta) = 3/(5 sqrt(5 beta))."""
    return 0.018 * r * lam**2 / beta


def ball_threshold(smallest: float, r: int, beta: float) -> float:
    """mu_r sqrt(beta / r) / (2 sqrt(.018)): up to this lam the pruned error is at most mu_r / 2."""
    return smallest * math.sqrt(beta / r) / (2 * math.sqrt(0.018))


def hessian_spectrum(
    eigenvalues: Sequence[float] | Array,
    d: int,
    k: int,
    lam: float,
    beta: float,
    coupling: float = 1.0,
) -> Array:
    """All d k Hessian eigenvalues at the point with r orthogonal columns, in ascending order.

    `coupling` = 0 leaves out that a pair of columns acts on each other (it does).
    """
    mu, s = np.asarray(eigenvalues, dtype=float), kept_norms(eigenvalues, lam, beta)
    r, slopes = len(mu), psi_prime(s, beta)
    pairs = [(i, j) for i in range(r) for j in range(i)]
    parts = [
        8 * s + 4 * lam * s * psi_second(s, beta),
        *(pair_modes(s[i], s[j], 2 * lam * (slopes[j] - slopes[i]), coupling) for i, j in pairs),
        np.repeat(4 * mu, d - r),
        np.repeat(2 * lam * (beta**-0.5 - slopes), k - r),
        np.full((k - r) * (d - r), 2 * lam * beta**-0.5),
    ]
    return np.sort(np.concatenate(parts))


def pair_modes(s: float, t: float, tilt: float, coupling: float = 1.0) -> Array:
    """Two columns of squared norms s and t turning towards each other: both eigenvalues of
    [[4 t + tilt, 4 sqrt(s t)], [4 sqrt(s t), 4 s - tilt]], tilt = 2 lam (psi'(t) - psi'(s)).
    """
    mean, half = 2 * (s + t), 2 * (t - s) + tilt
    reach = math.hypot(half, coupling * 4 * math.sqrt(s * t))
    return np.array([mean - reach, mean + reach])


def regularised_share(r: int, k: int, shares: int) -> Array:
    """r / k: the share of columns at least x times the longest, for each of several x < 1."""
    return np.full(shares, r / k)


def guaranteed_cells(smallest: float, loads: Sequence[float], widths: Sequence[float]) -> Array:
    """1 where lam < 2 sqrt(beta) mu_r and phi(4 beta) < mu_r, else 0: (loads, widths).

    `loads` are lam / (2 sqrt(beta) mu_r), `widths` are beta / mu_r.
    """

    def holds(load: float, lam: float, beta: float) -> bool:
        return load < 1 and pruning_keeps(smallest, lam, beta)

    return _cells(holds, smallest, loads, widths)


def possible_cells(smallest: float, loads: Sequence[float], widths: Sequence[float]) -> Array:
    """1 where phi(s) = mu_r has a larger root s > 4 beta, else 0: (loads, widths)."""

    def holds(_: float, lam: float, beta: float) -> bool:
        try:
            return larger_root(smallest, lam, beta) > 4 * beta
        except ArithmeticError:
            return False

    return _cells(holds, smallest, loads, widths)


def _cells(
    holds: Callable[[float, float, float], bool],
    smallest: float,
    loads: Sequence[float],
    widths: Sequence[float],
) -> Array:
    cells = np.zeros((len(loads), len(widths)))
    for i, load in enumerate(loads):
        for j, width in enumerate(widths):
            beta = width * smallest
            cells[i, j] = holds(load, covering_threshold(smallest, beta) * load, beta)
    return cells
