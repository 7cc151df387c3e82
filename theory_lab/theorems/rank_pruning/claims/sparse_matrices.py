"""Rank and pattern: the chain of ranks, and the ranks of sparse random matrices."""

from __future__ import annotations

import math

import numpy as np

from theory_lab.core import Claim, Condition
from theory_lab.core.reduce import frequency, mean
from theory_lab.core.types import Facts
from theory_lab.theorems.rank_pruning.bounds import sparse_matrices as bounds
from theory_lab.theorems.rank_pruning.claims.sources import MATCHINGS, THRESHOLD
from theory_lab.theorems.rank_pruning.claims.sources import RANK_CHAIN as SOURCE
from theory_lab.theorems.rank_pruning.experiments.rank_chain import RANK_CHAIN as CHAIN
from theory_lab.theorems.rank_pruning.experiments.sparse_rank import FULL_RANK, SPARSE_RANK


def _upper_ends(f: Facts) -> np.ndarray:
    mask = f["W"] != 0
    return np.array([f["exact"], bounds.structural_rank(mask), bounds.least_nonzero(mask)], float)


RANK_CHAIN = Claim(
    "rank_pruning.rank_chain",
    SOURCE,
    "Stable rank <= rank <= structural rank of the mask <= rows and columns that are not empty.",
    relation="<=",
    experiment=CHAIN,
    predict=_upper_ends,
    measure="chain",
    observed=["exact"],
    tolerance=1e-12,
    rivals={
        "structural rank at most the rank": lambda f: np.minimum(
            _upper_ends(f), [np.inf, np.inf, f["exact"]]
        ),
    },
    formula="stable(W) ≤ rank(W) ≤ sprank(mask) ≤ min(#rows, #columns not empty)",
)

GENERIC_RANK = Claim(
    "rank_pruning.rank_chain.generic",
    SOURCE,
    "For values from a density, the rank is the structural rank of the mask.",
    experiment=CHAIN,
    predict=lambda f: bounds.structural_rank(f["W"] != 0),
    measure="exact",
    conditions=[
        Condition("values from a density", lambda f: f["values"] in ("gaussian", "student"))
    ],
    tolerance=1e-9,
    rivals={"rows and columns that are not empty": lambda f: bounds.least_nonzero(f["W"] != 0)},
    formula="rank(W) = sprank(mask)",
)

SPARSE_RANDOM_RANK = Claim(
    "rank_pruning.sparse_random_rank",
    MATCHINGS,
    "The structural rank of an n x n matrix with entries kept with probability c/n is n times a"
    " function of c: 2 - q - e^(-cq) - c q e^(-cq), q the least root of q = exp(-c e^(-cq)).",
    experiment=SPARSE_RANK,
    predict=lambda f: bounds.karp_sipser(f["c"]),
    measure=mean("ratio"),
    conditions=[Condition("n >= 1000", lambda f: f["n"] >= 1000)],
    tolerance=0.0095,  # the accuracy of the mean; finite n takes .004 at n = 1000 and c = 3, .0014 at 4000
    scale=1.0,
    rivals={"rows that are not empty": lambda f: 1 - math.exp(-f["c"])},
    formula="rank/n → 2 − q − e^{−cq} − cq e^{−cq},  q = exp(−c e^{−cq})",
)

FULL_RANK_THRESHOLD = Claim(
    "rank_pruning.full_rank_threshold",
    THRESHOLD,
    "At p = (log n + w)/n the structural rank is full about as often as no row and no column is"
    " empty: ((1 - (1 - p)^n)^n)^2, which tends to exp(-2 e^(-w)).",
    experiment=FULL_RANK,
    predict=lambda f: bounds.full_rank_probability(f["n"], f["w"]),
    measure=frequency("full"),
    conditions=[Condition("n >= 100", lambda f: f["n"] >= 100)],
    tolerance=0.06,  # empty rows and columns are not independent, nor the only obstruction
    scale=1.0,
    rivals={"rows alone": lambda f: math.exp(-math.exp(-f["w"]))},
    formula="P(full) ≈ ((1 − (1 − p)^n)^n)² → exp(−2e^{−w})",
)

CLAIMS = [RANK_CHAIN, GENERIC_RANK, SPARSE_RANDOM_RANK, FULL_RANK_THRESHOLD]
