"""Where the statements stand, and conditions that several of them share."""

from __future__ import annotations

import numpy as np

from theory_lab.core import Condition

PAPER = "arXiv:2402.17902"
SELECTION = "arXiv:2209.14881"

ADMISSIBLE = ("abs", "sqrt", "two_thirds", "log", "bounded", "sine")
"""Increasing, subadditive, 0 at 0."""

SUBADDITIVE = Condition("q is subadditive", lambda f: f["q"] in ADMISSIBLE)
STRONGLY_CONVEX = Condition("L is strongly convex", lambda f: f["modulus"] > 0)
ONE_GROUP = Condition(
    "the Group LASSO minimiser has at most one group", lambda f: f["lasso_groups"] <= 1
)


def leads_alone(gradient_norms: np.ndarray) -> bool:
    """Whether one group alone has the largest gradient at 0."""
    norms = np.sort(gradient_norms)
    return bool(len(norms) == 1 or norms[-2] < norms[-1] * (1 - 1e-9))
