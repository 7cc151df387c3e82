"""Accelerated proximal gradient for the Group LASSO with squares. Array API: also on a GPU."""

from __future__ import annotations

from typing import Any, NamedTuple

from array_api_compat import array_namespace

from theory_lab.core.errors import UsageError
from theory_lab.numerics.prox import block_soft_threshold


class Point(NamedTuple):
    """Coefficients B: (d, K) and the duality gap, a number."""

    coefficients: Any
    gap: float


def accelerated(
    X: Any, Y: Any, membership: Any, lam: float, *, tol: float = 1e-8, steps: int = 10_000
) -> Point:
    """min_B 1/2 |X B - Y|^2 + lam sum_g |B_g| until the gap is at most tol/2 |Y|^2.

    X: (m, d), Y: (m, K), membership: (t, d) with 1 where a feature is in a group. Momentum is
    dropped where it points uphill. UsageError unless lam > 0.
    """
    if not 0 < lam < float("inf"):
        raise UsageError(f"lam is {lam!r}, but it must be a finite number greater than 0.")
    xp = array_namespace(X, Y, membership)
    allowed = tol * 0.5 * float(xp.sum(Y * Y))
    if not (0 < float(xp.sum(X * X)) < float("inf") and 0 <= allowed < float("inf")):
        raise UsageError("The design or the response is not finite, or the design is 0.")
    lipschitz = float(xp.linalg.matrix_norm(X, ord=2)) ** 2
    B = ahead = xp.zeros((X.shape[1], Y.shape[1]), dtype=X.dtype, device=X.device)
    momentum, gap = 1.0, float("inf")
    for n in range(steps):
        gradient = X.T @ (X @ ahead - Y)
        new = block_soft_threshold(ahead - gradient / lipschitz, membership, lam / lipschitz)
        if float(xp.sum((ahead - new) * (new - B))) > 0:
            momentum = 1.0
        following = 0.5 * (1 + (1 + 4 * momentum**2) ** 0.5)
        ahead = new + ((momentum - 1) / following) * (new - B)
        B, momentum = new, following
        if n % 10 == 0:
            gap = duality_gap(X, Y, membership, lam, B)
            if gap <= allowed:
                break
    return Point(B, gap)


def duality_gap(X: Any, Y: Any, membership: Any, lam: float, B: Any) -> float:
    """Objective minus the dual value of the residual, shrunk until it is feasible."""
    xp = array_namespace(X, B)
    R = Y - X @ B
    pulls = _norms(X.T @ R, membership)
    scale = min(1.0, lam / max(float(xp.max(pulls)), 1e-300))
    primal = 0.5 * float(xp.sum(R * R)) + lam * float(xp.sum(_norms(B, membership)))
    return primal - scale * float(xp.sum(R * Y)) + 0.5 * scale**2 * float(xp.sum(R * R))


def _norms(B: Any, membership: Any) -> Any:
    xp = array_namespace(B)
    return xp.sqrt(membership @ xp.sum(B * B, axis=1))
