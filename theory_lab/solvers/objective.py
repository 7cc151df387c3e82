"""The objective f(U) = F(U U^T) + lam * R_beta(U), with its gradient and Hessian, for many runs.

A batch of B runs is one array (B, d, k). Array API: all is computed where the runs are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

from array_api_compat import array_namespace

from theory_lab.numerics.arrays import like
from theory_lab.numerics.inner_products import column_products
from theory_lab.solvers.regulariser import (
    Array,
    penalty,
    penalty_bend,
    penalty_slope,
    squared_norms,
)


class Loss(Protocol):
    """A quadratic function F of symmetric matrices X: (B, d, d), one per run."""

    def value(self, X: Array) -> Array:
        """F(X): (B, d, d) -> (B,)."""

    def gradient(self, X: Array) -> Array:
        """The symmetric gradient of F at X: (B, d, d) -> (B, d, d); it may overwrite X."""

    def hessian(self, W: Array) -> Array:
        """The (constant) Hessian of F applied to symmetric W: (B, d, d) -> (B, d, d)."""

    def take(self, rows: Array) -> Self:
        """The losses of the runs `rows` (indices into the batch)."""


def transposed(U: Array) -> Array:
    """The transpose of every matrix of a stack."""
    return U.mT


@dataclass(frozen=True)
class Objective:
    """f(U) = F(U U^T) + lam sum_i psi(|u_i|^2) for runs U: (B, d, k); `lam`, `beta`: (B, 1)."""

    loss: Loss
    lam: Array
    beta: Array

    @classmethod
    def of(cls, loss: Loss, U: Array, lam: float | Array, beta: float | Array) -> Self:
        """The objective for runs like U (B, d, k); `lam` and `beta` are numbers or (B,) of numpy."""
        return cls(loss, per_run(lam, U)[:, None], per_run(beta, U)[:, None])

    def take(self, rows: Array) -> Objective:
        """The objectives of the runs `rows`."""
        return Objective(self.loss.take(rows), self.lam[rows], self.beta[rows])

    def value(self, U: Array) -> Array:
        """f(U): (B,)."""
        s = squared_norms(U)
        return self.loss.value(U @ transposed(U)) + (self.lam * penalty(s, self.beta)).sum(-1)

    def gradient(self, U: Array) -> Array:
        """2 F'(U U^T) U + 2 lam U diag(psi'(|u_i|^2)): (B, d, k)."""
        weight = self.lam * penalty_slope(squared_norms(U), self.beta)
        return 2 * (self.loss.gradient(U @ transposed(U)) @ U + U * weight[:, None, :])

    def curvature_at(self, U: Array) -> HessianAt:
        """The Hessian at U as a linear map on directions V: (B, d, k)."""
        s = squared_norms(U)
        return HessianAt(
            self.loss,
            U,
            self.loss.gradient(U @ transposed(U)),
            2 * self.lam * penalty_slope(s, self.beta),
            4 * self.lam * penalty_bend(s, self.beta),
        )


@dataclass(frozen=True)
class HessianAt:
    """H[V] = 2 F''[W] U + 2 F'(X) V + V diag(a) + U diag(b_i <u_i, v_i>), W = V U^T + U V^T.

    `slope` = F'(X): (B, d, d); `weights` a = 2 lam psi' and `bends` b = 4 lam psi'': (B, k).
    """

    loss: Loss
    U: Array
    slope: Array
    weights: Array
    bends: Array

    def __call__(self, V: Array) -> Array:
        """The Hessian applied to V: (B, d, k) -> (B, d, k)."""
        W = V @ transposed(self.U)
        W = W + transposed(W)
        radial = self.bends * column_products(self.U, V)
        bent = 2 * (self.loss.hessian(W) @ self.U + self.slope @ V)
        return bent + V * self.weights[:, None, :] + self.U * radial[:, None, :]

    def take(self, rows: Array) -> HessianAt:
        """The Hessians of the runs `rows`."""
        parts = (self.U, self.slope, self.weights, self.bends)
        return HessianAt(self.loss.take(rows), *(part[rows] for part in parts))


def per_run(number: float | Array, U: Array) -> Array:
    """A number, or one for each run (B,) of numpy, as an array (B,) where the runs U are."""
    numbers = array_namespace(U).broadcast_to(like(number, U), (len(U),))
    return like(numbers, U)
