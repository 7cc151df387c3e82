"""Matrices of rank k that compete to be near W."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from theory_lab.core import Experiment
from theory_lab.core.checks import at_least, one_of, positive
from theory_lab.core.seeds import Stream
from theory_lab.theorems.rank_pruning.experiments.matrices import (
    KINDS,
    check_rank,
    check_tied,
    make_matrix,
)


def draw(
    m: Annotated[int, at_least(1)],
    n: Annotated[int, at_least(1)],
    kind: Annotated[str, one_of(KINDS)] = "gaussian",
    size: Annotated[float, positive] = 1.0,
    *,
    rng: Stream,
) -> dict[str, Any]:
    """W (m, n) with entries of the given size."""
    return dict(W=size * make_matrix(rng, m, n, kind))


def run(
    problem: dict[str, Any],
    *,
    k: Annotated[int, at_least(1)],
    tries: Annotated[int, at_least(1)] = 40,
    sweeps: Annotated[int, at_least(1)] = 60,
    rng: Stream,
) -> dict[str, Any]:
    """|W - X|_F^2 of matrices X of rank k: `truncated`, the k leading singular components;
    `distances` (4, tries): B C with random B, scaled to be nearest; random B with the best C; after
    `sweeps` of alternating least squares from there; the truncated one with B slightly changed.
    `least` (4,) of each kind.
    """
    W, search = problem["W"], rng.named("search")
    m, n = W.shape
    U, s, Vt = np.linalg.svd(W, full_matrices=False)
    left, right = U[:, :k] * s[:k], Vt[:k]
    B, C = search.standard_normal((tries, m, k)), search.standard_normal((tries, k, n))
    X = B @ C
    X *= np.sum(X * W, axis=(1, 2), keepdims=True) / np.sum(X * X, axis=(1, 2), keepdims=True)
    completed = _completion(W, B)
    size = 1e-3 * np.linalg.norm(W) / np.sqrt(m * k)
    bent = left + size * search.standard_normal(B.shape)
    competitors = [X, B @ completed, _alternate(W, completed, sweeps), bent @ right]
    distances = np.array([_squared(W - X) for X in competitors])
    return dict(
        truncated=_squared(W - left @ right), distances=distances, least=distances.min(axis=1)
    )


def _squared(difference: np.ndarray) -> np.ndarray:
    return np.sum(difference**2, axis=(-2, -1))


def _completion(W: np.ndarray, B: np.ndarray) -> np.ndarray:
    """C (…, k, n) with |W - B C|_F least: through an orthonormal basis of the columns of B."""
    Q, R = np.linalg.qr(B)
    return np.linalg.solve(R, np.swapaxes(Q, -1, -2) @ W)


def _alternate(W: np.ndarray, C: np.ndarray, sweeps: int) -> np.ndarray:
    """X = B C after `sweeps` of least squares for B at fixed C and for C at fixed B.

    Each half-sweep is a projection of W; bases are re-orthonormalised, which changes no X.
    """
    for _ in range(sweeps):
        rows = np.linalg.qr(np.swapaxes(C, -1, -2))[0]
        columns = np.linalg.qr(W @ rows)[0]
        C = np.swapaxes(columns, -1, -2) @ W
    return columns @ C


LOW_RANK = Experiment("rank_pruning.low_rank", draw, run, checks=(check_rank, check_tied))
