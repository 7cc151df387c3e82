"""The group regulariser on arrays: R_beta(U) = sum_i psi(|u_i|^2), psi(s) = s / sqrt(s + beta).

Everything here takes squared column norms `s` of any shape and a `beta` that broadcasts with it.
"""

from __future__ import annotations

import numpy as np

from theory_lab.numerics.smoothed_norm import smoothed_norm as penalty

__all__ = ["Array", "penalty", "penalty_bend", "penalty_slope", "squared_norms"]

Array = np.ndarray


def squared_norms(U: Array) -> Array:
    """|u_i|^2 for each column: (..., d, k) -> (..., k)."""
    return np.einsum("...ij,...ij->...j", U, U)


def penalty_slope(s: Array, beta: float | Array) -> Array:
    """psi'(s) = (s + 2 beta) / (2 (s + beta)^(3/2)), positive and decreasing."""
    shifted = s + beta
    return (shifted + beta) / (2 * shifted * np.sqrt(shifted))


def penalty_bend(s: Array, beta: float | Array) -> Array:
    """psi''(s) = -(s + 4 beta) / (4 (s + beta)^(5/2)), negative: psi is concave in s."""
    shifted = s + beta
    return -(s + 4 * np.asarray(beta)) / (4 * shifted**2 * np.sqrt(shifted))
