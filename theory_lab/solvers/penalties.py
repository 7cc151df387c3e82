"""Increasing functions q of group norms with q(0) = 0, and the penalty q^-1(sum q(|b_g|)).

Admissible (increasing and subadditive) are powers up to 1, the logarithm, the bounded and the sine
one; the masks of `masked_penalties` add theirs, with the reason where they are not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CONCAVE = "concave with q(0) = 0"


@dataclass(frozen=True)
class Penalty:
    """q, its slope q' and its inverse, entry by entry on arrays of values >= 0.

    `inverse` is only asked below `supremum`. `why` says why q is subadditive, or why not.
    `bends_slowly`: 1/q' is concave, so that secants of q^-1(sum q) bound it from below.
    """

    supremum = np.inf
    is_concave = True
    bends_slowly = False

    @property
    def is_subadditive(self) -> bool:
        return self.is_concave

    @property
    def why(self) -> str:
        return CONCAVE

    def value(self, a: np.ndarray) -> np.ndarray:
        """q(a)."""
        raise NotImplementedError

    def slope(self, a: np.ndarray) -> np.ndarray:
        """q'(a), infinite at 0 where q rises vertically."""
        raise NotImplementedError

    def inverse(self, v: np.ndarray) -> np.ndarray:
        """The a with q(a) = v."""
        raise NotImplementedError

    def combined(self, norms: np.ndarray) -> np.ndarray:
        """q^-1(sum q(norms)) over the last axis, exactly the norm where it stands alone; infinite
        where the sum reaches the supremum."""
        norms = np.asarray(norms, dtype=float)
        alone = np.count_nonzero(norms, axis=-1) <= 1
        largest = norms.max(axis=-1, initial=0.0)
        return np.where(alone, largest, self._combined(norms, largest))

    def _combined(self, norms: np.ndarray, largest: np.ndarray) -> np.ndarray:
        return self.inverse(np.sum(self.value(norms), axis=-1))


@dataclass(frozen=True)
class Power(Penalty):
    """q(a) = factor a^exponent; admissible for an exponent of at most 1."""

    exponent: float
    factor: float = 1.0
    bends_slowly = True

    @property
    def is_concave(self) -> bool:  # type: ignore[override]
        return self.exponent <= 1

    @property
    def why(self) -> str:
        return CONCAVE if self.is_concave else "strictly convex: q(2a) > 2 q(a)"

    def value(self, a: np.ndarray) -> np.ndarray:
        return self.factor * np.power(a, self.exponent)

    def slope(self, a: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return self.factor * self.exponent * np.power(a, self.exponent - 1)

    def inverse(self, v: np.ndarray) -> np.ndarray:
        return np.power(np.asarray(v) / self.factor, 1 / self.exponent)

    def _combined(self, norms: np.ndarray, largest: np.ndarray) -> np.ndarray:
        unit = np.where(largest > 0, largest, 1.0)
        shares = np.power(norms / unit[..., None], self.exponent)
        return unit * np.power(np.sum(shares, axis=-1), 1 / self.exponent)


@dataclass(frozen=True)
class Logarithm(Penalty):
    """q(a) = log(1 + a)."""

    bends_slowly = True

    def value(self, a: np.ndarray) -> np.ndarray:
        return np.log1p(a)

    def slope(self, a: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.asarray(a))

    def inverse(self, v: np.ndarray) -> np.ndarray:
        return np.expm1(v)


@dataclass(frozen=True)
class Bounded(Penalty):
    """q(a) = a / (1 + a), below 1."""

    supremum = 1.0

    def value(self, a: np.ndarray) -> np.ndarray:
        return np.asarray(a) / (1 + np.asarray(a))

    def slope(self, a: np.ndarray) -> np.ndarray:
        return (1 + np.asarray(a)) ** -2.0

    def inverse(self, v: np.ndarray) -> np.ndarray:
        return np.asarray(v) / (1 - np.asarray(v))

    def _combined(self, norms: np.ndarray, largest: np.ndarray) -> np.ndarray:
        """total / (1 - total), with 1 - q(largest) = 1 / (1 + largest) free of cancellation."""
        total = np.sum(self.value(norms), axis=-1)
        left = 1 / (1 + largest) - (total - self.value(largest))
        return np.where(left > 0, total / np.where(left > 0, left, 1.0), np.inf)


@dataclass(frozen=True)
class Sine(Penalty):
    """q(a) = a + |sin a| / 2: subadditive but not concave."""

    is_concave = False

    @property
    def is_subadditive(self) -> bool:
        return True

    @property
    def why(self) -> str:
        return "a sum of the subadditive a and |sin a| / 2; not concave"

    def value(self, a: np.ndarray) -> np.ndarray:
        return a + 0.5 * np.abs(np.sin(a))

    def slope(self, a: np.ndarray) -> np.ndarray:
        return 1 + 0.5 * np.cos(a) * np.where(np.sin(a) >= 0, 1.0, -1.0)

    def inverse(self, v: np.ndarray) -> np.ndarray:
        """Bisection between v - 1/2 and v, as a <= q(a) <= a + 1/2."""
        low, high = np.maximum(np.asarray(v) - 0.5, 0.0), np.asarray(v, dtype=float)
        for _ in range(60):
            middle = 0.5 * (low + high)
            below = self.value(middle) < v
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return 0.5 * (low + high)


@dataclass(frozen=True)
class Exponential(Penalty):
    """q(a) = e^a - 1: increasing, convex, not admissible."""

    is_concave = False

    @property
    def why(self) -> str:
        return "strictly convex: q(2a) > 2 q(a)"

    def value(self, a: np.ndarray) -> np.ndarray:
        return np.expm1(a)

    def slope(self, a: np.ndarray) -> np.ndarray:
        return np.exp(a)

    def inverse(self, v: np.ndarray) -> np.ndarray:
        return np.log1p(v)
