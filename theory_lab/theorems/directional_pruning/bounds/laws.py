"""The Gaussian laws of gRDA for least squares with Gaussian rows x ~ N(0, H), constant signs.

First order: (w_gRDA - w(t)) / sqrt(gamma) => N(-x(t), C(t)); second order, on one stream:
[(w_SGD - w_gRDA) / sqrt(gamma) - x(t)] / sqrt(gamma) => N(0, K(t)).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from theory_lab.theorems.directional_pruning.bounds.displacement import memory


def _propagated(
    values: np.ndarray, source: Callable[[float], np.ndarray], time: float
) -> np.ndarray:
    """int_0^t exp(-(h_i + h_j)(t - s)) source_ij(s) ds, entries in the eigenbasis."""
    nodes, weights = np.polynomial.legendre.leggauss(120)
    y, rates = 0.5 * (nodes + 1), values[:, None] + values
    total = np.zeros((len(values), len(values)))
    for at, weight in zip(y, weights, strict=True):
        s = time * at**4  # smooth in y where the source is like s^(2 mu)
        total += 2 * weight * time * at**3 * np.exp(-rates * (time - s)) * source(s)
    return total


def covariance(
    hessian: np.ndarray, optimum: np.ndarray, start: np.ndarray, noise: float, time: float
) -> np.ndarray:
    """C(t) (d, d): the noise of the gradients is H d d^T H + (d^T H d) H + noise^2 H along the
    flow, d = w - optimum."""
    values, vectors = np.linalg.eigh(hessian)
    gap = vectors.T @ (start - optimum)

    def source(s: float) -> np.ndarray:
        d = np.exp(-values * s) * gap
        pulled = values * d
        return np.outer(pulled, pulled) + (d @ pulled + noise**2) * np.diag(values)

    return vectors @ _propagated(values, source, time) @ vectors.T


def second_order_size(
    hessian: np.ndarray,
    signs: np.ndarray,
    strength: float,
    exponent: float,
    time: float,
    with_trace: bool = True,
) -> float:
    """tr K(t), K' = -H K - K H + H x x^T H + (x^T H x) H; `with_trace=False` leaves out the last."""
    values, vectors = np.linalg.eigh(hessian)
    values = np.maximum(values, 0)
    sigma = vectors.T @ signs

    def source(s: float) -> np.ndarray:
        x = strength * s**exponent * memory(values * s, exponent) * sigma
        pulled = values * x
        spread = (x @ pulled) * np.diag(values) if with_trace else 0.0
        return np.outer(pulled, pulled) + spread

    return float(np.trace(_propagated(values, source, time)))


def normal_shares(
    points: np.ndarray, displacement: np.ndarray, variances: np.ndarray
) -> np.ndarray:
    """P(z_j <= points_ji) for z ~ N(-x, C): points (d, levels), x and diagonal of C (d,)."""
    from scipy.special import ndtr

    return ndtr((points + displacement[:, None]) / np.sqrt(variances)[:, None])
