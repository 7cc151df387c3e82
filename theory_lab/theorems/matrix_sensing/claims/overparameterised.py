"""Fine-tuning without pruning: extra columns slow it from linear to 1 / t."""

from __future__ import annotations

import numpy as np

from theory_lab.core import Claim, Condition, Source
from theory_lab.core.reduce import slope
from theory_lab.core.types import Facts
from theory_lab.theorems.matrix_sensing.bounds import fine_tuning as bounds
from theory_lab.theorems.matrix_sensing.claims.conditions import PAPER
from theory_lab.theorems.matrix_sensing.experiments.fine_tuning import IDLE_COLUMNS

UNPRUNED = Source(
    PAPER, "descent without pruning, after the sublinear rates of arXiv:2102.02756 (lab's bound)"
)

EXTRA = Condition("k > r", lambda f: f["k"] > len(f["spectrum"]))
STABLE = Condition("eta < 1 / (4 mu_1)", lambda f: f["step"] < bounds.stable_step(f["spectrum"][0]))
SETTLED = Condition(
    "settled: 8 eta t mu_r >= 150",
    lambda f: 8 * f["step"] * np.min(f["steps"]) * f["spectrum"][-1] >= 150,
)


def _bound(f: Facts, speed: float = 1.0) -> np.ndarray:
    sizes = (f["d"], f["k"], len(f["spectrum"]))
    return bounds.overparameterised_error(*sizes, speed * f["step"], f["steps"])


SLOPE = Claim(
    "matrix_sensing.overparameterised_rate.slope",
    UNPRUNED,
    "Without pruning |U U^T - X*|_F falls like 1 / t.",
    experiment=IDLE_COLUMNS,
    predict=lambda f: -1.0,
    measure=slope("error", over="steps"),
    conditions=[EXTRA, STABLE, SETTLED],
    tolerance=0.05,  # the start's share, 1 / (8 eta t sigma_min^2), over the ladder
    formula="‖X_t − X*‖ ∝ 1/t",
)

BOUND = Claim(
    "matrix_sensing.overparameterised_rate.bound",
    UNPRUNED,
    "Without pruning |U U^T - X*|_F, once the columns that fit X* have settled, is at most"
    " sqrt(m) / (8 eta t) with m = min(k, d) - r, and tends to it.",
    relation="<=",
    experiment=IDLE_COLUMNS,
    predict=_bound,
    measure="error",
    conditions=[STABLE, SETTLED],
    scale=lambda f: f["spectrum"][0],
    rivals={"twice as fast": lambda f: _bound(f, speed=2.0)},
    formula="‖X_t − X*‖ ≤ √m/(8ηt), m = min(k − r, d − r)",
)

CLAIMS = [SLOPE, BOUND]
