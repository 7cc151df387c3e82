"""The limit x(t) of (w_SGD - w_gRDA) / sqrt(gamma) where the Hessian is constant.

Without sign changes x(t) = c t^mu sum_i m(h_i t) v_i v_i^T sigma with the eigenpairs (h_i, v_i) of
the Hessian and m(z) = 1F1(1; mu + 1; -z); m(0) = 1 on the flat space.
"""

from __future__ import annotations

import numpy as np


def memory(z: np.ndarray, exponent: float) -> np.ndarray:
    """m(z) = mu int_0^1 a^(mu-1) exp(-z (1-a)) da = 1F1(1; mu + 1; -z), about mu / z for large z."""
    from scipy.special import hyp1f1

    z = np.asarray(z, dtype=float)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        series = sum(
            -np.prod([i - exponent for i in range(k)]) / z**k for k in range(1, 12)
        )  # the expansion for large z, without the exponentially small part
        return np.where(z > 60, series, hyp1f1(1.0, exponent + 1.0, -np.minimum(z, 60.0)))


def displacement(
    hessian: np.ndarray,
    optimum: np.ndarray,
    start: np.ndarray,
    strength: float,
    exponent: float,
    time: float,
) -> np.ndarray:
    """x(t) (d,) of the gradient flow w(t) = optimum + exp(-H t) (start - optimum).

    Every sign change of a weight, at T_k, adds 2 c T_k^mu sigma_j(T_k) exp(-H (t - T_k)) e_j and
    counts from T_k on.
    """
    values, vectors = np.linalg.eigh(hessian)
    values = np.maximum(values, 0)
    gap = vectors.T @ (start - optimum)

    def threshold_memory(t: float) -> np.ndarray:
        return t**exponent * memory(values * t, exponent)

    total = threshold_memory(time) * (vectors.T @ np.sign(start))
    for when, j, sign in sign_changes(values, vectors, optimum, gap, time):
        jump, decay = 2 * sign * vectors[j], np.exp(-values * (time - when))
        later = threshold_memory(time) + decay * (when**exponent - threshold_memory(when))
        total = total + later * jump
    return strength * vectors @ total


def sign_changes(
    values: np.ndarray, vectors: np.ndarray, optimum: np.ndarray, gap: np.ndarray, time: float
) -> list[tuple[float, int, float]]:
    """(time, weight, new sign) of every sign change of the flow up to `time`."""
    from scipy.optimize import brentq

    def weight(t: float, j: int) -> float:
        return float(optimum[j] + vectors[j] @ (np.exp(-values * t) * gap))

    times = np.linspace(0, 1, 2001) ** 2 * time
    path = optimum + (np.exp(-np.outer(times, values)) * gap) @ vectors.T
    rows, columns = np.nonzero(path[:-1] * path[1:] < 0)
    return [
        (
            brentq(weight, times[row], times[row + 1], args=(column,), xtol=1e-15, rtol=1e-14),
            int(column),
            float(np.sign(path[row + 1, column])),
        )
        for row, column in zip(rows, columns, strict=True)
    ]


def largest_memory(hessian: np.ndarray, signs: np.ndarray, exponent: float, time: float) -> float:
    """max_j |sbar_j(t) - s_j| = max_j |sum_i m(h_i t) V_ji (v_i . sigma)| over curved directions."""
    values, vectors = np.linalg.eigh(hessian)
    curved = values > 1e-9 * values[-1]
    values, vectors = values[curved], vectors[:, curved]
    return float(np.max(np.abs(vectors @ (memory(values * time, exponent) * (vectors.T @ signs)))))
