"""The group regulariser on arrays: R_beta(U) = sum_i psi(|u_i|^2), psi(s) = s / sqrt(s + beta).

Everything here takes squared column norms `s` of any shape and a `beta` that broadcasts with it.
Array API.
"""

from __future__ import annotations

from typing import Any

from theory_lab.numerics.inner_products import column_products
from theory_lab.numerics.smoothed_norm import smoothed_norm as penalty

__all__ = ["Array", "penalty", "penalty_bend", "penalty_slope", "squared_norms"]

Array = Any
"""An array of numpy or of torch."""


def squared_norms(U: Array) -> Array:
    """|u_i|^2 for each column: (..., d, k) -> (..., k)."""
    return column_products(U, U)


def penalty_slope(s: Array, beta: float | Array) -> Array:
    """psi'(s) = (s + 2 beta) / (2 (s + beta)^(3/2)), positive and decreasing."""
    shifted = s + beta
    return (shifted + beta) / (2 * shifted * shifted**0.5)


def penalty_bend(s: Array, beta: float | Array) -> Array:
    """psi''(s) = -(s + 4 beta) / (4 (s + beta)^(5/2)), negative: psi is concave in s."""
    shifted = s + beta
    return -(s + 4 * beta) / (4 * shifted**2 * shifted**0.5)
