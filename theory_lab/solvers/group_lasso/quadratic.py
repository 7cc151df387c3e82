"""Group LASSO of a quadratic in Gram form: block sweeps find the groups, Newton finishes.

min_b 1/2 b^T H b - c^T b + lam sum_g |b_g|,   groups contiguous in b
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

MOST_ROUNDS, NEWTON_STEPS, HALVINGS = 1000, 12, 30


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

    A step is halved until the objective falls. A group that it would take through 0 ends at 0: then
    the sweep that follows decides which groups stay.
    """
    norms = q.norms(b)
    index = np.flatnonzero(((norms > 0) | (q.lams == 0))[q.group_of])
    if not index.size:
        return
    groups = q.group_of[index]
    H, pairs = q.H.take(index, 0).take(index, 1), _pairs(groups)
    for _ in range(NEWTON_STEPS):
        size = np.where(norms > 0, norms, 1.0)[groups]
        scale, unit = q.lams[groups] / size, b[index] / size
        left = product[index] - q.c[index] + scale * b[index]
        if np.max(np.abs(left)) <= 0.1 * tol:
            return
        curvature = H.copy()
        curvature[pairs] -= (scale * unit)[pairs[0]] * unit[pairs[1]]
        curvature.flat[:: index.size + 1] += scale
        step = np.zeros_like(b)
        step[index] = _solve(curvature, -left)
        turned = _stop_at_zero(q, b, step, norms)
        if not _move(q, b, product, step, left @ step[index]) or turned:
            return
        norms = q.norms(b)


def _pairs(groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the entries in the diagonal blocks of sorted group numbers."""
    starts = np.searchsorted(groups, groups)
    sizes = np.searchsorted(groups, groups, "right") - starts
    first = np.repeat(np.arange(groups.size), sizes)
    offsets = np.arange(first.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return first, starts[first] + offsets


def _stop_at_zero(q: Quadratic, b: np.ndarray, step: np.ndarray, norms: np.ndarray) -> bool:
    """Groups that would turn round, <b_g, b_g + step_g> < 0, end at 0; whether there were any."""
    turns = (np.add.reduceat(b * step, q.starts) < -norms * norms) & (q.lams > 0)
    if turns.any():
        inside = turns[q.group_of]
        step[inside] = -b[inside]
    return bool(turns.any())


def _solve(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Cholesky; where it fails, with the diagonal raised by rounding (then only descent is sure)."""
    from scipy.linalg.lapack import dposv

    _, x, info = dposv(matrix.T, right, lower=1)
    lift = 1e-14
    while info:
        lifted = matrix + np.eye(len(right)) * (lift * np.trace(matrix))
        _, x, info = dposv(lifted, right)
        lift *= 100
    return x


def _move(q: Quadratic, b: np.ndarray, product: np.ndarray, step: np.ndarray, slope: float) -> bool:
    """The longest of the halved steps that lowers the objective; whether there was one."""
    along = q.H @ step
    linear, square = (product - q.c) @ step, along @ step
    norms, start = q.norms(b), b.copy()
    before = q.lams @ norms
    rounding = 1e-15 * (abs(before) + abs(q.c @ b))
    t = 1.0
    for _ in range(HALVINGS):
        np.multiply(step, t, out=b)
        b += start
        change = t * linear + 0.5 * t * t * square + q.lams @ q.norms(b) - before
        if change <= 1e-4 * t * min(slope, 0.0) + rounding:
            product += t * along
            return True
        t *= 0.5
    b[:] = start
    return False
