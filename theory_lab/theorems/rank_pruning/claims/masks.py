"""What masks do to the rank: by magnitude they lose it, ascent on the rank loss brings it back as
far as the mask allows, growth by its gradient hardly does."""

from __future__ import annotations

from theory_lab.core import Claim, Condition
from theory_lab.core.types import Facts
from theory_lab.theorems.rank_pruning.bounds import rank_measures as measures
from theory_lab.theorems.rank_pruning.bounds import sparse_matrices as bounds
from theory_lab.theorems.rank_pruning.claims.sources import GROWTH as GROWTH_SOURCE
from theory_lab.theorems.rank_pruning.claims.sources import RANK_LOSS, RANKS
from theory_lab.theorems.rank_pruning.experiments.masked_ascent import MASKED_ASCENT
from theory_lab.theorems.rank_pruning.experiments.masks import GROWTH, MASKS


def _structural_rank(f: Facts) -> int:
    return bounds.packed_structural_rank(f["mask_bits"], f["n"])


SMALL_STEPS = Condition("e <= .1", lambda f: f["e"] <= 0.1)
NOT_FLAT = Condition(
    "stable rank of the start <= .65 min(m, n)",
    lambda f: measures.stable_rank(f["spectrum"]) <= 0.65 * len(f["spectrum"]),
)

ASCENT_DELTA = Claim(
    "rank_pruning.masked_ascent.delta_rank",
    RANK_LOSS,
    "Small steps down the rank loss at a fixed mask do not lower the delta-rank.",
    relation=">=",
    experiment=MASKED_ASCENT,
    predict=lambda f: measures.delta_rank(f["spectrum"], f["delta"]),
    measure="delta_rank",
    conditions=[SMALL_STEPS, NOT_FLAT],
    basis="finding",
    formula="d_δ(W_t) ≥ d_δ(W_0)",
)

ASCENT_STABLE = Claim(
    "rank_pruning.masked_ascent.stable_rank",
    RANK_LOSS,
    "Small steps down the rank loss at a fixed mask raise the stable rank.",
    relation=">=",
    experiment=MASKED_ASCENT,
    predict=lambda f: measures.stable_rank(f["spectrum"]),
    measure="stable_rank",
    conditions=[SMALL_STEPS, NOT_FLAT],
    basis="finding",
    formula="stable(W_t) ≥ stable(W_0)",
)

ASCENT_EXACT = Claim(
    "rank_pruning.masked_ascent.exact_rank",
    RANK_LOSS,
    "The exact rank stays at most the structural rank of the mask, whatever the steps.",
    relation="<=",
    experiment=MASKED_ASCENT,
    predict=lambda f: _structural_rank(f),
    measure="exact",
    formula="rank(W_t) ≤ sprank(mask)",
)


def _is_uneven(f: Facts) -> bool:
    """Other matrices have neither decay nor spread."""
    return f["kind"] == "decaying" and (f["decay"] >= 0.7 or f["spread"] >= 0.3)


MAGNITUDE_LOSES_RANK = Claim(
    "rank_pruning.magnitude_loses_rank",
    RANKS,
    "Where the spectrum decays or rows and columns are heavy, the structural rank of a magnitude"
    " mask with at most 4 entries a row in the mean is at most .7 of a random mask's.",
    relation="<=",
    experiment=MASKS,
    predict=lambda f: 0.7 * f["random"],
    measure="magnitude",
    conditions=[
        Condition("singular values decay like i^-.7 or scales spread by exp(.3 N)", _is_uneven),
        Condition("density n <= 4", lambda f: f["density"] * f["n"] <= 4),
    ],
    observed=["random"],
    basis="finding",
    formula="sprank(magnitude mask) ≤ .7 sprank(random mask)",
)

SLOW_DECAY = Condition("singular values decay no faster than i^-.7", lambda f: f["decay"] <= 0.7)

GROWTH_DELTA = Claim(
    "rank_pruning.growth_barely_moves.delta_rank",
    GROWTH_SOURCE,
    "Dropping the smallest weights and growing by the rank gradient for 20 rounds lifts the"
    " delta-rank by less than half.",
    relation="<=",
    experiment=GROWTH,
    predict=lambda f: 1.5 * measures.delta_rank(f["spectrum"], f["delta"]),
    measure="delta_rank",
    conditions=[SLOW_DECAY],
    basis="finding",
    formula="d_δ(after) ≤ 1.5 d_δ(before)",
)

GROWTH_STRUCTURAL = Claim(
    "rank_pruning.growth_barely_moves.structural_rank",
    GROWTH_SOURCE,
    "The same growth lifts the structural rank of the mask by at most 5 %.",
    relation="<=",
    experiment=GROWTH,
    predict=lambda f: 1.05 * _structural_rank(f),
    measure="structural",
    basis="finding",
    formula="sprank(after) ≤ 1.05 sprank(before)",
)

CLAIMS = [
    ASCENT_DELTA,
    ASCENT_STABLE,
    ASCENT_EXACT,
    MAGNITUDE_LOSES_RANK,
    GROWTH_DELTA,
    GROWTH_STRUCTURAL,
]
