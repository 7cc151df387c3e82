"""Increasing functions q of group norms with q(0) = 0, and the penalty q^-1(sum q(|b_g|)).

admissible (increasing, subadditive): abs, sqrt, two_thirds, log, bounded, sine
not subadditive:                      square, exp, exp_mask
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Function = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Penalty:
    """q with its slope and inverse, entry by entry on arrays of values >= 0.

    `inverse` is only asked below `supremum`. `mask` is the differentiable mask that q comes from,
    if there is one; `why` says why q is subadditive, or why not.
    """

    name: str
    value: Function
    slope: Function
    inverse: Function
    is_subadditive: bool
    is_concave: bool
    why: str
    supremum: float = np.inf
    mask: str = ""

    def combined(self, norms: np.ndarray) -> np.ndarray:
        """q^-1(sum q(norms)) over the last axis; infinite where the sum reaches the supremum.

        Computed relative to the largest norm where it stands alone, so that one group gives
        exactly its norm.
        """
        norms = np.asarray(norms, dtype=float)
        total = np.sum(self.value(norms), axis=-1)
        inside = total < self.supremum
        combined = np.where(inside, self.inverse(np.where(inside, total, 0.0)), np.inf)
        alone = np.count_nonzero(norms, axis=-1) <= 1
        return np.where(alone, norms.max(axis=-1, initial=0.0), combined)


def _power(exponent: float) -> tuple[Function, Function, Function]:
    def slope(a: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return exponent * np.power(a, exponent - 1)

    return lambda a: np.power(a, exponent), slope, lambda v: np.power(v, 1 / exponent)


def _sine_inverse(v: np.ndarray) -> np.ndarray:
    """Bisection between v - 1/2 and v, as a <= q(a) <= a + 1/2."""
    low, high = np.maximum(v - 0.5, 0.0), np.asarray(v, dtype=float)
    for _ in range(60):
        middle = 0.5 * (low + high)
        below = middle + 0.5 * np.abs(np.sin(middle)) < v
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return 0.5 * (low + high)


def _exp_mask_value(a: np.ndarray) -> np.ndarray:
    w = _lambert(2 * a * a)
    return 0.25 * w * w + 0.5 * w


def _exp_mask_slope(a: np.ndarray) -> np.ndarray:
    return np.where(a > 0, _lambert(2 * a * a) / np.where(a > 0, a, 1.0), 0.0)


def _exp_mask_inverse(v: np.ndarray) -> np.ndarray:
    w = 4 * v / (1 + np.sqrt(1 + 4 * v))
    return np.sqrt(0.5 * w * np.exp(w))


def _lambert(x: np.ndarray) -> np.ndarray:
    from scipy.special import lambertw

    return lambertw(x).real


CONCAVE = "concave with q(0) = 0"

PENALTIES = {
    penalty.name: penalty
    for penalty in (
        Penalty("abs", *_power(1.0), True, True, CONCAVE, mask="w, decay w^2 + b^2 (Group LASSO)"),
        Penalty("sqrt", *_power(0.5), True, True, CONCAVE, mask="w, decay |w|^(2/3) + b^2"),
        Penalty("two_thirds", *_power(2 / 3), True, True, CONCAVE, mask="w, decay |w| + b^2"),
        Penalty("log", np.log1p, lambda a: 1 / (1 + a), np.expm1, True, True, CONCAVE),
        Penalty("bounded", lambda a: a / (1 + a), lambda a: (1 + a) ** -2.0,
                lambda v: v / (1 - v), True, True, CONCAVE, supremum=1.0),
        Penalty("sine", lambda a: a + 0.5 * np.abs(np.sin(a)),
                lambda a: 1 + 0.5 * np.cos(a) * np.where(np.sin(a) >= 0, 1.0, -1.0), _sine_inverse,
                True, False, "a sum of the subadditive a and |sin a| / 2; not concave"),
        Penalty("square", *_power(2.0), False, False, "convex", mask="none: weight decay"),
        Penalty("exp", np.expm1, np.exp, np.log1p, False, False, "convex"),
        Penalty("exp_mask", _exp_mask_value, _exp_mask_slope, _exp_mask_inverse, False, False,
                "like a^2 near 0, convex below sqrt(e/2)", mask="e^w, decay w^2 + b^2"),
    )
}  # fmt: skip
