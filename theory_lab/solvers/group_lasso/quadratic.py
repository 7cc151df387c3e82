"""Group LASSO of a quadratic in Gram form: block sweeps find the groups, Newton finishes.

min_b 1/2 b^T H b - c^T b + lam sum_g |b_g|,   groups contiguous in b
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

MOST_ROUNDS, NEWTON_STEPS, HALVINGS, SHRUNK = 1000, 12, 30, 0.4


@dataclass(eq=False)
class Quadratic:
    """The quadratic on contiguous groups; lam_g = lam of a group, 0 if it has no penalty."""

    H: np.ndarray
    c: np.ndarray
    sizes: np.ndarray
    lams: np.ndarray

    def __post_init__(self) -> None:
        self.ends = np.cumsum(self.sizes)
        self.starts = self.ends - self.sizes
        self.group_of = np.repeat(np.arange(len(self.sizes)), self.sizes)
        self._steps: np.ndarray | None = None

    def norms(self, b: np.ndarray) -> np.ndarray:
        return np.sqrt(np.add.reduceat(b * b, self.starts))

    @property
    def lipschitz(self) -> np.ndarray:
        """The largest eigenvalues of the diagonal blocks (t,), computed when first asked for."""
        if self._steps is None:
            blocks = [self.H[i:j, i:j] for i, j in zip(self.starts, self.ends, strict=True)]
            if np.all(self.sizes == self.sizes[0]):
                tops = np.linalg.eigvalsh(np.stack(blocks))[:, -1]
            else:
                tops = np.array([np.linalg.eigvalsh(block)[-1] for block in blocks])
            self._steps = np.where(tops > 0, tops, 1.0)
        return self._steps


def minimise(q: Quadratic, b: np.ndarray, tol: float) -> np.ndarray:
    """A minimiser from the start b, which is overwritten, with KKT residual at most tol.

    Newton waits until a sweep leaves the set of groups as it was.
    """
    product = q.H @ b
    support = q.norms(b) > 0
    for _ in range(MOST_ROUNDS):
        sweep(q, b, product)
        before, support = support, q.norms(b) > 0
        if np.array_equal(before, support):
            newton(q, b, product, tol)
        if residual(q, b, product) <= tol:
            break
    return b


def residual(q: Quadratic, b: np.ndarray, product: np.ndarray) -> float:
    """The largest violation of the KKT conditions over the groups."""
    gradient, norms = product - q.c, q.norms(b)
    active = norms > 0
    pull = np.where(active, q.lams / np.where(active, norms, 1.0), 0.0)
    left = q.norms(gradient + pull[q.group_of] * b)
    return float(np.max(left - np.where(active, 0.0, q.lams)))


def sweep(q: Quadratic, b: np.ndarray, product: np.ndarray) -> None:
    """One proximal step per group that is not 0 or wants to leave 0; b and product = H b change."""
    awake = np.flatnonzero((q.norms(b) > 0) | (q.norms(product - q.c) > q.lams)).tolist()
    starts, ends, lams, steps = (v.tolist() for v in (q.starts, q.ends, q.lams, q.lipschitz))
    for g in awake:
        at, step = slice(starts[g], ends[g]), steps[g]
        v = b[at] + (q.c[at] - product[at]) / step
        norm = math.sqrt(v @ v)
        shrink = 1 - lams[g] / (step * norm) if step * norm > lams[g] else 0.0
        change = shrink * v - b[at]
        b[at] += change
        product += change @ q.H[at]


def newton(q: Quadratic, b: np.ndarray, product: np.ndarray, tol: float) -> None:
    """Newton steps on the groups that are not 0; b and product = H b change.

    A step is halved until the objective falls. Once a group has shrunk fast, the sweep that
    follows decides whether it stays.
    """
    norms = q.norms(b)
    index = np.flatnonzero(((norms > 0) | (q.lams == 0))[q.group_of])
    if not index.size:
        return
    rows = q.H[index]
    H, groups = rows[:, index], q.group_of[index]
    first, second = np.nonzero(groups[:, None] == groups[None, :])
    diagonal = np.arange(index.size)
    for _ in range(NEWTON_STEPS):
        size = np.where(norms > 0, norms, 1.0)[groups]
        scale, unit = q.lams[groups] / size, b[index] / size
        left = product[index] - q.c[index] + scale * b[index]
        if np.max(np.abs(left)) <= 0.1 * tol:
            return
        curvature = H.copy()
        curvature[first, second] -= (scale * unit)[first] * unit[second]
        curvature[diagonal, diagonal] += scale
        step = _solve(curvature, -left)
        moved = _move(q, b, product, index, step, step @ rows, left @ step)
        before, norms = norms, q.norms(b)
        if not moved or np.any(norms < SHRUNK * before):
            return


def _solve(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Cholesky; where it fails, with the diagonal raised by rounding (then only descent is sure)."""
    from scipy.linalg.lapack import dposv

    _, x, info = dposv(matrix.T, right)
    lift = 1e-14
    while info:
        lifted = matrix + np.eye(len(right)) * (lift * np.trace(matrix))
        _, x, info = dposv(lifted, right)
        lift *= 100
    return x


def _move(
    q: Quadratic, b: np.ndarray, product: np.ndarray, index: np.ndarray,
    step: np.ndarray, along: np.ndarray, slope: float,
) -> bool:  # fmt: skip
    """The longest of the halved steps that lowers the objective; whether there was one."""
    linear = (product[index] - q.c[index]) @ step
    square = along[index] @ step
    norms, start = q.norms(b), b[index]
    before = q.lams @ norms
    rounding = 1e-15 * (abs(before) + abs(q.c @ b))
    t = 1.0
    for _ in range(HALVINGS):
        b[index] = start + t * step
        change = t * linear + 0.5 * t * t * square + q.lams @ q.norms(b) - before
        if change <= 1e-4 * t * slope + rounding:
            product += t * along
            return True
        t *= 0.5
    b[index] = start
    return False
