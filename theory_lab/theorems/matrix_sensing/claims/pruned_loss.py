"""What pruning leaves: the loss in closed form, a bound on it, and the ball it lies in."""

from __future__ import annotations

from theory_lab.core import Claim, Condition
from theory_lab.theorems.matrix_sensing.bounds import stationary_points as bounds
from theory_lab.theorems.matrix_sensing.claims.conditions import (
    CERTIFICATE,
    LONGER_THAN_THRESHOLD,
    POPULATION,
    R_COLUMNS,
    REGULARISED,
    SECOND_ORDER,
    STATIONARY,
)
from theory_lab.theorems.matrix_sensing.experiments.stationary_points import STATIONARY_POINTS

CONDITIONS = [REGULARISED, STATIONARY, SECOND_ORDER, R_COLUMNS, LONGER_THAN_THRESHOLD]
OBSERVED = [*CERTIFICATE, "nonzero"]

VALUE = Claim(
    "matrix_sensing.pruned_loss.value",
    POPULATION,
    "The population loss after pruning is (lam^2 / 4) sum_i psi'(s_i)^2.",
    experiment=STATIONARY_POINTS,
    predict=lambda f: bounds.pruned_loss(f["spectrum"], f["lam"], f["beta"]),
    measure="pruned_loss",
    conditions=CONDITIONS,
    observed=OBSERVED,
    rivals={
        "lam / 4": lambda f: bounds.pruned_loss(f["spectrum"], f["lam"], f["beta"]) / 4,
        "without r": lambda f: (
            bounds.pruned_loss(f["spectrum"], f["lam"], f["beta"]) / len(f["spectrum"])
        ),
    },
    formula="‖U_prune U_pruneᵀ − X*‖² = (λ²/4) Σ_i ψ'(s_i)²",
)

BOUND = Claim(
    "matrix_sensing.pruned_loss.bound",
    POPULATION,
    "The population loss after pruning is less than .018 r lam^2 / beta.",
    relation="<=",
    experiment=STATIONARY_POINTS,
    predict=lambda f: bounds.pruned_loss_bound(len(f["spectrum"]), f["lam"], f["beta"]),
    measure="pruned_loss",
    conditions=CONDITIONS,
    observed=OBSERVED,
    rivals={
        "lam / 4": lambda f: bounds.pruned_loss_bound(len(f["spectrum"]), f["lam"] / 4, f["beta"]),
        "without r": lambda f: bounds.pruned_loss_bound(1, f["lam"], f["beta"]),
    },
    formula="‖U_prune U_pruneᵀ − X*‖² < .018 r λ²/β",
)

BALL = Claim(
    "matrix_sensing.pruned_loss.ball",
    POPULATION,
    "For lam up to 3.727 mu_r sqrt(beta / r) the pruned model lies within mu_r / 2 of the truth.",
    relation="<=",
    experiment=STATIONARY_POINTS,
    predict=lambda f: f["spectrum"][-1] / 2,
    measure="pruned_error",
    conditions=[
        *CONDITIONS,
        Condition(
            "lam <= 3.727 mu_r sqrt(beta / r)",
            lambda f: (
                f["lam"] <= bounds.ball_threshold(f["spectrum"][-1], len(f["spectrum"]), f["beta"])
            ),
        ),
    ],
    observed=OBSERVED,
    rivals={"mu_r / 4": lambda f: f["spectrum"][-1] / 4},
    formula="‖U_prune U_pruneᵀ − X*‖ ≤ μ_r/2",
)

CLAIMS = [VALUE, BOUND, BALL]
