"""The smallest Hessian eigenvalue of many runs by Lanczos, with the residual as its error.

Full reorthogonalisation, so that repeated eigenvalues and early invariant subspaces (there are
few distinct eigenvalues at a stationary point) do no harm. Array API.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from array_api_compat import array_namespace, device

from theory_lab.numerics.inner_products import matrix_products
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
    xp, size = array_namespace(start), math.prod(start.shape[1:])
    vectors, rows = xp.empty_like(start), xp.arange(len(start), device=device(start))
    krylov = _Krylov(hessian, start, min(steps, size))
    while len(rows):
        krylov.extend()
        if not krylov.due():
            continue
        ritz, residual = krylov.smallest()
        done = (residual <= tol / 2) | krylov.is_exhausted()
        vectors[rows[done]] = ritz[done]
        rows, krylov = rows[~done], krylov.take(xp.nonzero(~done)[0])
    image = hessian(vectors)
    value = matrix_products(vectors, image)
    difference = image - value[:, None, None] * vectors
    return Curvature(value, matrix_products(difference, difference) ** 0.5)


class _Krylov:
    """Orthonormal bases (B, steps + 1, d k) with their tridiagonal projections."""

    def __init__(self, hessian: HessianAt, start: Array, steps: int) -> None:
        self.hessian, self.shape, self.steps, self.size = hessian, start.shape[1:], steps, 0
        flat, xp = start.reshape(len(start), -1), array_namespace(start)
        self._xp = xp
        place = dict(dtype=start.dtype, device=device(start))
        self.basis = xp.zeros((len(flat), steps + 1, flat.shape[1]), **place)
        self.basis[:, 0] = _unit(flat)
        self.diagonal, self.coupling = (xp.zeros((len(flat), steps), **place) for _ in range(2))

    def extend(self) -> None:
        """One product with the Hessian, orthogonalised twice against the basis."""
        at, self.size = self.size, self.size + 1
        new = self.hessian(self.basis[:, at].reshape(-1, *self.shape)).reshape(len(self.basis), -1)
        vecdot = self._xp.vecdot
        self.diagonal[:, at] = vecdot(self.basis[:, at], new)
        known = self.basis[:, : self.size]
        for _ in range(2):
            overlap = known @ new[:, :, None]
            new = new - (overlap.mT @ known)[:, 0]
        norm = vecdot(new, new) ** 0.5
        self.coupling[:, at] = norm
        self.basis[:, self.size] = new / (norm + (norm == 0))[:, None]

    def due(self) -> bool:
        """Whether it is time to look: from time to time, at the end, or at an invariant space."""
        if self.size % CHECK_EVERY == 0 or self.is_exhausted():
            return True
        return bool(self.coupling[:, self.size - 1].min() < 1e-11)

    def is_exhausted(self) -> bool:
        """Whether no further product is allowed."""
        return self.size == self.steps

    def smallest(self) -> tuple[Array, Array]:
        """Ritz vectors (B, d, k) of the smallest Ritz values, and their residuals (B,)."""
        m = self.size
        xp, place = self._xp, device(self.basis)
        i = xp.arange(m, device=place)
        T = xp.zeros((len(self.basis), m, m), dtype=self.basis.dtype, device=place)
        T[:, i, i] = self.diagonal[:, :m]
        T[:, i[1:], i[:-1]] = self.coupling[:, : m - 1]
        weights = xp.linalg.eigh(T)[1][:, :, 0]
        residual = xp.abs(self.coupling[:, m - 1] * weights[:, -1])
        flat = (weights[:, None, :] @ self.basis[:, :m])[:, 0]
        return _unit(flat).reshape(-1, *self.shape), residual

    def take(self, rows: Array) -> _Krylov:
        """The bases of the runs `rows`."""
        smaller = object.__new__(_Krylov)
        smaller.hessian, smaller.shape = self.hessian.take(rows), self.shape
        smaller.steps, smaller.size, smaller._xp = self.steps, self.size, self._xp
        shape = (len(rows), *self.basis.shape[1:])
        smaller.basis = self._xp.zeros(shape, dtype=self.basis.dtype, device=device(self.basis))
        smaller.basis[:, : self.size + 1] = self.basis[rows, : self.size + 1]
        smaller.diagonal, smaller.coupling = self.diagonal[rows], self.coupling[rows]
        return smaller


def _unit(flat: Array) -> Array:
    """Rows (B, n) over their norms."""
    return flat / array_namespace(flat).linalg.vector_norm(flat, axis=1, keepdims=True)
