"""Four ranks of one pruned matrix: stable, exact, structural, and what empty lines leave."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from theory_lab.core import Experiment, Measurement
from theory_lab.core.checks import at_least, at_most, one_of, positive
from theory_lab.core.seeds import Stream
from theory_lab.numerics.matching import structural_rank
from theory_lab.theorems.rank_pruning.experiments.matrices import (
    magnitude_mask,
    make_matrix,
    random_mask,
)

SURELY_NOT_ZERO, SURELY_ZERO = 1e-8, 1e-13
"""Singular values relative to the largest; one in between is not counted either way."""

VALUES = ("gaussian", "student", "decaying", "constant block", "outer product")
MASKS = ("random", "magnitude", "diagonal")


def draw(
    m: Annotated[int, at_least(1)],
    n: Annotated[int, at_least(1)],
    density: Annotated[float, positive, at_most(1)],
    values: Annotated[str, one_of(VALUES)] = "gaussian",
    mask: Annotated[str, one_of(MASKS)] = "random",
    *,
    rng: Stream,
) -> dict[str, Any]:
    """W (m, n), pruned to the density: at random, by magnitude, or to a diagonal of ±1 with that
    share of it kept. A constant block is a square of ones of the density's area."""
    if mask == "diagonal":
        ones = np.where(np.arange(min(m, n)) < density * min(m, n), 1.0, 0.0)
        W = np.zeros((m, n))
        np.fill_diagonal(W, ones * rng.choice([-1.0, 1.0], len(ones)))
    elif values == "constant block":
        side = max(2, round((density * m * n) ** 0.5))
        W = np.zeros((m, n))
        W[:side, :side] = 1.0
    else:
        W = _values(rng, m, n, values)
        W = W * (
            random_mask(rng, m, n, density) if mask == "random" else magnitude_mask(W, density)
        )
    return dict(W=W, values=values)


def _values(rng: np.random.Generator, m: int, n: int, values: str) -> np.ndarray:
    if values == "outer product":
        return np.outer(rng.standard_normal(m), rng.standard_normal(n))
    return make_matrix(rng, m, n, values)


def run(problem: dict[str, Any], *, rng: Stream) -> dict[str, Any]:
    """`stable`, `exact` (an enclosure: singular values above 1e-8 and above 1e-13 of the largest),
    `structural` by maximum matching, and all three as `chain`."""
    W = problem["W"]
    s = np.linalg.svd(W, compute_uv=False)
    exact = numerical_rank(s)
    stable, structural = np.sum(s**2) / s[0] ** 2, structural_rank(W != 0)
    chain = Measurement.certified([stable, exact.low, structural], [stable, exact.high, structural])
    return dict(exact=exact, structural=structural, chain=chain)


def numerical_rank(s: np.ndarray) -> Measurement:
    """How many singular values `s` (r,) are not zero."""
    counts = [np.sum(s > share * s[0]) for share in (SURELY_NOT_ZERO, SURELY_ZERO)]
    return Measurement.certified(*counts)


RANK_CHAIN = Experiment("rank_pruning.rank_chain", draw, run)
