"""The rank loss -tau in closed form: its gradient, a step along it, the rule that chooses k.

W is (..., m, n), Wn = W / |W|_F = U diag(s) V^T, A_k = U_k diag(s_1..s_k) V_k^T the best
approximation of rank k, R = Wn - A_k and tau = |R|_F^2 the sum of s_i^2 over i > k.
"""

from __future__ import annotations

import numpy as np


def spectrum(W: np.ndarray) -> np.ndarray:
    """s (..., r): singular values of W / |W|_F, descending."""
    return np.linalg.svd(W / _norm(W), compute_uv=False)


def squared_distance(W: np.ndarray, k: int) -> np.ndarray:
    """min |W - X|_F^2 over rank(X) <= k: the sum of sigma_i^2 over i > k (Eckart, Young)."""
    return np.sum(np.linalg.svd(W, compute_uv=False)[..., k:] ** 2, axis=-1)


def low_rank(W: np.ndarray, k: int) -> np.ndarray:
    """A_k, the best approximation of rank k of W / |W|_F: (m, n)."""
    U, s, Vt = np.linalg.svd(W / _norm(W), full_matrices=False)
    return (U[:, :k] * s[:k]) @ Vt[:k]


def gap(W: np.ndarray, k: int) -> float:
    """s_k - s_{k+1}, with s_0 = inf."""
    s = spectrum(W)
    return float(s[k - 1] - s[k]) if k else np.inf


def tail(W: np.ndarray, k: int) -> float:
    """tau, the sum of s_i^2 over i > k."""
    return float(np.sum(spectrum(W)[k:] ** 2))


def gradient(W: np.ndarray, k: int) -> np.ndarray:
    """d(-tau)/dW = -(2/|W|) (R - tau Wn), where s_k > s_{k+1}: (m, n)."""
    norm = np.linalg.norm(W)
    R = W / norm - low_rank(W, k)
    return -2 / norm * (R - np.sum(R**2) * W / norm)


def stepped_spectrum(W: np.ndarray, k: int, e: float) -> np.ndarray:
    """Singular values after W - (e |W|^2 / 2) gradient, descending, for e tau <= 1.

    sigma_i (1 + e (1 - tau)) for i > k, sigma_i (1 - e tau) for i <= k.
    """
    sigma, tau = np.linalg.svd(W, compute_uv=False), tail(W, k)
    factors = np.where(np.arange(len(sigma)) < k, 1 - e * tau, 1 + e * (1 - tau))
    return np.sort(sigma * factors)[::-1]


def stepped_square(W: np.ndarray, k: int, e: float) -> float:
    """|W|_F^2 after the same step: |W|_F^2 (1 + e^2 tau (1 - tau))."""
    tau = tail(W, k)
    return float(np.sum(W**2) * (1 + e**2 * tau * (1 - tau)))


def masked_tail(W: np.ndarray, k: int) -> np.ndarray:
    """M o R, the part of R on the mask M of W's own non-zero entries: (m, n)."""
    return np.where(W != 0, W / np.linalg.norm(W) - low_rank(W, k), 0.0)


def masked_head_shares(W: np.ndarray, k: int, e: float) -> np.ndarray:
    """Bounds (r,) on the share of |W|^2 in the j leading singular values, j = 1..r, after the step
    W - (e |W|^2 / 2) M o gradient at the mask M of W, for e tau <= 1.

    The step is W / |W| -> (1 - e tau) W / |W| + e M o R, and <M o R, W> = <R, W> = tau |W|: by the
    triangle inequality in the norm |X|_(j) = sqrt(sigma_1^2 + ... + sigma_j^2) the share is at most

        ((1 - e tau) |W|_(j) / |W| + e |M o R|_(j))^2 / (1 + e^2 (|M o R|^2 - tau^2)).
    """
    tau, MR = tail(W, k), masked_tail(W, k)
    before, added = (
        np.sqrt(np.cumsum(s**2)) for s in (spectrum(W), np.linalg.svd(MR, compute_uv=False))
    )
    norm = 1 + e**2 * (np.sum(MR**2) - tau**2)
    return ((1 - e * tau) * before + e * added) ** 2 / norm


def lowers_the_head(W: np.ndarray, k: int) -> bool:
    """|M o R|_2 <= tau s_1: by the bound above at j = 1, no masked step with e tau <= 1 then raises
    s_1, so that none lowers the stable rank."""
    largest = np.linalg.norm(masked_tail(W, k), ord=2)
    return bool(largest <= tail(W, k) * spectrum(W)[0])


def rule_deviation(squares: np.ndarray, k: np.ndarray) -> np.ndarray:
    """max(s_k^2, s_{k+1}^2) / 2 for the k (...,) chosen by the rule, with s_0 = 0: (...,).

    The chosen tail is nearest to eps, so that eps lies within half a step of the staircase of
    tails; `squares` (..., r) descending. Holds for s_r^2 / 2 <= eps <= 1.
    """
    padded = np.concatenate([np.zeros_like(squares[..., :1]), squares], axis=-1)
    k = np.asarray(k, dtype=int)[..., None]
    here, after = (np.take_along_axis(padded, at, axis=-1)[..., 0] for at in (k, k + 1))
    return 0.5 * np.maximum(here, after)


def _norm(W: np.ndarray) -> np.ndarray:
    return np.sqrt(np.sum(W**2, axis=(-2, -1), keepdims=True))
