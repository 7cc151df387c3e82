"""The rule that chooses k: the tail nearest to eps."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from theory_lab.core import Experiment
from theory_lab.core.checks import at_least, one_of, positive
from theory_lab.core.seeds import Stream
from theory_lab.numerics.spectra import energy_rank, squared_singular_values
from theory_lab.theorems.rank_pruning.experiments.matrices import KINDS, check_tied, make_matrix

RULES = ("energy", "fixed")


def draw(
    m: Annotated[int, at_least(1)],
    n: Annotated[int, at_least(1)],
    kind: Annotated[str, one_of(KINDS)] = "gaussian",
    decay: float = 0.7,
    runs: Annotated[int, at_least(1)] = 20,
    *,
    rng: Stream,
) -> dict[str, Any]:
    """W (runs, m, n)."""
    return dict(W=np.array([make_matrix(rng, m, n, kind, decay) for _ in range(runs)]))


def run(
    problem: dict[str, Any],
    *,
    eps: Annotated[float, positive],
    rule: Annotated[str, one_of(RULES)] = "energy",
    rng: Stream,
) -> dict[str, Any]:
    """For each matrix the `chosen` k (half of the spectrum under the fixed rule), and the
    `deviation` |tau - eps| of its tail."""
    chosen, deviation = [], []
    for W in problem["W"]:
        squares = squared_singular_values(W)
        k = energy_rank(squares, eps) if rule == "energy" else len(squares) // 2
        chosen.append(k)
        deviation.append(abs(squares[k:].sum() - eps))
    return dict(chosen=np.array(chosen), deviation=np.array(deviation))


ENERGY_RULE = Experiment("rank_pruning.energy_rule", draw, run, checks=(check_tied,))
