"""The solution of the pruning objective, and what it does to a quadratic loss."""

from __future__ import annotations

import numpy as np

from theory_lab.core import Claim, Condition
from theory_lab.core.types import Facts
from theory_lab.theorems.directional_pruning.bounds import pruning as bounds
from theory_lab.theorems.directional_pruning.claims.sources import OBJECTIVE as SOURCE
from theory_lab.theorems.directional_pruning.experiments.objective import LOSS, OBJECTIVE


def _score(f: Facts) -> np.ndarray:
    return bounds.directional_score(f["projector"], f["weights"])


CLOSED_FORM = Claim(
    "directional_pruning.closed_form",
    SOURCE,
    "Coordinate by coordinate, sign(a) max(|a| - lam s, 0) minimises"
    " 1/2 (w - a)^2 + lam s |w|, whatever the sign of the score s.",
    experiment=OBJECTIVE,
    predict=lambda f: bounds.directional_pruning(f["weights"], _score(f), f["lam"]),
    measure="minimiser",
    tolerance=1e-9,
    scale=lambda f: np.max(np.abs(f["weights"])),
    rivals={
        "soft threshold by lam |s|": lambda f: bounds.directional_pruning(
            f["weights"], np.abs(_score(f)), f["lam"]
        ),
        "positive part of the score": lambda f: bounds.directional_pruning(
            f["weights"], np.maximum(_score(f), 0), f["lam"]
        ),
    },
    formula="w_j = sign(a_j) max(|a_j| − λ s_j, 0)",
)

FIRST_ZERO = Claim(
    "directional_pruning.closed_form.first_zero",
    SOURCE,
    "The first weight becomes zero at lam* = min |a_j| / s_j over s_j > 0.",
    experiment=OBJECTIVE,
    predict=lambda f: bounds.first_zero(f["weights"], _score(f)),
    measure="first_zero",
    rivals={
        "the smallest weight first": lambda f: np.min(np.abs(f["weights"])),
        "score of any sign": lambda f: np.min(np.abs(f["weights"] / _score(f))),
    },
    formula="λ* = min_{s_j > 0} |a_j| / s_j",
)


def _breakpoints(f: Facts) -> np.ndarray:
    score = bounds.directional_score(bounds.flat_projector(f["hessian"]), f["weights"])
    return bounds.breakpoints(f["weights"], score)


BELOW = Claim(
    "directional_pruning.loss_preserved.below",
    SOURCE,
    "Up to lam* directional pruning leaves a quadratic loss unchanged, at any weights.",
    experiment=LOSS,
    predict=lambda f: 0.0,
    measure="rise",
    observed=["lam"],
    conditions=[Condition("lam <= lam*", lambda f: f["lam"] <= _breakpoints(f)[0] * (1 + 1e-12))],
    tolerance=1e-11,
    scale=lambda f: 0.5 * np.sum(np.abs(f["hessian"])) * f["lam"] ** 2,
    formula="l(w^DP) = l(w^SGD) for λ ≤ λ*",
)

ABOVE = Claim(
    "directional_pruning.loss_preserved.above",
    SOURCE,
    "At a minimum, from lam* up to the next breakpoint, the loss rises by 1/2 H_jj s_j^2"
    " (lam - lam*)^2, j the weight that is zero.",
    experiment=LOSS,
    predict=lambda f: bounds.loss_rise(f["hessian"], f["weights"], f["lam"]),
    measure="rise",
    observed=["lam", "gradient"],
    conditions=[
        Condition("lam > lam*", lambda f: f["lam"] > _breakpoints(f)[0] * (1 + 1e-9)),
        Condition("lam up to the next breakpoint", lambda f: f["lam"] <= _breakpoints(f)[1]),
        Condition("at a minimum", lambda f: f["gradient"] <= 1e-10),
    ],
    rivals={
        "without the score": lambda f: bounds.loss_rise(f["hessian"], f["weights"], f["lam"], 0)
    },
    formula="l(w^DP) − l(w^SGD) = ½ H_jj s_j² (λ − λ*)²",
)

CLAIMS = [CLOSED_FORM, FIRST_ZERO, BELOW, ABOVE]
