"""How far below the window the one-group point stays stationary for a penalty q."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

SCAN = 200


def power_slope(a: Any, exponent: float) -> Any:
    """p a^(p-1), infinite at 0 for p < 1."""
    with np.errstate(divide="ignore"):
        return exponent * np.power(np.asarray(a, dtype=float), exponent - 1)


def exponential_mask_slope(a: Any) -> Any:
    """W(2 a^2) / a for Lemma 2.1's q."""
    from scipy.special import lambertw

    a = np.asarray(a, dtype=float)
    return np.where(a > 0, lambertw(2 * a * a).real / np.where(a > 0, a, 1.0), 0.0)


SLOPES: dict[str, Callable[[Any], Any]] = {
    "abs": lambda a: np.ones_like(np.asarray(a, dtype=float)),
    "log": lambda a: 1 / (1 + np.asarray(a, dtype=float)),
    "bounded": lambda a: (1 + np.asarray(a, dtype=float)) ** -2.0,
    "exp": np.exp,
    "square": lambda a: 2 * np.asarray(a, dtype=float),
    "exp_mask": exponential_mask_slope,
    "sqrt": lambda a: power_slope(a, 0.5),
    "two_thirds": lambda a: power_slope(a, 2 / 3),
}
"""q'(a): with q'(0) = 0 the point is not stable anywhere below tau, with q'(0) infinite everywhere."""


def one_group_path(gram: np.ndarray, pull: np.ndarray, lam: float) -> np.ndarray:
    """b_1(lam) = (G + lam/|b| I)^-1 c for squares: gram G (d, d), pull c = X_1^T y (d,)."""
    from scipy.optimize import brentq

    if np.linalg.norm(pull) <= lam:
        return np.zeros_like(pull)
    values, axes = np.linalg.eigh(gram)
    turned = axes.T @ pull

    def excess(radius: float) -> float:
        return float(np.linalg.norm(turned / (values * radius + lam))) - 1

    longest = np.linalg.norm(pull) / values[0]
    radius = brentq(excess, 0.0, longest, xtol=1e-15 * longest, rtol=1e-14)
    return axes @ (turned * radius / (values * radius + lam))


def breaking_point(
    gram: np.ndarray, pull: np.ndarray, sizes: tuple[int, ...], q: str, with_slope: bool = True
) -> float:
    """The largest lam below tau with max_j |grad_j L(b_1)| = lam q'(0) / q'(|b_1|).

    Without the slopes of q it is lam2, the end of the window. 0 if there is none.
    """
    from scipy.optimize import brentq

    ends = np.cumsum(sizes)
    groups = [np.arange(end - size, end) for size, end in zip(sizes, ends, strict=True)]
    norms = [float(np.linalg.norm(pull[group])) for group in groups]
    first = int(np.argmax(norms))
    own = groups[first]

    def slack(lam: float) -> float:
        b = one_group_path(gram[np.ix_(own, own)], pull[own], lam)
        ratio = 1.0
        if with_slope:
            ratio = float(SLOPES[q](0.0) / SLOPES[q](np.linalg.norm(b)))
        left = pull - gram[:, own] @ b
        others = [np.linalg.norm(left[g]) for i, g in enumerate(groups) if i != first]
        return lam * ratio - float(max(others))

    lams = np.linspace(norms[first] * (1 - 1e-9), norms[first] * 1e-3, SCAN)
    found = next((i for i, lam in enumerate(lams) if slack(float(lam)) < 0), None)
    if found is None:
        return 0.0
    return float(brentq(slack, lams[found], lams[max(found - 1, 0)])) if found else float(lams[0])
