"""Least-squares problems: random rows, and random cosine features of real data."""

from __future__ import annotations

import functools

import numpy as np

from theory_lab.data.diabetes import diabetes
from theory_lab.data.digits import digits

DATA = ("random", "digits", "diabetes")


def make_rows(data: str, n: int, d: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Rows X (n, d) with largest singular value 1, and labels (n,) with unit mean square.

    Real rows are features sqrt(2) cos(3 F x + b) of inputs with unit mean square, centred.
    """
    if data == "random":
        rows, labels = rng.standard_normal((n, d)), rng.standard_normal(n)
    else:
        inputs, targets = _inputs(data)
        chosen = rng.choice(len(inputs), n, replace=False)
        rows, labels = _cosines(inputs[chosen], d, rng), targets[chosen]
    labels = labels - labels.mean()
    return rows / np.linalg.norm(rows, 2), labels / np.sqrt(np.mean(labels**2))


@functools.cache
def _inputs(data: str) -> tuple[np.ndarray, np.ndarray]:
    images, numbers = digits() if data == "digits" else diabetes()
    return images.reshape(len(images), -1).astype(float), numbers.astype(float)


def _cosines(inputs: np.ndarray, d: int, rng: np.random.Generator) -> np.ndarray:
    inputs = inputs - inputs.mean(axis=0)
    inputs /= np.sqrt(np.mean(np.sum(inputs**2, axis=1)))
    frequencies = rng.standard_normal((inputs.shape[1], d))
    features = np.sqrt(2) * np.cos(3 * inputs @ frequencies + rng.uniform(0, 2 * np.pi, d))
    return features - features.mean(axis=0)


def row_space(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """An orthonormal basis (d, r) of what the rows span, and their squared singular values (r,)."""
    _, values, basis = np.linalg.svd(rows, full_matrices=False)
    kept = values > 1e-8 * values[0]
    return basis[kept].T, values[kept] ** 2


def without(basis: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Vectors (..., d) less their part in the span of the basis."""
    return vectors - (vectors @ basis) @ basis.T


def score(basis: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """sign(w_j) times the j-th coordinate of sign(w) projected on the flat space."""
    signs = np.sign(weights)
    return signs * without(basis, signs)


def pruned(weights: np.ndarray, penalty: np.ndarray) -> np.ndarray:
    """The minimiser of 1/2 |w - weights|^2 + sum_j penalty_j |w_j|, penalties of either sign."""
    return np.sign(weights) * np.maximum(np.abs(weights) - penalty, 0)
