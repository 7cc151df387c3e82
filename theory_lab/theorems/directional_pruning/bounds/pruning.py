"""Directional pruning: argmin_w 1/2 |w - a|^2 + lam sum_j s_j |w_j| at weights a.

The score is s_j = sign(a_j) (Pi_0 sign(a))_j with the projector Pi_0 on the flat space, the kernel
of the Hessian at a. Weights a and scores s are (d,), the Hessian is (d, d).
"""

from __future__ import annotations

import numpy as np


def flat_projector(hessian: np.ndarray) -> np.ndarray:
    """Pi_0 (d, d): eigenvalues up to 1e-9 of the largest count as zero."""
    values, vectors = np.linalg.eigh(hessian)
    flat = vectors[:, values <= 1e-9 * values[-1]]
    return flat @ flat.T


def directional_score(projector: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """s_j = sign(a_j) (Pi_0 sign(a))_j: the sum of all s_j is |Pi_0 sign(a)|^2."""
    return np.sign(weights) * (projector @ np.sign(weights))


def directional_pruning(weights: np.ndarray, score: np.ndarray, lam: float) -> np.ndarray:
    """sign(a_j) max(|a_j| - lam s_j, 0), for scores of either sign and a_j != 0."""
    return np.sign(weights) * np.maximum(np.abs(weights) - lam * score, 0)


def breakpoints(weights: np.ndarray, score: np.ndarray) -> np.ndarray:
    """The lam, ascending, at which weights become zero: |a_j| / s_j over s_j > 0."""
    pruned = score > 0
    return np.sort(np.abs(weights[pruned]) / score[pruned])


def first_zero(weights: np.ndarray, score: np.ndarray) -> float:
    """lam* = min |a_j| / s_j over s_j > 0."""
    return float(breakpoints(weights, score)[0])


def loss_rise(hessian: np.ndarray, weights: np.ndarray, lam: float, power: int = 2) -> float:
    """1/2 H_jj s_j^power (lam - lam*)^2 at a minimum, j the first weight pruned; power 2."""
    score = directional_score(flat_projector(hessian), weights)
    ratio = np.where(score > 0, np.abs(weights) / np.where(score > 0, score, 1), np.inf)
    j = int(np.argmin(ratio))
    return float(0.5 * hessian[j, j] * score[j] ** power * (lam - ratio[j]) ** 2)
