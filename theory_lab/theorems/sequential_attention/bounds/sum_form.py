"""The form without q^-1: min L(b) + lam sum_i |b_i|^p, 0 < p < 1, one coordinate with curvature h
and gradient g at 0."""

from __future__ import annotations

import numpy as np


def entry(pull: np.ndarray, curvature: np.ndarray, exponent: float) -> np.ndarray:
    """The lam below which h b^2/2 - g b + lam b^p has a minimiser other than 0:
    g/(2-p) (2 g (1-p) / (h (2-p)))^(1-p)."""
    g, h, p = np.asarray(pull, float), np.asarray(curvature, float), exponent
    return g / (2 - p) * (2 * g * (1 - p) / (h * (2 - p))) ** (1 - p)


def jump(pull: float, curvature: float, exponent: float) -> float:
    """Where the minimiser jumps to at its entry: 2 g (1-p) / (h (2-p))."""
    return 2 * pull * (1 - exponent) / (curvature * (2 - exponent))


def crossover(pulls: tuple[float, ...], curvatures: tuple[float, ...]) -> float:
    """The exponent at which two coordinates enter together: (2 log G - log H) / (log G - log H),
    G and H the ratios of their gradients and curvatures."""
    G, H = np.log(pulls[0] / pulls[1]), np.log(curvatures[0] / curvatures[1])
    return float((2 * G - H) / (G - H))
