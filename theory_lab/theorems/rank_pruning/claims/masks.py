"""What masks do to the rank: by magnitude they lose it, growth by the rank gradient does not bring
it back."""

from __future__ import annotations

from theory_lab.core import Claim, Condition
from theory_lab.core.reduce import mean
from theory_lab.core.types import Facts
from theory_lab.theorems.rank_pruning.bounds import rank_measures as measures
from theory_lab.theorems.rank_pruning.bounds import sparse_matrices as bounds
from theory_lab.theorems.rank_pruning.claims.sources import GROWTH as GROWTH_SOURCE
from theory_lab.theorems.rank_pruning.claims.sources import RANKS
from theory_lab.theorems.rank_pruning.experiments.masks import GROWTH, MASKS


def _entries_a_line(f: Facts) -> float:
    """Kept entries of a row or of a column in the mean, whichever has more."""
    return float(f["density"] * max(f["m"], f["n"]))


def _is_uneven(f: Facts) -> bool:
    """Other matrices have neither decay nor spread."""
    return f["kind"] == "decaying" and (f["decay"] >= 0.7 or f["spread"] >= 0.5)


UNEVEN = Condition("singular values decay like i^-.7 or scales spread by exp(.5 N)", _is_uneven)
SPARSE = Condition(
    "between 1 and 4 entries a line in the mean", lambda f: 1 <= _entries_a_line(f) <= 4
)
LARGE = Condition(
    # kept entries come from the tail of the entries' law, where heavy lines win the more the larger
    # the matrix is
    "min(m, n) >= 160",
    lambda f: min(f["m"], f["n"]) >= 160,
)

MAGNITUDE_LOSES_RANK = Claim(
    "rank_pruning.magnitude_loses_rank",
    RANKS,
    "Where the spectrum decays or rows and columns are heavy, the structural rank of a magnitude"
    " mask with 1 to 4 entries a line in the mean is at most .7 of a random mask's.",
    relation="<=",
    experiment=MASKS,
    predict=lambda f: 0.7 * f["random"],
    measure="magnitude",
    conditions=[UNEVEN, SPARSE, LARGE],
    observed=["random"],
    basis="finding",
    formula="sprank(magnitude mask) ≤ .7 sprank(random mask)",
)

SLOW_DECAY = Condition("singular values decay no faster than i^-.7", lambda f: f["decay"] <= 0.7)
FEW_ENTRIES = Condition("at most 10 entries a line in the mean", lambda f: _entries_a_line(f) <= 10)
SHORT = Condition(
    "at most 20 rounds that swap at most .15", lambda f: f["rounds"] <= 20 and f["swap"] <= 0.15
)
SMALL_DELTA = Condition("delta <= .2", lambda f: f["delta"] <= 0.2)

GROWTH_DELTA = Claim(
    "rank_pruning.growth_barely_moves.delta_rank",
    GROWTH_SOURCE,
    "Dropping the smallest weights and growing by the rank gradient for 20 rounds lifts the"
    " delta-rank by at most half.",
    relation="<=",
    experiment=GROWTH,
    predict=lambda f: 1.5 * measures.delta_rank(f["spectrum"], f["delta"]),
    measure="delta_rank",
    conditions=[SLOW_DECAY, FEW_ENTRIES, SHORT, SMALL_DELTA],
    basis="finding",
    formula="d_δ(after) ≤ 1.5 d_δ(before)",
)

GROWTH_STRUCTURAL = Claim(
    "rank_pruning.growth_barely_moves.structural_rank",
    GROWTH_SOURCE,
    "The same growth never joins two components of the mask, rows and columns linked by kept"
    " entries, nor revives an empty line: the low-rank part is zero there. The structural rank can"
    " rise inside components alone.",
    relation="<=",
    experiment=GROWTH,
    predict=lambda f: bounds.within_components(bounds.unpacked(f["mask_bits"], f["n"])),
    measure="structural",
    conditions=[
        # for eps <= .5 the rule never chooses k = 0, whose gradient is zero everywhere
        Condition("eps <= .5", lambda f: f["eps"] <= 0.5)
    ],
    formula="sprank(after) ≤ Σ_components min(#rows, #columns)",
)

GROWTH_LIFT = Claim(
    "rank_pruning.growth_barely_moves.lift",
    GROWTH_SOURCE,
    "The same growth lifts the structural rank of a mask by at most 5 % in the mean over matrices.",
    relation="<=",
    experiment=GROWTH,
    predict=lambda f: 0.05,
    measure=mean("lift"),
    conditions=[FEW_ENTRIES, SHORT],
    basis="empirical",
    formula="mean(sprank(after)/sprank(before)) − 1 ≤ .05",
)

CLAIMS = [MAGNITUDE_LOSES_RANK, GROWTH_DELTA, GROWTH_STRUCTURAL, GROWTH_LIFT]
