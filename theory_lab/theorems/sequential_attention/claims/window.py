"""The unique sparse minimum, and where the Group LASSO has it."""

from __future__ import annotations

import numpy as np

from theory_lab.core import Claim, Condition, Source
from theory_lab.core.types import Facts
from theory_lab.theorems.sequential_attention.bounds import stability as stability_bounds
from theory_lab.theorems.sequential_attention.bounds import window as bounds
from theory_lab.theorems.sequential_attention.claims.sources import (
    ONE_GROUP,
    PAPER,
    STRONGLY_CONVEX,
    SUBADDITIVE,
    leads_alone,
)
from theory_lab.theorems.sequential_attention.experiments.minimum import (
    MINIMUM,
    PATH,
    WINDOW,
    WITNESS,
)
from theory_lab.theorems.sequential_attention.experiments.stability import STABILITY

THEOREM = Source(PAPER, "Theorem 1.1")
ENTRY = Source(PAPER, "second bullet after Theorem 1.1, made quantitative (lab's formulation)")

HYPOTHESES = ("lasso_groups", "growth")


def one_group_point(f: Facts) -> np.ndarray:
    """The coefficients of the leading group, then zeros for the norms of the others."""
    B = bounds.one_group(f["loss"], f["design"], f["response"], f["ridge"], f["lam"])
    return np.concatenate([B.ravel(), np.zeros(len(f["group_sizes"]) - 1)])


def _of_half_the_penalty(f: Facts) -> np.ndarray:
    B = bounds.one_group(f["loss"], f["design"], f["response"], f["ridge"], 0.5 * f["lam"])
    return np.concatenate([B.ravel(), np.zeros(len(f["group_sizes"]) - 1)])


def _size(f: Facts) -> float:
    """tau over the curvature of squares: a length of the leading group that is not 0 at any lam."""
    curvature = np.linalg.norm(f["design"], 2) ** 2 + f["ridge"]
    return float(np.max(f["gradient_norms"]) / curvature)


POINT = Claim(
    "sequential_attention.unique_sparse_minimum.point",
    THEOREM,
    "For increasing subadditive q: if the Group LASSO has a unique minimiser with at most one group,"
    " the penalty lam q^-1(sum q) has the same minimiser, the one-group point.",
    experiment=MINIMUM,
    predict=one_group_point,
    measure="point",
    conditions=[SUBADDITIVE, ONE_GROUP, STRONGLY_CONVEX],
    observed=HYPOTHESES,
    tolerance=1e-3,  # the certified ball is the root of the gap over the curvature
    scale=_size,
    rivals={"half the penalty": _of_half_the_penalty},
    formula="argmin F_q = argmin F_GL = b_1(λ)",
)

VALUE = Claim(
    "sequential_attention.unique_sparse_minimum.value",
    THEOREM,
    "Under the same hypotheses both global minima have the same value, that of the one-group point.",
    experiment=MINIMUM,
    predict=lambda f: bounds.one_group_value(
        f["loss"], f["design"], f["response"], f["ridge"], f["lam"]
    ),
    measure="value",
    conditions=[SUBADDITIVE, ONE_GROUP],
    observed=["lasso_groups"],
    tolerance=1e-9,
    rivals={
        "half the penalty": lambda f: bounds.one_group_value(
            f["loss"], f["design"], f["response"], f["ridge"], 0.5 * f["lam"]
        )
    },
    formula="min F_q = L(b_1) + λ|b_1|",
)

UNIQUE = Claim(
    "sequential_attention.unique_sparse_minimum.unique",
    THEOREM,
    "The minimiser is unique: F(b) - F(b*) >= mu/2 |b - b*|^2 bounds the distance between two.",
    experiment=MINIMUM,
    predict=lambda f: 0.0,
    measure="spread",
    conditions=[SUBADDITIVE, ONE_GROUP, STRONGLY_CONVEX],
    observed=HYPOTHESES,
    tolerance=1e-3,
    scale=_size,
    formula="|b − b*|² ≤ 2 (F(b) − F(b*)) / μ",
)

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
    scale=_size,
    formula="λ ≥ τ ⇒ b* = 0",
)


def _columns(f: Facts) -> int:
    if f["loss"] == "squares":
        return int(f["response"].shape[1])
    return 1 if f["loss"] == "logistic" else int(f["response"].max()) + 1


FIRST_GROUP = Claim(
    "sequential_attention.entry_threshold.first_group",
    ENTRY,
    "Just below tau exactly one group is active, the one with the largest gradient at 0.",
    experiment=MINIMUM,
    predict=lambda f: int(np.argmax(f["gradient_norms"])),
    measure="entered",
    conditions=[
        ALONE,
        SUBADDITIVE,
        Condition(
            "lam just below tau",
            lambda f: 0.95 <= f["lam"] / np.max(f["gradient_norms"]) < 1,
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
    measure="second_entry_bracket",
    conditions=[Condition("squares", lambda f: f["loss"] == "squares")],
    rivals={"tau_2": lambda f: np.sort(f["gradient_norms"])[-2]},
    formula="λ_2 ≤ (μ_1 τ_2 + C τ)/(μ_1 + C)",
)

GAP = Claim(
    "sequential_attention.lemma21_gap.active_groups",
    Source(PAPER, "Lemma 2.1 beside Theorem 1.1"),
    "Lemma 2.1's q is like a^2 near 0 and not subadditive, so that Theorem 1.1 does not cover it:"
    " where the Group LASSO has one group, every global minimiser has at least 2.",
    relation=">=",
    experiment=WITNESS,
    predict=lambda f: 2,
    measure="least_groups",
    conditions=[
        Condition("the Group LASSO minimiser has one group", lambda f: f["lasso_groups"] == 1)
    ],
    observed=["lasso_groups"],
    scale=1.0,
    basis="finding",
    formula="#{i : b_i ≠ 0} ≥ 2",
)


def _break(f: Facts, with_slope: bool = True) -> float:
    return stability_bounds.breaking_point(f["gram"], f["pull"], f["sizes"], f["q"], with_slope)


STABLE = Claim(
    "sequential_attention.one_sparse_stability",
    Source(PAPER, "Theorem 1.1 beyond its window (derived)"),
    "As lam falls, the one-group point stays a local minimum of F_q until max_j |grad_j L(b_1)| ="
    " lam q'(0) / q'(|b_1|).",
    experiment=STABILITY,
    predict=_break,
    measure="breaking_point",
    tolerance=1e-4,
    scale=lambda f: max(_break(f), 1e-2 * float(np.linalg.norm(f["pull"]))),
    basis="finding",
    rivals={"without q'": lambda f: _break(f, with_slope=False)},
    formula="max_j |∇_j L(b_1)| = λ q′(0)/q′(|b_1|)",
)

PATH_NORM = Claim(
    "sequential_attention.unique_sparse_minimum.path",
    THEOREM,
    "Along lam >= lam2, on one problem, the best point that local searches on F_q find has the"
    " leading norm of the one-group point.",
    experiment=PATH,
    predict=lambda f: np.linalg.norm(
        bounds.one_group("squares", f["design"], f["response"], 0.0, f["lam"])
    ),
    measure="leading",
    observed=["lam"],
    conditions=[SUBADDITIVE, Condition("lam >= lam2", lambda f: f["place"] >= 0)],
    tolerance=1e-6,
    scale=lambda f: np.linalg.norm(
        bounds.one_group("squares", f["design"], f["response"], 0.0, 0.5 * f["tau"])
    ),
    rivals={
        "half the penalty": lambda f: np.linalg.norm(
            bounds.one_group("squares", f["design"], f["response"], 0.0, 0.5 * f["lam"])
        )
    },
    formula="|b_1(λ)|",
)

CLAIMS = [POINT, VALUE, UNIQUE, PATH_NORM, ZERO, FIRST_GROUP, SECOND_ENTRY, GAP, STABLE]
