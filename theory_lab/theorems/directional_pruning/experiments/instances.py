"""Least-squares problems: random rows, and random cosine features of real data."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from array_api_compat import array_namespace, is_array_api_obj

from theory_lab.data.diabetes import diabetes
from theory_lab.data.digits import digits
from theory_lab.numerics.arrays import on_host

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


def without(basis: Any, vectors: Any) -> Any:
    """Vectors (..., d) less their part in the span of the basis. Array API."""
    return vectors - (vectors @ basis) @ basis.T


def score(basis: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """sign(w_j) times the j-th coordinate of sign(w) projected on the flat space."""
    signs = np.sign(weights)
    return signs * without(basis, signs)


def pruned(weights: Any, penalty: Any) -> Any:
    """The minimiser of 1/2 |w - weights|^2 + sum_j penalty_j |w_j|, penalties of either sign. Array
    API."""
    xp = array_namespace(weights)
    return xp.sign(weights) * xp.clip(xp.abs(weights) - penalty, min=0.0)


def copies(point: Any, paths: int) -> Any:
    """`paths` starts (paths, d) at the same point (d,), where it is. Array API."""
    return array_namespace(point).broadcast_to(point, (paths, *point.shape))


def problem_on_host(problem: dict[str, Any]) -> dict[str, Any]:
    """The problem in numpy, for what is worth no device: flows, a few matrices."""
    return {
        name: on_host(value) if is_array_api_obj(value) else value
        for name, value in problem.items()
    }
