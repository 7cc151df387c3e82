"""Where the Group LASSO has one group: its closed form there, and how far the window reaches."""

from __future__ import annotations

import numpy as np

STEPS = 200


def zero_threshold(gradient_norms: np.ndarray) -> float:
    """tau = max_i |grad_i L(0)|: from here on the minimiser is 0."""
    return float(np.max(gradient_norms))


def second_entry_bound(gradient_norms: np.ndarray, convexity: float, coupling: float) -> float:
    """For squares the second group enters at lam2 <= (mu1 tau2 + C tau) / (mu1 + C).

    tau2: the second-largest gradient norm, convexity mu1 = lmin(X_1^T X_1), coupling
    C = max_j |X_j^T X_1|_2.
    """
    second, first = np.sort(np.append(gradient_norms, 0.0))[-2:]
    return float((convexity * second + coupling * first) / (convexity + coupling))


def one_group(
    loss: str, X: np.ndarray, response: np.ndarray, ridge: float, lam: float
) -> np.ndarray:
    """argmin_B L(X B) + ridge/2 |B|^2 + lam |B|_F for one group, X: (m, d), B: (d, K).

    0 if |grad L(0)| <= lam. Else the radius r = |B| solves a scalar equation: B minimises
    L + (ridge + lam/r)/2 |.|^2, whose norm falls with the weight of the square.
    """
    from scipy.optimize import brentq

    K = 1 if loss == "logistic" else int(response.max()) + 1
    shape = (X.shape[1], response.shape[1] if loss == "squares" else K)
    slope = _derivatives(loss, X, response, np.zeros(shape))[1]
    if np.linalg.norm(slope) <= lam:
        return np.zeros(shape)

    last = np.zeros(shape)

    def shrunk(weight: float) -> np.ndarray:
        nonlocal last  # the next weight is close by
        last = _ridge_minimiser(loss, X, response, ridge + weight, last)
        return last

    def excess(log_weight: float) -> float:
        weight = np.exp(log_weight)
        return float(np.log(weight * np.linalg.norm(shrunk(weight)) / lam))

    low = high = float(np.log(lam))
    while excess(low) > 0:
        low -= 2.0
    while excess(high) < 0:
        high += 2.0
    return shrunk(float(np.exp(brentq(excess, low, high, xtol=1e-14, rtol=1e-14))))


def one_group_value(
    loss: str, X: np.ndarray, response: np.ndarray, ridge: float, lam: float
) -> float:
    """L + lam |B| at the minimiser of one group."""
    B = one_group(loss, X, response, ridge, lam)
    smooth = _derivatives(loss, X, response, B)[0] + 0.5 * ridge * float(np.sum(B * B))
    return smooth + lam * float(np.linalg.norm(B))


def _ridge_minimiser(
    loss: str, X: np.ndarray, response: np.ndarray, weight: float, B: np.ndarray
) -> np.ndarray:
    """argmin_B L(X B) + weight/2 |B|^2 by Newton with halved steps from B."""
    for _ in range(STEPS):
        value, gradient, hessian = _derivatives(loss, X, response, B)
        gradient = gradient + weight * B
        step = -np.linalg.solve(hessian + weight * np.eye(B.size), gradient.ravel())
        B, moved = _descended(loss, X, response, weight, B, step.reshape(B.shape), value)
        if moved <= 1e-14 * (1 + np.linalg.norm(B)):
            break
    return B


def _descended(
    loss: str, X: np.ndarray, response: np.ndarray, weight: float,
    B: np.ndarray, step: np.ndarray, value: float,
) -> tuple[np.ndarray, float]:  # fmt: skip
    before = value + 0.5 * weight * np.sum(B * B)
    for t in 0.5 ** np.arange(40):
        new = B + t * step
        after = _derivatives(loss, X, response, new)[0] + 0.5 * weight * np.sum(new * new)
        if after <= before + 1e-14 * abs(before):
            return new, float(t * np.linalg.norm(step))
    return B, 0.0


def _derivatives(
    loss: str, X: np.ndarray, response: np.ndarray, B: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Value, gradient (d, K) and Hessian (d K, d K) of B -> L(X B)."""
    Z = X @ B
    if loss == "squares":
        R = Z - response
        return 0.5 * float(np.sum(R * R)), X.T @ R, np.kron(X.T @ X, np.eye(B.shape[1]))
    if loss == "logistic":
        y = response.reshape(-1, 1)
        p = 1 / (1 + np.exp(-Z))
        value = float(np.sum(np.log1p(np.exp(-np.abs(Z))) + np.maximum(Z, 0) - y * Z))
        return value, X.T @ (p - y), X.T @ (p * (1 - p) * X)
    one_hot = np.eye(B.shape[1])[response.astype(int).ravel()]
    shifted = Z - Z.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    P = np.exp(logs)
    blocks = np.einsum("mk,kl->mkl", P, np.eye(P.shape[1])) - P[:, :, None] * P[:, None, :]
    hessian = np.einsum("mi,mkl,mj->ikjl", X, blocks, X, optimize=True).reshape(B.size, B.size)
    return -float(np.sum(one_hot * logs)), X.T @ (P - one_hot), hessian
