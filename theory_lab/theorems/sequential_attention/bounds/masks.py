"""The regulariser q that a differentiable mask with weight decay amounts to.

min over mask and weights of L(mask_i b_i) + lam sum (r(w_i) + |b_i|^2) = min_u L(u) + lam sum q(|u_i|)
with q(a) = min_w r(w) + a^2 / mask(w)^2.
"""

from __future__ import annotations

import numpy as np


def identity_mask(a: np.ndarray) -> np.ndarray:
    """Mask w, cost (w^2 + |b|^2) / 2: q(a) = a, the Group LASSO."""
    return np.asarray(a, dtype=float)


def exponential_mask(a: np.ndarray, decay: float = 1.0) -> np.ndarray:
    """Mask e^w, cost rho w^2 + |b|^2: q(a) = rho (W^2/4 + W/2) with W e^W = 2 a^2 / rho."""
    from scipy.special import lambertw

    w = lambertw(2 * np.square(a) / decay).real
    return decay * (0.25 * w * w + 0.5 * w)


def inflection(decay: float = 1.0) -> float:
    """q of the exponential mask is convex below sqrt(e rho / 2) and concave above."""
    return float(np.sqrt(0.5 * np.e * decay))


def power_decay(a: np.ndarray, exponent: float) -> np.ndarray:
    """Mask w, cost |w|^p + |b|^2: q(a) = (1 + p/2) (2/p)^(p/(p+2)) a^(2p/(p+2))."""
    p = exponent
    return (1 + p / 2) * (2 / p) ** (p / (p + 2)) * np.power(a, 2 * p / (p + 2))


def power_propagation(a: np.ndarray, exponent: float) -> np.ndarray:
    """Weights |b|^(alpha-1) b, cost |b|^2: q(a) = a^(2/alpha)."""
    return np.power(a, 2 / exponent)


def absolute_logits(a: np.ndarray) -> np.ndarray:
    """Mask e^w, cost |w| + |b|^2: q(a) = a^2 where 2 a^2 <= 1, else 1/2 + log(2 a^2) / 2."""
    square = np.square(np.asarray(a, dtype=float))
    return np.where(2 * square <= 1, square, 0.5 + 0.5 * np.log(np.maximum(2 * square, 1.0)))


def softmax_mask(norms: np.ndarray) -> np.ndarray:
    """Masks t softmax(logits) on t groups, cost |b|^2: the infimum (sum a_i^(2/3))^3 / t^2."""
    norms = np.asarray(norms, dtype=float)
    return np.sum(np.power(norms, 2 / 3), axis=-1) ** 3 / norms.shape[-1] ** 2


def regulariser(row: str, a: np.ndarray, parameter: float) -> np.ndarray:
    """q(a) of a row of the table by its name; `parameter` is p, alpha or rho."""
    return {
        "identity": lambda: identity_mask(a),
        "exponential": lambda: exponential_mask(a, parameter),
        "power_decay": lambda: power_decay(a, parameter),
        "powerprop": lambda: power_propagation(a, parameter),
        "absolute_logits": lambda: absolute_logits(a),
    }[row]()
