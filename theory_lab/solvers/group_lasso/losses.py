"""Losses f(Z) of the linear predictions Z = X B: (m, K), with what certificates and Newton need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from theory_lab.core.errors import UsageError


class Loss(Protocol):
    """A convex function f of Z: (m, K)."""

    is_quadratic: bool

    @property
    def shape(self) -> tuple[int, int]:
        """(m, K)."""

    def value(self, Z: np.ndarray) -> float:
        """f(Z)."""

    def slope(self, Z: np.ndarray) -> np.ndarray:
        """grad f(Z): (m, K)."""

    def conjugate(self, U: np.ndarray) -> float:
        """f*(U) = sup_Z <U, Z> - f(Z); infinite outside of its domain."""

    def hessian(self, X: np.ndarray, Z: np.ndarray) -> np.ndarray:
        """The Hessian of B -> f(X B) at Z = X B: (d K, d K), row j K + k for entry (j, k)."""

    def curvature(self) -> float:
        """A bound on the Hessian of f."""


def _check_matrix(Y: np.ndarray) -> None:
    if np.ndim(Y) != 2:
        raise UsageError(
            f"The response has shape {np.shape(Y)}, but it must be (m, K): y[:, None]?"
        )


@dataclass(frozen=True, eq=False)
class Squares:
    """1/2 |Z - Y|^2 for responses Y: (m, K)."""

    Y: np.ndarray
    is_quadratic = True

    def __post_init__(self) -> None:
        _check_matrix(self.Y)

    @property
    def shape(self) -> tuple[int, int]:
        return self.Y.shape[0], self.Y.shape[1]

    def value(self, Z: np.ndarray) -> float:
        R = (Z - self.Y).ravel()
        return 0.5 * float(R @ R)

    def slope(self, Z: np.ndarray) -> np.ndarray:
        return Z - self.Y

    def conjugate(self, U: np.ndarray) -> float:
        U = U.ravel()
        return float(U @ (0.5 * U + self.Y.ravel()))

    def hessian(self, X: np.ndarray, Z: np.ndarray) -> np.ndarray:
        gram = X.T @ X
        return gram if self.Y.shape[1] == 1 else np.kron(gram, np.eye(self.Y.shape[1]))

    def curvature(self) -> float:
        return 1.0


def _entropy(P: np.ndarray) -> float:
    """sum p log p; infinite for a negative p."""
    if P.min() < 0:
        return np.inf
    positive = P[P > 0]
    return float(positive @ np.log(positive))


@dataclass(frozen=True, eq=False)
class Logistic:
    """sum log(1 + e^z) - y z for labels Y: (m, 1) of 0 and 1."""

    Y: np.ndarray
    is_quadratic = False

    def __post_init__(self) -> None:
        _check_matrix(self.Y)
        if self.Y.shape[1] != 1 or not np.all(np.isin(self.Y, (0, 1))):
            raise UsageError("Logistic labels must be one column of 0 and 1.")

    @property
    def shape(self) -> tuple[int, int]:
        return self.Y.shape[0], 1

    def value(self, Z: np.ndarray) -> float:
        return float(np.sum(np.logaddexp(0.0, Z) - self.Y * Z))

    def slope(self, Z: np.ndarray) -> np.ndarray:
        return _sigmoid(Z) - self.Y

    def conjugate(self, U: np.ndarray) -> float:
        P = (U + self.Y).ravel()
        return _entropy(P) + _entropy(1 - P)

    def hessian(self, X: np.ndarray, Z: np.ndarray) -> np.ndarray:
        P = _sigmoid(Z)
        return X.T @ (X * (P * (1 - P)))

    def curvature(self) -> float:
        return 0.25


def _sigmoid(Z: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0.0, -Z))


@dataclass(frozen=True, eq=False)
class Multinomial:
    """sum log(sum_k e^(z_k)) - <y, z> for one-hot labels Y: (m, K)."""

    Y: np.ndarray
    is_quadratic = False

    def __post_init__(self) -> None:
        _check_matrix(self.Y)
        if not np.all(np.isin(self.Y, (0, 1))) or np.any(self.Y.sum(axis=1) != 1):
            raise UsageError("Multinomial labels must be one-hot: a single 1 in each row.")

    @property
    def shape(self) -> tuple[int, int]:
        return self.Y.shape[0], self.Y.shape[1]

    def value(self, Z: np.ndarray) -> float:
        top = Z.max(axis=1)
        sums = np.exp(Z - top[:, None]).sum(axis=1)
        return float(np.sum(top + np.log(sums)) - np.sum(self.Y * Z))

    def slope(self, Z: np.ndarray) -> np.ndarray:
        return _softmax(Z) - self.Y

    def conjugate(self, U: np.ndarray) -> float:
        P = U + self.Y
        sums = np.abs(P.sum(axis=1) - 1).max()
        return _entropy(P.ravel()) if sums < 1e-10 else np.inf

    def hessian(self, X: np.ndarray, Z: np.ndarray) -> np.ndarray:
        P, (m, d), K = _softmax(Z), X.shape, Z.shape[1]
        weighted = (X[:, :, None] * P[:, None, :]).reshape(m, d * K)
        H = -(weighted.T @ weighted)
        blocks = H.reshape(d, K, d, K)
        for k in range(K):
            blocks[:, k, :, k] += X.T @ (X * P[:, k : k + 1])
        return H

    def curvature(self) -> float:
        return 0.5


def _softmax(Z: np.ndarray) -> np.ndarray:
    E = np.exp(Z - Z.max(axis=1, keepdims=True))
    return E / E.sum(axis=1, keepdims=True)
