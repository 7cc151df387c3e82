"""The truncated singular value decomposition is the best approximation of rank k."""

from __future__ import annotations

import numpy as np

from theory_lab.core import Claim
from theory_lab.theorems.rank_pruning.bounds import rank_loss as bounds
from theory_lab.theorems.rank_pruning.claims.sources import LOW_RANK as SOURCE
from theory_lab.theorems.rank_pruning.experiments.low_rank import LOW_RANK

BEST_LOW_RANK = Claim(
    "rank_pruning.best_low_rank",
    SOURCE,
    "No matrix of rank k is nearer to W than the tail of its singular values says.",
    relation=">=",
    experiment=LOW_RANK,
    predict=lambda f: bounds.squared_distance(f["W"], f["k"]),
    measure="distances",
    tolerance=1e-12,
    scale=lambda f: np.sum(f["W"] ** 2),
    rivals={"tail from k on": lambda f: bounds.squared_distance(f["W"], f["k"] - 1)},
    formula="‖W − X‖² ≥ Σ_{i>k} σ_i² for rank X ≤ k",
)

ATTAINED = Claim(
    "rank_pruning.best_low_rank.attained",
    SOURCE,
    "The truncated singular value decomposition attains the bound.",
    experiment=LOW_RANK,
    predict=lambda f: bounds.squared_distance(f["W"], f["k"]),
    measure="truncated",
    tolerance=1e-12,
    scale=lambda f: np.sum(f["W"] ** 2),
    rivals={"tail from k on": lambda f: bounds.squared_distance(f["W"], f["k"] - 1)},
    formula="‖W − A_k‖² = Σ_{i>k} σ_i²",
)

CLAIMS = [BEST_LOW_RANK, ATTAINED]
