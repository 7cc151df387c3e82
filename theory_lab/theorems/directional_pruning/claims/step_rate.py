"""How fast gRDA approaches directional pruning of the coupled SGD as the step shrinks."""

from __future__ import annotations

import numpy as np

from theory_lab.core import Claim, Condition
from theory_lab.core.reduce import slope
from theory_lab.core.types import Facts
from theory_lab.theorems.directional_pruning.bounds import displacement as bounds
from theory_lab.theorems.directional_pruning.claims.sources import ASYMPTOTIC, BEYOND
from theory_lab.theorems.directional_pruning.experiments.coupled import COUPLED
from theory_lab.theorems.directional_pruning.experiments.networks import NETWORKS

CLEAR = Condition(
    "no weight ends near 0: |w_j(T)| >= 3 sqrt(gamma) |x_j(T)|",
    lambda f: np.min(f["clearance"]) >= 3,
)
NO_CHANGE = Condition("no sign changes", lambda f: np.all(f["changed"] == 0))


def _powers(f: Facts, power: float) -> np.ndarray:
    return np.full(len(f["exponents"]), power)


SQRT_RATE = Claim(
    "directional_pruning.sqrt_step_rate",
    ASYMPTOTIC,
    "The distance of gRDA to directional pruning of the coupled SGD, with the score of the limit"
    " at time T and over sqrt(gamma), falls like sqrt(gamma), with and without sign changes.",
    experiment=COUPLED,
    predict=lambda f: _powers(f, 0.5),
    measure=slope("error", over="step"),
    observed=["clearance"],
    conditions=[
        CLEAR,
        Condition("gradients of single rows", lambda f: np.all(f["sampling"] == "single")),
    ],
    tolerance=0.1,  # the next order in sqrt(gamma) over the ladder, and the median of the paths
    scale=1.0,
    rivals={"slope 1": lambda f: _powers(f, 1.0), "no convergence": lambda f: _powers(f, 0.0)},
    formula="‖w^gRDA − DP(w^SGD; s̄)‖ / √γ ∝ γ^(1/2)",
)

SQRT_RATE_NETS = Claim(
    "directional_pruning.sqrt_step_rate_nets",
    ASYMPTOTIC,
    "On two-layer tanh and linear nets, one point and a noisy label a step, the same distance falls"
    " like sqrt(gamma) once gamma h_max is small.",
    experiment=NETWORKS,
    predict=lambda f: _powers(f, 0.5),
    measure=slope("error", over="step"),
    observed=["clearance", "stiffness", "last_change"],
    conditions=[
        CLEAR,
        Condition("gamma h_max <= .1", lambda f: np.max(f["step"]) * np.max(f["stiffness"]) <= 0.1),
        Condition(
            "no sign changes in the second half",
            lambda f: np.max(f["last_change"]) <= np.max(f["time"]) / 2,
        ),
    ],
    tolerance=0.1,
    scale=1.0,
    basis="finding",
    rivals={"slope 1": lambda f: _powers(f, 1.0), "no convergence": lambda f: _powers(f, 0.0)},
    formula="‖w^gRDA − DP(w^SGD; s̄)‖ / √γ ∝ γ^(1/2)",
)

FULL_BATCH_RATE = Claim(
    "directional_pruning.full_batch_rate",
    BEYOND,
    "Where the Hessian of a sample does not fluctuate (full batches, additive noise) and no sign"
    " changes, the same distance falls like gamma.",
    experiment=COUPLED,
    predict=lambda f: _powers(f, 1.0),
    measure=slope("error", over="step"),
    observed=["clearance", "changed"],
    conditions=[
        CLEAR,
        NO_CHANGE,
        Condition("no single rows", lambda f: np.all(f["sampling"] != "single")),
    ],
    tolerance=0.05,
    scale=1.0,
    rivals={"slope 1/2": lambda f: _powers(f, 0.5)},
    formula="‖w^gRDA − DP(w^SGD; s̄)‖ / √γ ∝ γ",
)


def _floor(f: Facts) -> np.ndarray:
    signs = np.sign(f["start"])
    return np.array(
        [
            c * f["time"] ** mu * bounds.largest_memory(f["hessian"], signs, mu, f["time"])
            for c, mu in zip(f["strengths"], f["exponents"], strict=True)
        ]
    )


FLOOR = Claim(
    "directional_pruning.sqrt_step_rate.floor",
    BEYOND,
    "With the score of infinite time the distance stops at c T^mu max |sbar_j - s_j| (shown on full"
    " batches, where nothing hides it).",
    experiment=COUPLED,
    predict=_floor,
    measure="error_limit_score",
    observed=["changed"],
    conditions=[NO_CHANGE],
    tolerance=0.006,  # the next order, like gamma for full batches
    rivals={"no floor": lambda f: 1e-3 * _floor(f)},
    formula="‖w^gRDA − DP(w^SGD; s)‖ / √γ → c T^μ max|s̄ − s|",
)

CLAIMS = [SQRT_RATE, SQRT_RATE_NETS, FULL_BATCH_RATE, FLOOR]
