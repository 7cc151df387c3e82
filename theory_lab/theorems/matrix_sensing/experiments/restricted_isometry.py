"""How far n Gaussian measurements are from an isometry on matrices of low rank: a local search.

|<Z, M(Z)> - 1| over symmetric Z of rank at most m with |Z|_F = 1, M(Z) = (1/n) sum <A_i, Z> A_i.
What the search finds is attained, hence a lower bound of the restricted isometry constant.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from theory_lab.core import Experiment
from theory_lab.core.checks import BadParameter, at_least
from theory_lab.numerics.symmetric import smat, svec
from theory_lab.theorems.matrix_sensing.experiments.sensing_losses import gaussian_gram


def draw(
    d: Annotated[int, at_least(1)],
    n: Annotated[int, at_least(1)],
    ranks: Annotated[tuple[int, ...], at_least(1)],
    *,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """The Gram matrix H (D, D) of n measurements, and the ranks m to search."""
    form = gaussian_gram(rng, n, np.zeros((d, d)), 0.0)
    return {"_gram": form.gram[0], "ranks": ranks, "d": d}


def run(
    problem: dict[str, Any],
    *,
    restarts: Annotated[int, at_least(1)] = 6,
    steps: Annotated[int, at_least(0)] = 60,
    rng: Any,
) -> dict[str, Any]:
    """For each rank the largest `upper` = <Z, M(Z)> - 1 and `lower` = 1 - <Z, M(Z)> found."""
    gram, search = problem["_gram"], rng.named("search")
    start = search.standard_normal((restarts, len(gram)))
    upper, lower = np.array([_deviations(gram, start, m, steps) for m in problem["ranks"]]).T
    return {"upper": upper, "lower": lower, "half_sum": 0.5 * (upper + lower)}


def _deviations(gram: np.ndarray, start: np.ndarray, rank: int, steps: int) -> tuple[float, float]:
    """Best of the restarts `start` (R, D), searching upwards and downwards.

    The iterations use H - lambda_min I and lambda_max I - H: H itself is nearly I for large n,
    where its powers would separate nothing.
    """
    eigenvalues = np.linalg.eigvalsh(gram)
    low, high, identity = eigenvalues[0], eigenvalues[-1], np.eye(len(gram))
    above = low + _search(gram - low * identity, start, rank, steps)
    below = high - _search(high * identity - gram, start, rank, steps)
    return above - 1, 1 - below


def _search(operator: np.ndarray, z: np.ndarray, rank: int, steps: int) -> float:
    """The largest <Z, operator Z> after projected power iterations Z <- P_rank(operator Z)."""
    z = low_rank(z, rank)
    for _ in range(steps):
        z = low_rank(z @ operator, rank)
    return float(np.einsum("ri,ij,rj->r", z, operator, z, optimize=True).max())


def low_rank(z: np.ndarray, rank: int) -> np.ndarray:
    """The nearest packed matrices of rank at most `rank`, scaled to |Z|_F = 1: (R, D) -> (R, D)."""
    eigenvalues, vectors = np.linalg.eigh(smat(z))
    order = np.argsort(-np.abs(eigenvalues), axis=1)[:, :rank]
    kept = np.take_along_axis(eigenvalues, order, axis=1)
    vectors = np.take_along_axis(vectors, order[:, None, :], axis=2)
    nearest = svec((vectors * kept[:, None, :]) @ np.swapaxes(vectors, 1, 2))
    return nearest / np.linalg.norm(nearest, axis=1, keepdims=True)


def _ranks_fit(values: Any) -> None:
    if not values["ranks"] or max(values["ranks"]) > values["d"]:
        raise BadParameter(
            f"ranks is {values['ranks']!r}, but it must hold whole numbers from 1 to d = {values['d']}."
        )


RESTRICTED_ISOMETRY = Experiment("matrix_sensing.restricted_isometry", draw, run, [_ranks_fit])
