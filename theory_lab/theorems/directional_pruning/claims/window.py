"""Why the exponent mu lies between 1/2 and 1."""

from __future__ import annotations

import numpy as np

from theory_lab.core import Claim, Condition
from theory_lab.core.reduce import slope
from theory_lab.core.types import Facts
from theory_lab.theorems.directional_pruning.bounds import long_time as bounds
from theory_lab.theorems.directional_pruning.claims.sources import ASYMPTOTIC
from theory_lab.theorems.directional_pruning.experiments.window import WINDOW


def _each(f: Facts, exponent: object) -> np.ndarray:
    return np.array([exponent(mu) for mu in f["exponents"]])  # type: ignore[operator]


NOISE = Claim(
    "directional_pruning.mu_window.noise",
    ASYMPTOTIC,
    "In flat directions with noise, noise over signal goes like t^(1/2 - mu).",
    experiment=WINDOW,
    predict=lambda f: _each(f, bounds.noise_exponent),
    measure=slope("noise", over="time"),
    tolerance=0.04,  # the spread of the ensemble
    scale=1.0,
    rivals={"1 - mu": lambda f: 1 - np.array(f["exponents"])},
    formula="noise / signal ∝ t^(1/2 − μ)",
)

LOSS = Claim(
    "directional_pruning.mu_window.loss",
    ASYMPTOTIC,
    "In curved directions the rise of the loss, 1/2 D^T H D, goes like t^(2 mu - 2).",
    experiment=WINDOW,
    predict=lambda f: _each(f, bounds.loss_exponent),
    measure=slope("loss", over="time"),
    tolerance=0.05,  # the next order, about 1 / (h_min t)
    scale=1.0,
    rivals={"mu - 1": lambda f: np.array(f["exponents"]) - 1},
    formula="½ Dᵀ H D ∝ t^(2μ − 2)",
)

INSIDE = Claim(
    "directional_pruning.mu_window.inside",
    ASYMPTOTIC,
    "For mu inside (1/2, 1) both noise over signal and the rise of the loss fall, at least like"
    " t^-min(mu - 1/2, 2 - 2 mu).",
    relation="<=",
    experiment=WINDOW,
    predict=lambda f: np.tile(_each(f, bounds.slowest_fall), 2),
    measure=slope("both", over="time"),
    conditions=[
        Condition("mu > 1/2", lambda f: min(f["exponents"]) > 0.5),
        Condition("mu < 1", lambda f: max(f["exponents"]) < 1),
    ],
    tolerance=0.04,
    scale=1.0,
    formula="both slopes ≤ −min(μ − 1/2, 2 − 2μ) < 0",
)

CLAIMS = [NOISE, LOSS, INSIDE]
