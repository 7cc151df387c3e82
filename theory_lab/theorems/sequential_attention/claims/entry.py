"""Where the groups of the Group LASSO enter: at tau the first, at lam2 the second."""

from __future__ import annotations

import numpy as np

from theory_lab.core import Claim, Condition, Source
from theory_lab.core.types import Facts
from theory_lab.theorems.sequential_attention.bounds import window as bounds
from theory_lab.theorems.sequential_attention.claims.sources import PAPER, SUBADDITIVE, leads_alone
from theory_lab.theorems.sequential_attention.claims.window import size
from theory_lab.theorems.sequential_attention.experiments.certificates import WINDOW
from theory_lab.theorems.sequential_attention.experiments.minimum import MINIMUM

ENTRY = Source(PAPER, "second bullet after Theorem 1.1, made quantitative (lab's formulation)")

BEYOND = Condition("lam >= tau", lambda f: f["lam"] >= np.max(f["gradient_norms"]))
ALONE = Condition(
    "one group has the largest gradient at 0", lambda f: leads_alone(f["gradient_norms"])
)

ZERO = Claim(
    "sequential_attention.entry_threshold.zero",
    ENTRY,
    "For lam >= tau = max |grad_i L(0)| the minimiser is 0, for every increasing subadditive q.",
    experiment=MINIMUM,
    predict=lambda f: np.zeros(f["design"].shape[1] * _columns(f) + len(f["group_sizes"]) - 1),
    measure="point",
    conditions=[BEYOND, SUBADDITIVE],
    tolerance=1e-3,
    scale=size,
    formula="λ ≥ τ ⇒ b* = 0",
)


def _columns(f: Facts) -> int:
    if f["loss"] == "squares":
        return int(f["response"].shape[1])
    return 1 if f["loss"] == "logistic" else int(f["response"].max()) + 1


FIRST_GROUP = Claim(
    "sequential_attention.entry_threshold.first_group",
    ENTRY,
    "Below tau, until a group with a smaller gradient at 0 asks to enter, exactly one group is active,"
    " the one with the largest gradient at 0, for every increasing subadditive q.",
    experiment=MINIMUM,
    predict=lambda f: int(np.argmax(f["gradient_norms"])),
    measure="entered",
    conditions=[
        ALONE,
        SUBADDITIVE,
        Condition(
            "lam from the entry of a group with a smaller gradient to a millionth below tau",
            lambda f: f["outside_entry"] <= f["lam"] <= (1 - 1e-6) * np.max(f["gradient_norms"]),
        ),
    ],
    tolerance=1e-9,
    scale=1.0,
    rivals={"the smallest gradient": lambda f: int(np.argmin(f["gradient_norms"]))},
    formula="support of b*(τ−) = argmax_i |∇_i L(0)|",
)

SECOND_ENTRY = Claim(
    "sequential_attention.entry_threshold.window",
    ENTRY,
    "For squares the second group enters at lam2 <= (mu_1 tau_2 + C tau) / (mu_1 + C).",
    relation="<=",
    experiment=WINDOW,
    predict=lambda f: bounds.second_entry_bound(f["gradient_norms"], f["convexity"], f["coupling"]),
    measure="second_entry",
    conditions=[Condition("squares", lambda f: f["loss"] == "squares")],
    rivals={"tau_2": lambda f: np.sort(np.append(f["gradient_norms"], 0.0))[-2]},
    formula="λ_2 ≤ (μ_1 τ_2 + C τ)/(μ_1 + C)",
)

CLAIMS = [ZERO, FIRST_GROUP, SECOND_ENTRY]
