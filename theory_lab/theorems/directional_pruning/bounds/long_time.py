"""gRDA after a long time: what it converges to once weights are zero, how fast, and for which mu.

Rows X (n, d) with the Hessian H = X^T X; weights a (d,) of SGD at its minimum; lam is the threshold
at the end, lam = c sqrt(gamma) T^mu.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from theory_lab.theorems.directional_pruning.bounds.pruning import flat_projector


class Constrained(NamedTuple):
    """argmin 1/2 |w - a|^2 + lam |w|_1 subject to X w = X a: `weights` (d,), and `since`, the lam
    up to which the support has been the same from below."""

    weights: np.ndarray
    since: float


def constrained_l1(rows: np.ndarray, weights: np.ndarray, lam: float) -> Constrained:
    """The solution, piecewise linear in lam, followed from lam = 0 breakpoint by breakpoint.

    With an orthonormal basis B of the rows' space, w = S_lam(v) at v = a + B q, and on the support A
    with signs sigma B_A^T B_A q = lam B_A^T sigma + B_rest^T a_rest. A weight leaves A where it is 0
    and enters where |v_j| = lam.
    """
    basis = _row_basis(rows)[1]
    signs, reached, changed = np.sign(weights), 0.0, -1
    for _ in range(100 * len(weights)):
        kept = signs != 0
        inverse = np.linalg.inv(basis[kept].T @ basis[kept])
        slope = basis @ (inverse @ (basis[kept].T @ signs[kept]))
        fixed = weights + basis @ (inverse @ (basis[~kept].T @ weights[~kept]))
        j, following = _next_change(fixed, slope, signs, reached, changed)
        if following > lam:
            return Constrained(_on_path(fixed + lam * slope, signs, lam), reached)
        reached, changed = following, j
        signs[j] = 0 if kept[j] else np.sign(fixed[j] + following * slope[j])
    raise ArithmeticError("The constrained l1 path has too many breakpoints; use a smaller lam.")


def _next_change(
    fixed: np.ndarray, slope: np.ndarray, signs: np.ndarray, lam: float, changed: int
) -> tuple[int, float]:
    """The next weight to leave or enter along v = fixed + lam slope, and the lam at which it does;
    the weight that has just `changed` does not change back at once."""
    least = np.full(len(signs), lam * (1 - 1e-12))
    if changed >= 0:
        least[changed] = lam * (1 + 1e-9)

    def meets(level: np.ndarray | float) -> np.ndarray:
        """The lam from `least` on at which v is lam times this level."""
        with np.errstate(divide="ignore", invalid="ignore"):
            at = fixed / (level - slope)
        return np.where(at >= least, at, np.inf)

    at = np.where(signs != 0, meets(signs), np.minimum(meets(1.0), meets(-1.0)))
    j = int(np.argmin(at))
    return j, float(at[j])


def _on_path(v: np.ndarray, signs: np.ndarray, lam: float) -> np.ndarray:
    """w = v - lam sign(w) on the support; ArithmeticError if the signs are not those of S_lam(v)."""
    w = np.where(signs != 0, v - lam * signs, 0.0)
    slack = 1e-9 * (lam + np.max(np.abs(v)))
    if np.any(w * signs < -slack) or np.any(np.abs(v[signs == 0]) > lam + slack):
        raise ArithmeticError("The constrained l1 path has lost its support; rows are degenerate.")
    return w


def _row_basis(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues h (r,) of X^T X and an orthonormal basis (d, r) of the rows' space."""
    _, values, basis = np.linalg.svd(rows, full_matrices=False)
    kept = values > 1e-8 * values[0]
    return values[kept] ** 2, basis[kept].T


class Lag(NamedTuple):
    """The distance that remains at a finite time T: `vector` (d,) and the loss 1/2 |X vector|^2."""

    limit: np.ndarray
    vector: np.ndarray
    loss: float


def lag(rows: np.ndarray, weights: np.ndarray, lam: float, exponent: float, time: float) -> Lag:
    """w_gRDA - w_constrained = -(mu lam / T) B_A M diag(1/h) nu on the support A, M = (B_A^T B_A)^-1,
    nu = M B_A^T sign(w_A), B an orthonormal basis of range(H); loss 1/2 (mu lam / T)^2 sum nu^2/h.
    """
    h, B = _row_basis(rows)
    limit = constrained_l1(rows, weights, lam).weights
    support = limit != 0
    M = np.linalg.inv(B[support].T @ B[support])
    nu = M @ (B[support].T @ np.sign(limit[support]))
    rate = exponent * lam / time
    vector = np.zeros_like(weights)
    vector[support] = -rate * B[support] @ (M @ (nu / h))
    return Lag(limit, vector, float(0.5 * rate**2 * np.sum(nu**2 / h)))


class Settled(NamedTuple):
    """How long gRDA has followed the constrained solution, in units of the slowest time 1 / h_A:
    `elapsed` T h_A and, since the support of that solution last changed at T', `since` (T - T') h_A.

    h_A: the least positive eigenvalue of X_A X_A^T on the support A.
    """

    elapsed: float
    since: float


def settled(
    rows: np.ndarray, weights: np.ndarray, lam: float, exponent: float, time: float
) -> Settled:
    """At the time T of the final threshold lam: lam (t / T)^mu reaches the last change at T'."""
    limit, since = constrained_l1(rows, weights, lam)
    kept = rows[:, limit != 0]
    rank = len(_row_basis(rows)[0])
    curvature = float(np.linalg.eigvalsh(kept @ kept.T)[-rank])
    share = (since / lam) ** (1 / exponent)
    return Settled(time * curvature, time * (1 - share) * curvature)


def stuck_lasso_loss(rows: np.ndarray, weights: np.ndarray, penalty: float) -> float:
    """1/2 p^2 xi^T H^+ xi at the minimiser of 1/2 |X (w - a)|^2 + p |w|_1, xi its subgradient.

    xi = X^T theta with the projection theta of X a / p on {theta : |X^T theta| <= 1}, a least
    distance problem that non-negative least squares solve (Lawson and Hanson, chapter 23).
    """
    from scipy.optimize import nnls

    far = rows @ weights / penalty
    walls = np.vstack([-rows.T, rows.T])
    size = np.linalg.norm(far)
    system = np.vstack([walls.T, (-walls @ far - 1) / size])
    goal = np.append(np.zeros(len(rows)), 1.0)
    residual = system @ nnls(system, goal)[0] - goal
    theta = far - size * residual[:-1] / residual[-1]
    return float(0.5 * penalty**2 * np.sum(theta**2))


def lasso_loss_at_signs(rows: np.ndarray, weights: np.ndarray, penalty: float) -> float:
    """1/2 p^2 xi^T H^+ xi for xi = sign(a): without any zero."""
    signs = np.sign(weights)
    return float(0.5 * penalty**2 * np.sum((np.linalg.pinv(rows.T, rcond=1e-8) @ signs) ** 2))


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
