"""The population losses F(X), as quadratic functions of symmetric X: (B, d, d). Array API."""

from __future__ import annotations

from dataclasses import dataclass

from theory_lab.numerics.inner_products import matrix_products
from theory_lab.solvers.regulariser import Array


@dataclass(frozen=True)
class PopulationLoss:
    """F(X) = |X - X*|_F^2 with one target X*: (d, d), or one for each run (B, d, d)."""

    target: Array

    def value(self, X: Array) -> Array:
        """F(X): (B, d, d) -> (B,)."""
        difference = X - self.target
        return matrix_products(difference, difference)

    def gradient(self, X: Array) -> Array:
        """2 (X - X*), written over X."""
        X -= self.target
        X *= 2
        return X

    def hessian(self, W: Array) -> Array:
        """2 W."""
        return 2 * W

    def take(self, rows: Array) -> PopulationLoss:
        """The losses of the runs `rows`."""
        return self if self.target.ndim == 2 else PopulationLoss(self.target[rows])
