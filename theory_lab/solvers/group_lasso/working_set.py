"""The Group LASSO by working sets: solve on few groups, look at all, add the worst, certify.

On the working set the loss is replaced by its quadratic (for squares it is one) and minimised in
Gram form; other losses repeat this with a line search. A pass over all features is made only to
look for violations and for the gap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from theory_lab.core.errors import UsageError
from theory_lab.solvers.group_lasso.problem import Problem
from theory_lab.solvers.group_lasso.quadratic import Quadratic, minimise, residual

FIRST_GROUPS, FIRST_RESIDUAL = 16, 0.1
MOST_PASSES, MOST_MODELS = 60, 60
ROUNDING = 4 * np.finfo(float).eps


class Solution(NamedTuple):
    """`coefficients` B: (d, K) with `objective` - minimum <= `gap`; `gradient_norms` |grad_g L(B)|
    (t,); `lower_bound` on the minimum. `converged`: the gap is within the tolerance asked for."""

    coefficients: np.ndarray
    objective: float
    lower_bound: float
    gap: float
    gradient_norms: np.ndarray
    converged: bool


def solve(
    problem: Problem, lam: float, *, tol: float = 1e-12, start: np.ndarray | None = None
) -> Solution:
    """A minimiser with duality gap at most tol |L(0)| (not below rounding), from the start (d, K)
    (default 0).

    UsageError unless lam > 0 is finite, and for a design or response that is not finite.
    """
    if not (np.isfinite(lam) and lam > 0):
        raise UsageError(f"lam is {lam!r}, but it must be a finite number greater than 0.")
    X, loss = problem.X, problem.loss
    B = np.zeros((X.shape[1], loss.shape[1])) if start is None else start.astype(float)
    Z = X @ B if start is not None else np.zeros(loss.shape)
    slope = loss.slope(Z)
    gradient = X.T @ slope
    if not np.all(np.isfinite(gradient)):
        raise UsageError("The design or the response is not finite; remove NaN and infinities.")
    size = max(abs(loss.value(np.zeros(loss.shape))), np.finfo(float).tiny)
    kkt = FIRST_RESIDUAL * lam
    working = np.flatnonzero((problem.norms(B) > 0) | ~problem.penalised)
    face: _Face | None = None
    best: Solution | None = None
    for _ in range(MOST_PASSES):
        norms = problem.norms(gradient + problem.ridge * B)
        before, working = working, _grown(problem, working, norms, lam)
        if before.size == working.size:
            kkt = max(min(1e-5 * kkt, np.sqrt(tol) * lam), 1e-15 * lam)
        if working.size:
            if face is None or face.working.size < working.size:
                face = _Face.of(problem, lam, working)
            B, Z = face.minimise(B, kkt)
        slope = loss.slope(Z)
        gradient = X.T @ slope
        found = _certified(problem, lam, B, Z, slope, gradient, size, tol)
        if best is None or found.gap < best.gap:
            best = found
        elif _settled(found, best, problem, lam):
            break
        if best.converged:
            break
    assert best is not None
    return best


def _settled(found: Solution, best: Solution, problem: Problem, lam: float) -> bool:
    """Whether no group asks to enter, so that what is left of the gap is rounding."""
    inactive = problem.penalised & (problem.norms(found.coefficients) == 0)
    return bool(np.all(found.gradient_norms[inactive] <= lam * (1 + 1e-13)))


def _grown(problem: Problem, working: np.ndarray, norms: np.ndarray, lam: float) -> np.ndarray:
    """The working set with the groups that violate KKT most, at most as many as it has."""
    asking = problem.penalised & (norms > lam)
    asking[working] = False
    news = np.flatnonzero(asking)
    most = max(FIRST_GROUPS, working.size)
    if news.size > most:
        news = news[np.argpartition(-norms[news], most)[:most]]
    return np.union1d(working, news)


@dataclass(eq=False)
class _Face:
    """The problem on the groups `working`, with the other groups at 0."""

    problem: Problem
    working: np.ndarray
    features: np.ndarray
    X: np.ndarray
    sizes: np.ndarray
    lams: np.ndarray
    model: Quadratic | None = None

    @classmethod
    def of(cls, problem: Problem, lam: float, working: np.ndarray) -> _Face:
        features = np.concatenate([problem.members[g] for g in working])
        sizes = problem.sizes[working] * problem.loss.shape[1]
        lams = np.where(problem.penalised[working], lam, 0.0)
        return cls(problem, working, features, problem.X.T[features].T, sizes, lams)

    def product(self, b: np.ndarray) -> np.ndarray:
        """X B for the flat coefficients b of the working groups."""
        return self.X @ b.reshape(-1, self.problem.loss.shape[1])

    def minimise(self, B: np.ndarray, kkt: float) -> tuple[np.ndarray, np.ndarray]:
        """B and Z = X B with KKT residual at most kkt on the working groups, from the start B."""
        b = B[self.features].ravel()
        b = self._squares(b, kkt) if self.problem.loss.is_quadratic else self._models(b, kkt)
        full = np.zeros_like(B)
        full[self.features] = b.reshape(-1, B.shape[1])
        return full, self.product(b)

    def _squares(self, b: np.ndarray, kkt: float) -> np.ndarray:
        if self.model is None:
            self.model = self._quadratic(np.zeros_like(b), np.zeros(self.problem.loss.shape))
        return minimise(self.model, b, kkt)

    def _quadratic(self, b: np.ndarray, Z: np.ndarray) -> Quadratic:
        H = self.problem.loss.hessian(self.X, Z)
        H[np.diag_indices_from(H)] += self.problem.ridge
        return Quadratic(H, H @ b - self._gradient(b, Z), self.sizes, self.lams)

    def _gradient(self, b: np.ndarray, Z: np.ndarray) -> np.ndarray:
        return (self.X.T @ self.problem.loss.slope(Z)).ravel() + self.problem.ridge * b

    def _models(self, b: np.ndarray, kkt: float) -> np.ndarray:
        """Quadratic models with a line search, each solved the better the closer the end is."""
        for _ in range(MOST_MODELS):
            Z = self.product(b)
            model = self._quadratic(b, Z)
            left = residual(model, b, model.H @ b)
            if left <= kkt:
                break
            precision = min(0.1 * left, left * left / float(self.lams.max(initial=left)))
            target = minimise(model, b.copy(), max(precision, 0.1 * kkt))
            moved = self._searched(model, b, Z, target - b)
            if moved is None:
                break
            b = moved
        return b

    def _searched(
        self, model: Quadratic, b: np.ndarray, Z: np.ndarray, step: np.ndarray
    ) -> np.ndarray | None:
        """The longest of the halved steps that lowers the objective; None if there is none."""
        along, penalty = self.product(step), self.lams @ model.norms(b)

        def value(t: float) -> float:
            at = b + t * step
            ridge = 0.5 * self.problem.ridge * (at @ at)
            return self.problem.loss.value(Z + t * along) + ridge + self.lams @ model.norms(at)

        before = value(0.0)
        expected = (model.H @ b - model.c) @ step + self.lams @ model.norms(b + step) - penalty
        for t in 0.5 ** np.arange(30):
            if value(t) <= before + 1e-4 * t * expected + ROUNDING * abs(before):
                return b + t * step
        return None


def _certified(
    problem: Problem, lam: float, B: np.ndarray, Z: np.ndarray, slope: np.ndarray,
    gradient: np.ndarray, size: float, tol: float,
) -> Solution:  # fmt: skip
    """The solution with its gap; `size` |L(0)| is what the sums of loss and dual round against."""
    squares = 0.5 * problem.ridge * float(np.sum(B * B))
    objective = (
        problem.loss.value(Z) + squares + lam * float(problem.norms(B)[problem.penalised].sum())
    )
    rounding = ROUNDING * (abs(objective) + size)
    bound = problem.lower_bound(slope, gradient, lam) - rounding
    gap = float(objective - bound)
    pulls = problem.norms(gradient + problem.ridge * B)
    return Solution(B, objective, bound, gap, pulls, gap <= max(tol * size, 2 * rounding))
