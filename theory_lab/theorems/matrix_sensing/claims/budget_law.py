"""What plain descent shows within a budget: laws that are measured, not proved."""

from __future__ import annotations

from theory_lab.core import Claim, Source
from theory_lab.core.reduce import frequency
from theory_lab.theorems.matrix_sensing.bounds import stationary_points as bounds
from theory_lab.theorems.matrix_sensing.claims.conditions import PAPER
from theory_lab.theorems.matrix_sensing.experiments.budget import BUDGET
from theory_lab.theorems.matrix_sensing.experiments.column_norms import COLUMN_NORMS

BUDGET_LAW = Claim(
    "matrix_sensing.budget_law",
    Source(PAPER, "number of gradient steps (fitted by the lab)"),
    "The first step t of plain descent with exactly r survivors, in units of"
    " sqrt(mu_1) / (eta lam), exceeds 6, 7, 9 for r <= 2, 4, 7 in at most 2 % of the runs.",
    relation="<=",
    experiment=BUDGET,
    predict=lambda f: 0.02,
    measure=frequency("late"),
    basis="empirical",
    formula="P(η t λ/√μ_1 > c_r) ≤ .02",
)

COLUMN_NORM_FRACTIONS = Claim(
    "matrix_sensing.column_norms",
    Source(PAPER, "Figure 1, fraction of columns above x times the largest"),
    "With the regulariser r / k of the columns are at least x times as long as the longest, for"
    " x = .1, .25, .5, .75, .9; without it many are (the control).",
    experiment=COLUMN_NORMS,
    predict=lambda f: bounds.regularised_share(len(f["spectrum"]), f["k"], 5),
    measure="fractions",
    basis="empirical",
    formula="#{i : ‖u_i‖ ≥ x max_j ‖u_j‖} = r",
)

CLAIMS = [BUDGET_LAW, COLUMN_NORM_FRACTIONS]
