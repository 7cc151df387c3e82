"""Which columns survive: never more than r, exactly r under two conditions, none under another."""

from __future__ import annotations

import numpy as np

from theory_lab.core import Claim, Condition
from theory_lab.theorems.matrix_sensing.bounds import stationary_points as bounds
from theory_lab.theorems.matrix_sensing.claims.conditions import (
    CERTIFICATE,
    COVERING,
    LONGER_THAN_THRESHOLD,
    POPULATION,
    R_COLUMNS,
    REGULARISED,
    SECOND_ORDER,
    STATIONARY,
)
from theory_lab.theorems.matrix_sensing.experiments.phase_diagram import PHASE_DIAGRAM
from theory_lab.theorems.matrix_sensing.experiments.stationary_points import STATIONARY_POINTS

AT_MOST_RANK = Claim(
    "matrix_sensing.at_most_rank",
    POPULATION,
    "A second-order stationary point of the population problem has at most r non-zero columns"
    " (squared norm above 1e-8), for every lam > 0 and beta > 0.",
    relation="<=",
    experiment=STATIONARY_POINTS,
    predict=lambda f: len(f["spectrum"]),
    measure="nonzero",
    conditions=[REGULARISED, STATIONARY, SECOND_ORDER],
    observed=CERTIFICATE,
    formula="#{i : u_i ≠ 0} ≤ r",
)

PRUNE_KEEPS_RANK = Claim(
    "matrix_sensing.prune_keeps_rank",
    POPULATION,
    "Pruning a second-order stationary point at 2 sqrt(beta) leaves exactly r columns.",
    experiment=STATIONARY_POINTS,
    predict=lambda f: len(f["spectrum"]),
    measure="survivors",
    conditions=[REGULARISED, STATIONARY, SECOND_ORDER, COVERING, LONGER_THAN_THRESHOLD],
    observed=CERTIFICATE,
    formula="#{i : ‖u_i‖ > 2√β} = r",
)

NO_SURVIVOR = Claim(
    "matrix_sensing.no_survivor",
    POPULATION,
    "Descent from a start with |U_0|_2^2 below the smaller root of phi(s) = mu_1 (which takes"
    " lam > 2 sqrt(beta) mu_1) ends without any column above 2 sqrt(beta).",
    experiment=STATIONARY_POINTS,
    predict=lambda f: 0,
    measure="survivors",
    conditions=[
        Condition(
            "start below the smaller root of phi(s) = mu_1",
            lambda f: (
                f["start_norm"] < bounds.extinction_radius(f["spectrum"][0], f["lam"], f["beta"])
            ),
        )
    ],
    scale=1.0,
    formula="‖U_0‖² < s₋, φ(s₋) = μ_1  ⇒  no column survives",
)

KEPT_NORMS = Claim(
    "matrix_sensing.kept_norms",
    POPULATION,
    "At a second-order stationary point with r non-zero columns their squared norms are the larger"
    " roots of phi(s) = mu_i.",
    experiment=STATIONARY_POINTS,
    predict=lambda f: bounds.kept_norms(f["spectrum"], f["lam"], f["beta"]),
    measure="squared_norms",
    conditions=[REGULARISED, STATIONARY, SECOND_ORDER, R_COLUMNS],
    observed=[*CERTIFICATE, "nonzero"],
    tolerance=1e-8,
    scale=lambda f: f["spectrum"],
    rivals={
        "the smaller root": lambda f: bounds.other_roots(f["spectrum"], f["lam"], f["beta"]),
        "the unregularised norm": lambda f: f["spectrum"],
    },
    formula="‖u_i‖² = s_i,  φ(s_i) = s_i + (λ/2) ψ'(s_i) = μ_i",
)

FINISHED = Condition("every run is stationary to 1e-8", lambda f: bool(np.all(f["finished"])))

GUARANTEED = Claim(
    "matrix_sensing.phase_diagram.guaranteed",
    POPULATION,
    "Over the plane of lam / (2 sqrt(beta) mu_r) and beta / mu_r, every start keeps exactly r"
    " columns where lam < 2 sqrt(beta) mu_r and phi(4 beta) < mu_r.",
    relation=">=",
    experiment=PHASE_DIAGRAM,
    predict=lambda f: bounds.guaranteed_cells(f["eigenvalues"][-1], f["loads"], f["widths"]),
    measure="exact",
    conditions=[FINISHED],
    observed=["finished"],
    scale=1.0,
    formula="share of exact runs = 1 where ρ < 1 and φ(4β) < μ_r",
)

IMPOSSIBLE = Claim(
    "matrix_sensing.phase_diagram.impossible",
    POPULATION,
    "Over the same plane no start keeps r columns where phi(s) = mu_r has no stable root above"
    " 4 beta.",
    relation="<=",
    experiment=PHASE_DIAGRAM,
    predict=lambda f: bounds.possible_cells(f["eigenvalues"][-1], f["loads"], f["widths"]),
    measure="exact",
    conditions=[FINISHED],
    observed=["finished"],
    scale=1.0,
    formula="share of exact runs = 0 where φ(s) = μ_r has no larger root s > 4β",
)

CLAIMS = [AT_MOST_RANK, PRUNE_KEEPS_RANK, NO_SURVIVOR, KEPT_NORMS, GUARANTEED, IMPOSSIBLE]
