"""Identities of gRDA for linear regression at any step, f = mean of 1/2 (y - x.w)^2 over a batch."""

from __future__ import annotations

import numpy as np

from theory_lab.theorems.directional_pruning.bounds.pruning import flat_projector


def threshold(strength: float, exponent: float, step: float, n: np.ndarray) -> np.ndarray:
    """g_n = c sqrt(gamma) (n gamma)^mu."""
    return strength * np.sqrt(step) * (np.asarray(n) * step) ** exponent


def difference(
    rows: np.ndarray,
    signs: np.ndarray,
    strength: float,
    exponent: float,
    step: float,
    watch: np.ndarray,
) -> np.ndarray:
    """w_SGD - w_gRDA after the steps `watch`: (len(watch), d), from D_0 = 0 and
    D_(n+1) = (I - gamma H_n) D_n + (g_(n+1) - g_n) sigma, H_n = mean of x x^T over rows[n].

    rows: (steps, batch, d); signs sigma (d,), which no weight of gRDA leaves.
    """
    levels = threshold(strength, exponent, step, np.arange(len(rows) + 1))
    D, path = np.zeros(rows.shape[2]), {}
    for n, batch in enumerate(rows):
        D = D - step * batch.T @ (batch @ D) / len(batch) + (levels[n + 1] - levels[n]) * signs
        path[n + 1] = D
    return np.array([path[int(n)] for n in watch])


def flat_part(hessian: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Pi_0 w: neither the accumulator nor SGD ever leaves it."""
    return flat_projector(hessian) @ weights


def flat_difference(hessian: np.ndarray, dual: np.ndarray, level: float) -> np.ndarray:
    """Pi_0 (w_SGD - w_gRDA) = Pi_0 clip(v, -g, g) at the accumulator v (d,)."""
    return flat_projector(hessian) @ np.clip(dual, -level, level)
