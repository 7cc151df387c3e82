"""The point of an affine set {w : X w = X a} that is best for 1/2 |w - a|^2 + lam |w|_1."""

from __future__ import annotations

import numpy as np

from theory_lab.core.errors import UsageError


def anchored_l1(rows: np.ndarray, anchor: np.ndarray, lam: float) -> np.ndarray:
    """argmin 1/2 |w - a|^2 + lam |w|_1 subject to X w = X a: rows X (n, d), anchor a (d,).

    Semismooth Newton on the dual: w = S_lam(a + X^T nu) with X w = X a, the stationary point of a
    smooth convex function of nu. UsageError if |X w - X a| stays above 1e-12 of 1 + lam + |X a|.
    """
    nu, ridge = np.zeros(len(rows)), 1e-12
    goal = 1e-12 * (1 + lam + np.linalg.norm(rows @ anchor))
    w, residual, value = _at(rows, anchor, lam, nu)
    for _ in range(2000):
        if np.linalg.norm(residual) <= goal:
            return w
        active = rows[:, w != 0]
        direction = np.linalg.solve(active @ active.T + ridge * np.eye(len(rows)), -residual)
        slope, length = float(residual @ direction), 1.0
        trial = _at(rows, anchor, lam, nu + direction)
        while trial[2] > value + 1e-4 * length * slope and length > 1e-8:
            length /= 2
            trial = _at(rows, anchor, lam, nu + length * direction)
        # Where fewer weights than rows are active, a longer ridge keeps the steps useful.
        ridge = min(1.0, 10 * ridge) if length < 0.1 else max(1e-12, ridge / 10)
        nu, (w, residual, value) = nu + length * direction, trial
    raise UsageError("The anchored l1 problem did not converge; use rows of better condition.")


def _at(
    rows: np.ndarray, anchor: np.ndarray, lam: float, nu: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """The weights, the dual gradient X w - X a, and the dual function 1/2 |w|^2 - nu . X a."""
    v = anchor + nu @ rows
    w = v - np.clip(v, -lam, lam)
    goal = rows @ anchor
    return w, rows @ w - goal, float(0.5 * w @ w - nu @ goal)
