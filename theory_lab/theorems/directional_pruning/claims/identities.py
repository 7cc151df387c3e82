"""Identities at a finite step for linear regression."""

from __future__ import annotations

import numpy as np

from theory_lab.core import Claim, Condition
from theory_lab.core.types import Facts
from theory_lab.theorems.directional_pruning.bounds import identities as bounds
from theory_lab.theorems.directional_pruning.claims.sources import BEYOND
from theory_lab.theorems.directional_pruning.experiments.identities import IDENTITIES

SIGNS = Condition("no weight of gRDA changes its sign or is zero", lambda f: f["least_weight"] > 0)
IN_RANGE = Condition("rows in range(H)", lambda f: f["leak"] == 0)


def _level(f: Facts, n: np.ndarray | int) -> np.ndarray:
    return bounds.threshold(f["strength"], f["exponent"], f["step"], np.asarray(n))


def _difference(f: Facts) -> np.ndarray:
    return bounds.difference(
        f["rows"], np.sign(f["start"]), f["strength"], f["exponent"], f["step"], f["watch"]
    )


DIFFERENCE = Claim(
    "directional_pruning.exact_identities.difference",
    BEYOND,
    "While gRDA keeps its signs, D = w_SGD - w_gRDA obeys a linear recursion, to rounding.",
    experiment=IDENTITIES,
    predict=_difference,
    measure="difference",
    observed=["watch", "least_weight"],
    conditions=[SIGNS],
    tolerance=1e-12,
    scale=lambda f: np.max(np.abs(f["start"])),
    rivals={"all of the threshold": lambda f: _level(f, f["watch"])[:, None] * np.sign(f["start"])},
    formula="D_{n+1} = (I − γH_n) D_n + (g_{n+1} − g_n) σ",
)

FLAT_DUAL = Claim(
    "directional_pruning.exact_identities.flat_dual",
    BEYOND,
    "The accumulator of gRDA never leaves its start in flat directions, zeros or not.",
    experiment=IDENTITIES,
    predict=lambda f: bounds.flat_part(f["hessian"], f["start"]),
    measure="flat_dual",
    conditions=[IN_RANGE],
    tolerance=1e-12,
    scale=lambda f: np.max(np.abs(f["start"])),
    formula="Π_0 v_n = Π_0 w_0",
)

FLAT_DIFFERENCE = Claim(
    "directional_pruning.exact_identities.flat_difference",
    BEYOND,
    "In flat directions gRDA differs from SGD by the accumulator clipped to [-g, g], zeros or not.",
    experiment=IDENTITIES,
    predict=lambda f: bounds.flat_difference(f["hessian"], f["dual"], float(_level(f, f["steps"]))),
    measure="flat_difference",
    observed=["dual"],
    conditions=[IN_RANGE],
    tolerance=1e-12,
    scale=lambda f: np.max(np.abs(f["start"])),
    rivals={
        "the threshold of one step before": lambda f: bounds.flat_difference(
            f["hessian"], f["dual"], float(_level(f, f["steps"] - 1))
        )
    },
    formula="Π_0 (w^SGD − w^gRDA) = Π_0 clip(v, −g, g)",
)

CLAIMS = [DIFFERENCE, FLAT_DUAL, FLAT_DIFFERENCE]
