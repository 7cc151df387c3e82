"""The unique sparse minimum, its growth and its distance to the runner-up."""

from __future__ import annotations

import numpy as np

from theory_lab.core import Claim, Condition, Source
from theory_lab.core.types import Facts
from theory_lab.theorems.sequential_attention.bounds import window as bounds
from theory_lab.theorems.sequential_attention.claims.sources import (
    ONE_GROUP,
    PAPER,
    STRONGLY_CONVEX,
    SUBADDITIVE,
)
from theory_lab.theorems.sequential_attention.experiments.certificates import (
    GROWTH as GROWTH_EXPERIMENT,
)
from theory_lab.theorems.sequential_attention.experiments.certificates import RUNNER_UP
from theory_lab.theorems.sequential_attention.experiments.minimum import MINIMUM
from theory_lab.theorems.sequential_attention.experiments.paths import PATH, PLANE

THEOREM = Source(PAPER, "Theorem 1.1")


def one_group_point(f: Facts) -> np.ndarray:
    """The coefficients of the leading group, then zeros for the norms of the others."""
    B = bounds.one_group(f["loss"], f["design"], f["response"], f["ridge"], f["lam"])
    return np.concatenate([B.ravel(), np.zeros(len(f["group_sizes"]) - 1)])


def _of_half_the_penalty(f: Facts) -> np.ndarray:
    B = bounds.one_group(f["loss"], f["design"], f["response"], f["ridge"], 0.5 * f["lam"])
    return np.concatenate([B.ravel(), np.zeros(len(f["group_sizes"]) - 1)])


def size(f: Facts) -> float:
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
    observed=["lasso_groups"],
    tolerance=1e-3,  # the certified ball is the root of the gap over the curvature
    scale=size,
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
    observed=["lasso_groups"],
    tolerance=1e-3,
    scale=size,
    formula="|b − b*|² ≤ 2 (F(b) − F(b*)) / μ",
)

GROWTH = Claim(
    "sequential_attention.unique_sparse_minimum.growth",
    THEOREM,
    "The minimiser is unique with growth: F_q(b) - F_q(b*) >= mu/2 |b - b*|^2 for all b, mu the strong"
    " convexity of L (derived: F_q >= F_GL, equal at b*).",
    relation=">=",
    experiment=GROWTH_EXPERIMENT,
    predict=lambda f: 0.5 * f["modulus"],
    measure="growth",
    conditions=[SUBADDITIVE, ONE_GROUP, STRONGLY_CONVEX],
    observed=["lasso_groups"],
    tolerance=1e-4,  # b* is known to the root of its gap
    rivals={"L's largest curvature": lambda f: 0.5 * f["smoothness"]},
    formula="F_q(b) − F_q(b*) ≥ μ/2 |b − b*|²",
)

RUNNER = Claim(
    "sequential_attention.unique_sparse_minimum.runner_up",
    THEOREM,
    "Without the group of the minimiser b* the least F_q is larger by mu/2 |b*|^2 or more (derived).",
    relation=">=",
    experiment=RUNNER_UP,
    predict=lambda f: 0.5 * f["modulus"] * float(np.sum(np.square(one_group_point(f)))),
    measure="gap",
    conditions=[
        SUBADDITIVE,
        Condition("the Group LASSO minimiser has one group", lambda f: f["lasso_groups"] == 1),
        STRONGLY_CONVEX,
    ],
    observed=["lasso_groups"],
    tolerance=1e-4,
    scale=lambda f: 0.5 * f["smoothness"] * float(np.sum(np.square(one_group_point(f)))) + 1e-9,
    rivals={
        "L's largest curvature": lambda f: (
            0.5 * f["smoothness"] * float(np.sum(np.square(one_group_point(f))))
        )
    },
    formula="min {F_q(b) : b_1 = 0} − F_q(b*) ≥ μ/2 |b*|²",
)


def _radius(f: Facts, lam: float) -> float:
    return float(np.linalg.norm(bounds.one_group("squares", f["design"], f["response"], 0.0, lam)))


PATH_NORM = Claim(
    "sequential_attention.unique_sparse_minimum.path",
    THEOREM,
    "Along lam >= lam2, on one problem, the global minimiser of F_q (branch and bound for concave q)"
    " has the leading norm of the one-group point.",
    experiment=PATH,
    predict=lambda f: _radius(f, f["lam"]),
    measure="leading",
    observed=["lam"],
    conditions=[SUBADDITIVE, Condition("lam >= lam2", lambda f: f["lam"] >= f["second_entry"])],
    tolerance=1e-4,  # a value within 1e-9 L(0) fixes the point to the root of that
    scale=lambda f: _radius(f, 0.5 * f["tau"]),
    rivals={"half the penalty": lambda f: _radius(f, 0.5 * f["lam"])},
    formula="|b_1(λ)|",
)


def _plane(f: Facts) -> np.ndarray:
    """The one-group point of two coordinates: c_1 - lam, 0, in the order of the coordinates."""
    pulls = np.array(f["pulls"])
    point = np.zeros(2)
    point[np.argmax(pulls)] = max(pulls.max() - f["lam"], 0.0)
    return point


def _is_alone(f: Facts) -> bool:
    """KKT of the Group LASSO at the one-group point, with slack for the other coordinate."""
    other = float(min(f["pulls"]))
    return bool(abs(other - f["correlation"] * np.max(_plane(f))) < f["lam"] * (1 - 1e-6))


PLANE_POINT = Claim(
    "sequential_attention.unique_sparse_minimum.plane",
    THEOREM,
    "For two coordinates, on a grid over the whole plane: the least value of F_q is at the one-group"
    " point, and nowhere else.",
    experiment=PLANE,
    predict=_plane,
    measure="minimiser",
    conditions=[
        SUBADDITIVE,
        Condition("the one-group point is the Group LASSO's only minimiser", _is_alone),
    ],
    tolerance=1e-4,
    scale=lambda f: max(f["pulls"]),
    rivals={"half the penalty": lambda f: _plane({**f, "lam": 0.5 * f["lam"]})},
    formula="b = (c_1 − λ, 0)",
)

CLAIMS = [POINT, VALUE, UNIQUE, GROWTH, RUNNER, PATH_NORM, PLANE_POINT]
