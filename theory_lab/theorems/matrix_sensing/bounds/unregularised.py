"""Gradient flow without regulariser: no column dies.

dU/dt = 4 (X* - U U^T) U is a Riccati equation for U U^T with a closed form. As the start shrinks,
U tends to sqrt(X*) times the successive polar factors of the start's projections on the
eigenspaces, so that columns keep the proportions they were born with.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from theory_lab.theorems.matrix_sensing.bounds.regulariser import Array


def riccati(target: Array, start: Array, time: float) -> Array:
    """U U^T at `time` from U_0 = `start` (d, k), for X* = `target` (d, d).

    U U^T = E U_0 (I + 8 U_0^T S U_0)^(-1) U_0^T E with E = exp(4 t X*) and
    S = int_0^t exp(8 s X*) ds.
    """
    mu, axes = np.linalg.eigh(target)
    exponent = 8 * mu * time
    small = np.abs(exponent) < 1e-9
    factor = np.where(small, 1 + exponent / 2, np.expm1(exponent) / np.where(small, 1, exponent))
    born = axes.T @ start
    inner = np.eye(start.shape[1]) + 8 * (born.T * (time * factor)) @ born
    grown = (axes * np.exp(exponent / 2)) @ born
    return grown @ np.linalg.solve(inner, grown.T)


def limit_projections(eigenvalues: Sequence[float] | Array, projections: Array) -> Array:
    """|v_j^T U(inf) e_i| as the start shrinks: (r, k), from `projections` V^T U_0 (r, k).

    sqrt(mu_j) |q_ji|, where the rows q_j of one eigenspace are the polar factor of its rows of
    V^T U_0 after those of larger eigenvalues are projected out (Gram-Schmidt for distinct ones).
    """
    mu = np.asarray(eigenvalues, dtype=float)
    done = np.zeros((0, projections.shape[1]))
    for value in np.unique(mu)[::-1]:
        rows = projections[mu == value]
        rows = rows - rows @ done.T @ done
        left, _, right = np.linalg.svd(rows, full_matrices=False)
        done = np.vstack([done, left @ right])
    return np.sqrt(mu)[:, None] * np.abs(done)


def limit_exponent(eigenvalues: Sequence[float] | Array) -> float:
    """p in |U - U(inf)| ~ size^p: min(kappa - 1, 2 - 2 / kappa) at the least kappa > 1.

    kappa runs over the ratios mu_j / mu_{j+1} of distinct neighbours, with kappa = inf below mu_r.
    When direction j has grown, direction j + 1 has the size size^(1 - 1/kappa). It turns direction j
    by the square of that, and if kappa < 2 by more later, while it grows itself. (At kappa = 2
    and kappa = inf there is a logarithm besides.)
    """
    kappa = least_ratio(eigenvalues)
    return min(kappa - 1, 2 - 2 / kappa)


def least_ratio(eigenvalues: Sequence[float] | Array) -> float:
    """min_j mu_j / mu_{j+1} over distinct neighbours; inf if all are equal."""
    distinct = np.unique(np.asarray(eigenvalues, dtype=float))[::-1]
    return float(np.min(np.append(distinct[:-1] / distinct[1:], np.inf)))


def fraction_above(k: int, shares: Sequence[float] | Array) -> Array:
    """Mean fraction of k half-normal norms that are at least x times the largest, for each x.

    (1/k) [1 + (k - 1) int_0^inf (F(y) - F(x y)) / F(y) k F(y)^(k-1) f(y) dy] with
    F(y) = erf(y / sqrt(2)), f(y) = sqrt(2 / pi) exp(-y^2 / 2).
    """
    return np.array([_fraction(k, float(x)) for x in shares])


def _fraction(k: int, x: float) -> float:
    from scipy.integrate import quad
    from scipy.special import erf

    def density(y: float) -> float:
        F = erf(y / math.sqrt(2))
        f = math.sqrt(2 / math.pi) * math.exp(-0.5 * y * y)
        return float((F - erf(x * y / math.sqrt(2))) * k * F ** (k - 2) * f)

    value = quad(density, 0, 12, points=[1, 2, 3, 4], epsabs=1e-12, epsrel=1e-11, limit=200)[0]
    return (1 + (k - 1) * value) / k
