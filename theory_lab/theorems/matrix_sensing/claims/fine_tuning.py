"""Fine-tuning after pruning: linear rates, their edge, and a basin in which they are certain."""

from __future__ import annotations

from theory_lab.core import Claim, Condition, Source
from theory_lab.core.types import Facts
from theory_lab.theorems.matrix_sensing.bounds import fine_tuning as bounds
from theory_lab.theorems.matrix_sensing.claims.conditions import (
    COVERING,
    LONGER_THAN_THRESHOLD,
    PAPER,
)
from theory_lab.theorems.matrix_sensing.experiments.basin import CONTRACTION, INEQUALITY
from theory_lab.theorems.matrix_sensing.experiments.fine_tuning import FINE_TUNING, STABILITY

FINE_TUNED = Source(PAPER, "linear convergence of fine-tuning, made explicit (lab's formulation)")

STABLE = Condition("eta < 1 / (4 mu_1)", lambda f: f["step"] < bounds.stable_step(f["spectrum"][0]))
PRUNABLE = Condition(
    "pruning keeps r columns: lam < 2 sqrt(beta) mu_r and phi(4 beta) < mu_r",
    lambda f: COVERING.holds(f) and LONGER_THAN_THRESHOLD.holds(f),
)
TRANSVERSE = Condition("d > r", lambda f: f["d"] > len(f["spectrum"]))


def _generic(f: Facts) -> float:
    return bounds.generic_rate(f["spectrum"][0], f["spectrum"][-1], f["step"])


def _pruned(f: Facts) -> float:
    return bounds.pruned_rate(f["spectrum"][0], f["spectrum"][-1], f["step"])


RATE_GENERIC = Claim(
    "matrix_sensing.fine_tuning_rate.generic",
    FINE_TUNED,
    "From r columns near the truth |U U^T - X*|_F falls by the factor"
    " max(|1 - 4 eta mu_r|, |1 - 8 eta mu_1|) per step.",
    experiment=FINE_TUNING,
    predict=_generic,
    measure="rate",
    conditions=[STABLE, TRANSVERSE],
    tolerance=3e-3,  # the second mode next to the corner of the V
    rivals={"the factor after pruning": _pruned},
    formula="ρ = max(|1 − 4ημ_r|, |1 − 8ημ_1|)",
)

RATE_PRUNED = Claim(
    "matrix_sensing.fine_tuning_rate.pruned",
    FINE_TUNED,
    "From an exact pruned model, whose columns are eigenvectors, |U U^T - X*|_F falls by the factor"
    " max(|1 - 8 eta mu_r|, |1 - 8 eta mu_1|) per step.",
    experiment=FINE_TUNING,
    predict=_pruned,
    measure="rate",
    conditions=[STABLE, PRUNABLE],
    tolerance=3e-3,  # the second mode next to the corner of the V
    rivals={"the factor of generic starts": _generic},
    formula="ρ = max(|1 − 8ημ_r|, |1 − 8ημ_1|)",
)

EDGE = Claim(
    "matrix_sensing.fine_tuning_rate.edge",
    FINE_TUNED,
    "Descent near the truth contracts if and only if eta < 1 / (4 mu_1).",
    experiment=STABILITY,
    predict=lambda f: bounds.stable_step(f["spectrum"][0]),
    measure="edge",
    tolerance=5e-3,  # twice the width of the last bracket
    rivals={
        "1 / (8 mu_1)": lambda f: bounds.stable_step(2 * f["spectrum"][0]),
        "1 / (4 mu_r)": lambda f: bounds.stable_step(f["spectrum"][-1]),
    },
    formula="η_max = 1/(4μ_1)",
)

PL_INEQUALITY = Claim(
    "matrix_sensing.fine_tuning_guarantee.inequality",
    Source(PAPER, "fine-tuning, gradient domination (lab's formulation; proved for r = 1)"),
    "At distance rho0 mu_r from X*, |grad L|_F^2 >= 8 mu_r (1 - rho0^2) L: proved for r = 1, a"
    " conjecture beyond, tested at the worst points that a search finds.",
    relation=">=",
    experiment=INEQUALITY,
    predict=lambda f: bounds.inequality_constant(f["radius"]),
    measure="ratio",
    basis="finding",
    rivals={"constant 1": lambda f: 1.0},
    formula="‖∇L‖² ≥ 8μ_r (1 − ρ0²) L where ‖UUᵀ − X*‖ = ρ0 μ_r",
)

BALL_CONTRACTION = Claim(
    "matrix_sensing.fine_tuning_guarantee.contraction",
    Source(PAPER, "fine-tuning from the ball around X* (lab's formulation)"),
    "From |X_0 - X*|_F <= mu_r / 2 with eta <= 1 / (14 mu_1), every step takes |X_t - X*|_F^2 down"
    " by at least the factor 1 - 3 eta mu_r.",
    relation="<=",
    experiment=CONTRACTION,
    predict=lambda f: bounds.contraction(f["spectrum"][-1], f["step"]),
    measure="factor",
    conditions=[
        Condition("start in the ball of radius mu_r / 2", lambda f: f["radius"] <= 0.5),
        Condition(
            "eta <= 1 / (14 mu_1)",
            lambda f: f["step"] <= bounds.longest_safe_step(f["spectrum"][0]),
        ),
    ],
    basis="finding",
    rivals={
        "twice the rate": lambda f: bounds.contraction(f["spectrum"][-1], 2 * f["step"]),
    },
    formula="‖X_{t+1} − X*‖² ≤ (1 − 3ημ_r) ‖X_t − X*‖²",
)

CLAIMS = [RATE_GENERIC, RATE_PRUNED, EDGE, PL_INEQUALITY, BALL_CONTRACTION]
