"""Gradient descent U <- U - 4 eta (U U^T - X*) U after pruning (k = r) and without it (k > r).

`largest` and `smallest` are mu_1 and mu_r, the extreme non-zero eigenvalues of X*.
"""

from __future__ import annotations

import math

import numpy as np

from theory_lab.theorems.matrix_sensing.bounds.regulariser import Array


def generic_rate(largest: float, smallest: float, step: float) -> float:
    """max(|1 - 4 eta mu_r|, |1 - 8 eta mu_1|): Hessian eigenvalues 4 mu_j and 4 (mu_i + mu_j)."""
    return max(abs(1 - 4 * step * smallest), abs(1 - 8 * step * largest))


def pruned_rate(largest: float, smallest: float, step: float) -> float:
    """max(|1 - 8 eta mu_r|, |1 - 8 eta mu_1|): columns on their eigenvectors only change length."""
    return max(abs(1 - 8 * step * smallest), abs(1 - 8 * step * largest))


def stable_step(largest: float) -> float:
    """1 / (4 mu_1): descent is locally stable exactly below this step."""
    return 1 / (4 * largest)


def inequality_constant(radius: float) -> float:
    """1 - rho0^2 in |grad L|_F^2 >= 8 mu_r (1 - rho0^2) L where |U U^T - X*|_F <= rho0 mu_r."""
    return 1 - radius**2


def contraction(smallest: float, step: float) -> float:
    """1 - 3 eta mu_r, per step and for |X_t - X*|_F^2, from the ball of radius mu_r / 2.

    The descent lemma (step at most 1 / (14 mu_1)) with the constant 3/4 of the inequality there.
    """
    return 1 - 3 * step * smallest


def longest_safe_step(largest: float) -> float:
    """1 / (14 mu_1), the inverse of 8 |U|_2^2 + 4 |U U^T - X*|_2 in the ball."""
    return 1 / (14 * largest)


def idle_directions(d: int, k: int, r: int) -> int:
    """m = min(k - r, d - r): singular values that have to shrink to zero."""
    return min(k - r, d - r)


def overparameterised_error(d: int, k: int, r: int, step: float, steps: float | Array) -> Array:
    """sqrt(m) / (8 eta t): the error after t steps without pruning, each idle value s obeying
    s <- s (1 - 4 eta s^2)."""
    return math.sqrt(idle_directions(d, k, r)) / (8 * step * np.asarray(steps, dtype=float))
