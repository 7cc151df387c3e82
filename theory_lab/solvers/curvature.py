"""The smallest Hessian eigenvalue of many runs by Lanczos, with the residual as its error.

Full reorthogonalisation, so that repeated eigenvalues and early invariant subspaces (there are
few distinct eigenvalues at a stationary point) do no harm. Numpy only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from theory_lab.solvers.objective import HessianAt
from theory_lab.solvers.regulariser import Array

CHECK_EVERY = 6


@dataclass(frozen=True)
class Curvature:
    """The Ritz value `value` (B,) nearest the lower end and |H v - value v| of its unit vector.

    An eigenvalue lies within `residual` of `value`; value >= lambda_min always. `lower` is the
    number to use as a lower bound of the curvature.
    """

    value: Array
    residual: Array

    @property
    def lower(self) -> Array:
        """value - residual (B,)."""
        return self.value - self.residual


def smallest_curvature(
    hessian: HessianAt, start: Array, *, tol: float = 1e-9, steps: int = 300
) -> Curvature:
    """Lanczos from random directions `start` (B, d, k) until the residual is at most `tol`.

    Stops after `steps` products at the latest; the residual says how far it came.
    """
    vectors = np.empty_like(start)
    rows, krylov = np.arange(len(start)), _Krylov(hessian, start, min(steps, start[0].size))
    while len(rows):
        krylov.extend()
        if not krylov.due():
            continue
        ritz, residual = krylov.smallest()
        done = (residual <= tol / 2) | krylov.exhausted()
        vectors[rows[done]] = ritz[done]
        rows, krylov = rows[~done], krylov.take(np.flatnonzero(~done))
    image = hessian(vectors)
    value = np.einsum("bij,bij->b", vectors, image)
    difference = image - value[:, None, None] * vectors
    return Curvature(value, np.sqrt(np.einsum("bij,bij->b", difference, difference)))


class _Krylov:
    """Orthonormal bases (B, steps + 1, d k) with their tridiagonal projections."""

    def __init__(self, hessian: HessianAt, start: Array, steps: int) -> None:
        self.hessian, self.shape, self.steps, self.size = hessian, start.shape[1:], steps, 0
        flat = start.reshape(len(start), -1)
        self.basis = np.zeros((len(flat), steps + 1, flat.shape[1]))
        self.basis[:, 0] = flat / np.linalg.norm(flat, axis=1, keepdims=True)
        self.diagonal, self.coupling = np.zeros((2, len(flat), steps))

    def extend(self) -> None:
        """One product with the Hessian, orthogonalised twice against the basis."""
        at, self.size = self.size, self.size + 1
        new = self.hessian(self.basis[:, at].reshape(-1, *self.shape)).reshape(len(self.basis), -1)
        self.diagonal[:, at] = np.einsum("bn,bn->b", self.basis[:, at], new)
        known = self.basis[:, : self.size]
        for _ in range(2):
            overlap = known @ new[:, :, None]
            new = new - (np.swapaxes(overlap, 1, 2) @ known)[:, 0]
        self.coupling[:, at] = np.linalg.norm(new, axis=1)
        scale = np.maximum(self.coupling[:, at], np.finfo(float).tiny)
        self.basis[:, self.size] = new / scale[:, None]

    def due(self) -> bool:
        """Whether it is time to look: from time to time, at the end, or at an invariant space."""
        closed = self.coupling[:, self.size - 1].min() < 1e-11
        return self.size % CHECK_EVERY == 0 or self.size == self.steps or closed

    def exhausted(self) -> bool:
        """Whether no further product is allowed."""
        return self.size == self.steps

    def smallest(self) -> tuple[Array, Array]:
        """Ritz vectors (B, d, k) of the smallest Ritz values, and their residuals (B,)."""
        m = self.size
        T = np.zeros((len(self.basis), m, m))
        T[:, range(m), range(m)] = self.diagonal[:, :m]
        T[:, range(1, m), range(m - 1)] = self.coupling[:, : m - 1]
        weights = np.linalg.eigh(T)[1][:, :, 0]
        residual = np.abs(self.coupling[:, m - 1] * weights[:, -1])
        flat = (weights[:, None, :] @ self.basis[:, :m])[:, 0]
        unit = flat / np.linalg.norm(flat, axis=1, keepdims=True)
        return unit.reshape(-1, *self.shape), residual

    def take(self, rows: Array) -> _Krylov:
        """The bases of the runs `rows`."""
        smaller = object.__new__(_Krylov)
        smaller.hessian, smaller.shape = self.hessian.take(rows), self.shape
        smaller.steps, smaller.size = self.steps, self.size
        smaller.basis = np.zeros((len(rows), *self.basis.shape[1:]))
        smaller.basis[:, : self.size + 1] = self.basis[rows, : self.size + 1]
        smaller.diagonal, smaller.coupling = self.diagonal[rows], self.coupling[rows]
        return smaller
