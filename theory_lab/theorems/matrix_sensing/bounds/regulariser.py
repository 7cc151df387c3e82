"""The regulariser as the paper writes it, on squared column norms s, and the function phi.

psi(s) = s / sqrt(s + beta) is concave and increasing. In the population problem a column along an
eigenvector with eigenvalue mu is stationary where

    phi(s) = s + (lam / 2) psi'(s) = mu,

phi is convex, phi(0) = lam / (2 sqrt(beta)), and the larger root is the stable one.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

Array = np.ndarray


def psi(s: float | Array, beta: float) -> Array:
    """psi(s) = s / (s + beta)^(1/2)."""
    return np.asarray(s) * (np.asarray(s) + beta) ** -0.5


def psi_prime(s: float | Array, beta: float) -> Array:
    """psi'(s) = (s + 2 beta) / (2 (s + beta)^(3/2)); psi'(0) = beta^(-1/2)."""
    return 0.5 * (np.asarray(s) + 2 * beta) * (np.asarray(s) + beta) ** -1.5


def psi_second(s: float | Array, beta: float) -> Array:
    """psi''(s) = -(s + 4 beta) / (4 (s + beta)^(5/2)) < 0."""
    return -0.25 * (np.asarray(s) + 4 * beta) * (np.asarray(s) + beta) ** -2.5


def phi(s: float | Array, lam: float, beta: float) -> Array:
    """phi(s) = s + (lam / 2) psi'(s)."""
    return np.asarray(s) + 0.5 * lam * psi_prime(s, beta)


def lowest_point(lam: float, beta: float) -> float:
    """The s >= 0 at which phi is smallest: the root of phi' = 1 + (lam / 2) psi'', or 0."""

    def derivative(s: float) -> float:
        return float(1 + 0.5 * lam * psi_second(s, beta))

    if derivative(0.0) >= 0:
        return 0.0
    return _root(derivative, 0.0, (lam / 2) ** (2 / 3))


def larger_root(mu: float, lam: float, beta: float) -> float:
    """The larger root of phi(s) = mu, at most mu because phi(s) >= s.

    Raises ArithmeticError where phi stays above mu.
    """
    low = lowest_point(lam, beta)
    if low > mu or phi(low, lam, beta) > mu:
        raise ArithmeticError(f"phi stays above {mu:g} for lam {lam:g}, beta {beta:g}.")
    return _root(lambda s: float(phi(s, lam, beta)) - mu, low, mu)


def smaller_root(mu: float, lam: float, beta: float) -> float:
    """The smaller root of phi(s) = mu with s >= 0: 0 if phi(0) <= mu, inf if phi stays above mu.

    Columns that start below it in squared norm are drawn to zero.
    """
    low = lowest_point(lam, beta)
    if phi(0.0, lam, beta) <= mu:
        return 0.0
    if phi(low, lam, beta) > mu:
        return math.inf
    return _root(lambda s: float(phi(s, lam, beta)) - mu, 0.0, low)


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    from scipy.optimize import brentq

    return float(brentq(function, low, high, xtol=1e-15, rtol=1e-15))
