"""Conditions that several theorems share, with what they observe at the point reached."""

from __future__ import annotations

import numpy as np

from theory_lab.core import Condition, Source
from theory_lab.theorems.matrix_sensing.bounds import stationary_points as bounds

PAPER = "arXiv:2303.11453"
POPULATION = Source(PAPER, "main population theorem, made explicit (lab's formulation)")
LANDSCAPE = Source(PAPER, "structure of approximate local minima, made exact (lab's formulation)")

CERTIFICATE = ("gradient_norm", "curvature")
"""What STATIONARY and SECOND_ORDER observe."""

STATIONARY = Condition("stationary: |grad f| <= 1e-9", lambda f: np.max(f["gradient_norm"]) <= 1e-9)
SECOND_ORDER = Condition(
    "second order: Hessian >= -1e-8", lambda f: np.min(f["curvature"]) >= -1e-8
)
REGULARISED = Condition("lam > 0", lambda f: f["lam"] > 0)
R_COLUMNS = Condition(
    "r columns are not zero", lambda f: bool(np.all(f["nonzero"] == len(f["spectrum"])))
)
COVERING = Condition(
    "lam < 2 sqrt(beta) mu_r",
    lambda f: f["lam"] < bounds.covering_threshold(f["spectrum"][-1], f["beta"]),
)
LONGER_THAN_THRESHOLD = Condition(
    "phi(4 beta) < mu_r",
    lambda f: bounds.pruning_keeps(f["spectrum"][-1], f["lam"], f["beta"]),
)
