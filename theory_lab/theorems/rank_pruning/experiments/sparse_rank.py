"""Structural ranks of sparse random square matrices."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from theory_lab.core import Experiment
from theory_lab.core.checks import BadParameter, at_least, positive
from theory_lab.core.parameters import Params
from theory_lab.core.seeds import Stream
from theory_lab.numerics.matching import matched_rows


def draw_sparse(
    c: Annotated[float, positive],
    n: Annotated[int, at_least(1)] = 4000,
    draws: Annotated[int, at_least(1)] = 200,
    *,
    rng: Stream,
) -> dict[str, Any]:
    """`draws` patterns (n, n), each entry kept with probability c / n."""
    return dict(_patterns=[_pattern(rng, n, c / n) for _ in range(draws)], n=n)


def draw_threshold(
    n: Annotated[int, at_least(2)],
    w: float,
    draws: Annotated[int, at_least(1)] = 5000,
    *,
    rng: Stream,
) -> dict[str, Any]:
    """`draws` patterns (n, n), each entry kept with probability (log n + w) / n."""
    p = (np.log(n) + w) / n
    return dict(_patterns=[_pattern(rng, n, p) for _ in range(draws)], n=n)


def _pattern(rng: np.random.Generator, n: int, p: float) -> np.ndarray:
    """Flat places of the kept entries: a binomial number of them, without repetition."""
    count = rng.binomial(n * n, p)
    return rng.choice(n * n, count, replace=False, shuffle=False)


def run_sparse(problem: dict[str, Any], *, rng: Stream) -> dict[str, Any]:
    """`ratio` (draws,): structural rank over n."""
    n = problem["n"]
    return dict(ratio=np.array([_rank(places, n) / n for places in problem["_patterns"]]))


def run_threshold(problem: dict[str, Any], *, rng: Stream) -> dict[str, Any]:
    """`full` (draws,): whether the structural rank is n."""
    n = problem["n"]
    full = [
        _has_no_empty_line(places, n) and _rank(places, n) == n for places in problem["_patterns"]
    ]
    return dict(full=np.array(full, dtype=np.uint8))


def _has_no_empty_line(places: np.ndarray, n: int) -> bool:
    """Necessary for full rank, and much cheaper than a matching."""
    return all(np.bincount(line, minlength=n).all() for line in (places // n, places % n))


def _rank(places: np.ndarray, n: int) -> int:
    from scipy.sparse import csr_matrix

    places = np.sort(places)
    starts = np.searchsorted(places, np.arange(0, n * n + 1, n))
    graph = csr_matrix((np.ones(len(places), dtype=bool), places % n, starts), shape=(n, n))
    return int(np.sum(matched_rows(graph)))


def check_probability(params: Params) -> None:
    """(log n + w) / n is a probability."""
    n, w = params["n"], params["w"]
    if not 0 < np.log(n) + w <= n:
        raise BadParameter(
            f"w is {w!r}, but log n + w must be above 0 and at most n = {n}; it is {np.log(n) + w:.3g}."
        )


def check_mean(params: Params) -> None:
    """c / n is a probability."""
    if params["c"] > params["n"]:
        raise BadParameter(
            f"c is {params['c']!r}, but a row has only n = {params['n']} entries; lower c."
        )


SPARSE_RANK = Experiment(
    "rank_pruning.sparse_random_rank", draw_sparse, run_sparse, checks=(check_mean,)
)
FULL_RANK = Experiment(
    "rank_pruning.full_rank", draw_threshold, run_threshold, checks=(check_probability,)
)
