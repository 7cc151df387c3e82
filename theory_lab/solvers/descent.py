"""Gradient descent on f(U) = F(U U^T) + lam * sum_i psi(|u_i|^2), many runs at once.

Runs are one array (B, d, k) and leave the batch when they are done. Alternated with the exact
align step, descent reaches gradients of 1e-10 in some hundred steps: alone it needs tens of
thousands, because turning columns inside an eigenspace is the flattest direction there is.
Array API: runs stay where the starts are; a step is 18 operations of the backend, 30 with momentum,
whatever their number and size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from array_api_compat import array_namespace, device

from theory_lab.numerics.inner_products import matrix_products
from theory_lab.solvers.objective import Loss, Objective, per_run, transposed
from theory_lab.solvers.regulariser import Array, penalty_slope, squared_norms

Until = Callable[[int, Array, Array, Array], Array]
ALIGN_EVERY = 25


@dataclass(frozen=True)
class Descent:
    """Where the runs ended: U (B, d, k), the steps each took (B,), and whether `until` held (B,)."""

    U: Array
    steps: Array
    finished: Array


def safe_step(
    largest: float | Array, lam: float | Array, beta: float | Array, curvature: float = 2.0
) -> Array:
    """1 / (4 c largest + 2 lam / sqrt(beta)): below 1 / (largest Hessian eigenvalue).

    `largest` bounds |U|_2^2 on the way, 1.3 mu_1 for small starts; `curvature` c bounds F''
    (2 for |X - X*|_F^2). Numbers, or arrays of numpy.
    """
    largest, lam, beta = np.asarray(largest), np.asarray(lam), np.asarray(beta)
    return 1 / (4 * curvature * largest + 2 * lam / np.sqrt(beta))


def align(U: Array) -> Array:
    """U V with V the eigenvectors of U^T U, largest first: same U U^T, orthogonal columns.

    R_beta never rises: the squared norms become the eigenvalues of U^T U, which majorise its
    diagonal, and psi is concave (Schur-Horn). (..., d, k) -> (..., d, k).
    """
    xp = array_namespace(U)
    _, V = xp.linalg.eigh(transposed(U) @ U)
    return U @ xp.flip(V, axis=-1)


def small_gradient(tol: float) -> Until:
    """Stop a run when |grad f|_F <= tol."""

    def until(step: int, rows: Array, U: Array, gradient: Array) -> Array:
        return matrix_products(gradient, gradient) <= tol**2

    return until


def descend(
    loss: Loss,
    U: Array,
    lam: float | Array,
    beta: float | Array,
    *,
    step: float | Array,
    steps: int,
    until: Until | None = None,
    every: int = ALIGN_EVERY,
    aligned: bool = False,
    momentum: bool = False,
) -> Descent:
    """At most `steps` steps U <- U - step * grad f(U) for each run of U: (B, d, k).

    Args:
        loss: F, for the whole batch.
        U: the starts; not changed.
        lam, beta, step: numbers or one per run (B,), of numpy.
        steps: the budget of each run.
        until: `until(t, rows, U, gradient)` says after t steps which of the runs still going
            (`rows`: their places in the batch) are done; asked every `every` steps and at the
            end. Arrays it is given are the solver's own: copy what you keep.
        every: steps between two questions (and align steps).
        aligned: make the exact align step before each question.
        momentum: Nesterov's extrapolation, restarted in a run whenever it points uphill; the
            fast way without align steps.
    """
    xp, kind = array_namespace(U), _Accelerated if momentum else _Batch
    batch = kind(Objective.of(loss, U, lam, beta), U, per_run(step, U))
    end = xp.asarray(U, copy=True)
    taken, finished = xp.full_like(batch.rows, steps), xp.zeros_like(batch.rows, dtype=xp.bool)
    for t in range(steps + 1):
        asked = t % every == 0 or t == steps
        if asked and aligned:
            batch.U[...] = align(batch.U)
        batch.evaluate()
        if asked and until is not None:
            done = until(t, batch.rows, batch.U, batch.gradient)
            if done.any():
                rows = batch.rows[done]
                end[rows], taken[rows], finished[rows] = batch.U[done], t, True
                batch = batch.without(done)
        if t < steps and len(batch.rows):
            batch.advance()
        else:
            break
    end[batch.rows] = batch.U
    return Descent(end, taken, finished)


class _Batch:
    """The runs still going, with the buffers of one step."""

    def __init__(
        self, objective: Objective, U: Array, step: Array, rows: Array | None = None
    ) -> None:
        xp, (runs, d, _) = array_namespace(U), U.shape
        self.objective, self.step = objective, step
        self.U = xp.asarray(U, copy=True)
        self.rows = xp.arange(runs, device=device(U)) if rows is None else rows
        self.gradient = xp.empty_like(self.U)
        self._work = xp.empty_like(self.U)
        self._X = xp.empty((runs, d, d), dtype=U.dtype, device=device(U))
        self._native = array_namespace(U, use_compat=False)

    def evaluate(self) -> None:
        """gradient <- 2 (F'(U U^T) U + lam U diag(psi'))."""
        at = self.objective
        self._native.matmul(self.U, transposed(self.U), out=self._X)
        self._native.matmul(at.loss.gradient(self._X), self.U, out=self.gradient)
        weight = at.lam * penalty_slope(squared_norms(self.U), at.beta)
        self._native.multiply(self.U, weight[:, None, :], out=self._work)
        self.gradient += self._work
        self.gradient *= 2

    def advance(self) -> None:
        """U <- U - step * gradient."""
        self._native.multiply(self.gradient, self.step[:, None, None], out=self._work)
        self.U -= self._work

    def without(self, done: Array) -> _Batch:
        """The batch of the other runs, at the same point with the same gradient."""
        (keep,) = array_namespace(done).nonzero(~done)
        smaller = type(self)(
            self.objective.take(keep), self.U[keep], self.step[keep], self.rows[keep]
        )
        smaller.gradient[...] = self.gradient[keep]
        return smaller


class _Accelerated(_Batch):
    """The same with momentum: `U` is the extrapolated point, `_last` the point before it."""

    def __init__(
        self, objective: Objective, U: Array, step: Array, rows: Array | None = None
    ) -> None:
        super().__init__(objective, U, step, rows)
        xp = array_namespace(U)
        self._last, self._age = xp.asarray(self.U, copy=True), xp.zeros_like(step)

    def advance(self) -> None:
        """y <- U - step * gradient, then U <- y + a / (a + 3) (y - last) at age a."""
        super().advance()
        move = self._native.subtract(self.U, self._last, out=self._work)
        is_uphill = matrix_products(self.gradient, move) > 0
        self._age = (self._age + 1) * ~is_uphill
        self._last[...] = self.U
        move *= (self._age / (self._age + 3))[:, None, None]
        self.U += move

    def without(self, done: Array) -> _Batch:
        """The other runs with their momentum."""
        smaller = super().without(done)
        assert isinstance(smaller, _Accelerated)
        smaller._last[...], smaller._age = self._last[~done], self._age[~done]
        return smaller
