"""gRDA after a long time: what it converges to once weights are zero, how fast, and for which mu.

Rows X (n, d) with the Hessian H = X^T X; weights a (d,) of SGD at its minimum; lam is the threshold
at the end, lam = c sqrt(gamma) T^mu.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from theory_lab.theorems.directional_pruning.bounds.pruning import flat_projector


def constrained_l1(rows: np.ndarray, weights: np.ndarray, lam: float) -> np.ndarray:
    """argmin 1/2 |w - a|^2 + lam |w|_1 subject to X w = X a, by Douglas-Rachford splitting."""
    inverse = np.linalg.pinv(rows)
    z = weights.copy()
    for _ in range(20_000):
        halfway = 0.5 * (z + weights)
        w = np.sign(halfway) * np.maximum(np.abs(halfway) - lam / 2, 0)
        reflected = 2 * w - z
        change = reflected - inverse @ (rows @ (reflected - weights)) - w
        z = z + change
        if np.max(np.abs(change)) <= 1e-13 * (1 + np.max(np.abs(weights))):
            break
    return w


class Lag(NamedTuple):
    """The distance that remains at a finite time T: `vector` (d,) and the loss 1/2 |X vector|^2."""

    limit: np.ndarray
    vector: np.ndarray
    loss: float


def lag(rows: np.ndarray, weights: np.ndarray, lam: float, exponent: float, time: float) -> Lag:
    """w_gRDA - w_constrained = -(mu lam / T) B_A M diag(1/h) nu on the support A, M = (B_A^T B_A)^-1,
    nu = M B_A^T sign(w_A), B an orthonormal basis of range(H); loss 1/2 (mu lam / T)^2 sum nu^2/h.
    """
    _, values, basis = np.linalg.svd(rows, full_matrices=False)
    kept = values > 1e-8 * values[0]
    h, B = values[kept] ** 2, basis[kept].T
    limit = constrained_l1(rows, weights, lam)
    support = limit != 0
    M = np.linalg.inv(B[support].T @ B[support])
    nu = M @ (B[support].T @ np.sign(limit[support]))
    rate = exponent * lam / time
    vector = np.zeros_like(weights)
    vector[support] = -rate * B[support] @ (M @ (nu / h))
    return Lag(limit, vector, float(0.5 * rate**2 * np.sum(nu**2 / h)))


def kept_curvature(rows: np.ndarray, weights: np.ndarray, lam: float) -> float:
    """h_A: the least positive eigenvalue of X_A X_A^T on the support A of the constrained solution,
    the slowest rate at which gRDA follows it; rows that X itself lacks do not count."""
    kept = rows[:, constrained_l1(rows, weights, lam) != 0]
    rank = np.linalg.matrix_rank(rows, tol=1e-4)
    return float(np.linalg.eigvalsh(kept @ kept.T)[-rank])


def crossover(lag_loss: float, time: float, magnitude_loss: float) -> float:
    """T* = mu lam sqrt(sum nu^2 / h / (2 L_mag)): from there on the lag's loss, which falls like
    T^-2, is below the loss of magnitude pruning."""
    return time * float(np.sqrt(lag_loss / magnitude_loss))


def noise_exponent(exponent: float) -> float:
    """1/2 - mu: flat noise sqrt(gamma t) over the drift c sqrt(gamma) t^mu."""
    return 0.5 - exponent


def loss_exponent(exponent: float) -> float:
    """2 mu - 2: the curved displacement is c mu sqrt(gamma) t^(mu-1) / h."""
    return 2 * exponent - 2


def slowest_fall(exponent: float) -> float:
    """-min(|mu - 1/2|, |2 - 2 mu|): inside (1/2, 1), the slower of both falls."""
    return -min(abs(exponent - 0.5), abs(2 - 2 * exponent))


def noise_to_signal(hessian: np.ndarray, signs: np.ndarray, exponent: float, time: float) -> float:
    """sqrt(dim P_0) t^(1/2 - mu) / |Pi_0 sigma|: gradient noise N(0, I), c = 1."""
    projector = flat_projector(hessian)
    size = np.linalg.norm(projector @ signs)
    return float(np.sqrt(np.trace(projector)) * time ** noise_exponent(exponent) / size)


def curved_loss(
    hessian: np.ndarray, signs: np.ndarray, step: float, exponent: float, time: float
) -> float:
    """1/2 gamma mu^2 t^(2 mu - 2) sum_i (v_i . sigma)^2 / h_i over curved directions, c = 1."""
    pulled = signs @ np.linalg.pinv(hessian, rcond=1e-9, hermitian=True) @ signs
    return float(0.5 * step * exponent**2 * time ** loss_exponent(exponent) * pulled)
