"""The law of gRDA for small steps, and that of its distance to the coupled SGD."""

from __future__ import annotations

import numpy as np

from theory_lab.core import Claim, Condition
from theory_lab.core.reduce import mean, slope
from theory_lab.core.types import Facts
from theory_lab.theorems.directional_pruning.bounds import displacement as drift
from theory_lab.theorems.directional_pruning.bounds import laws as bounds
from theory_lab.theorems.directional_pruning.claims.sources import ASYMPTOTIC, BEYOND, WEAK_LIMIT
from theory_lab.theorems.directional_pruning.experiments.law import (
    LAW,
    LEVELS,
    MOMENTS,
    SECOND_ORDER,
)

CLEAR = Condition("every weight 5 standard deviations from 0", lambda f: f["clearance"] >= 5)
SMALL_STEP = Condition("gamma <= 2^-8", lambda f: np.max(f["step"]) <= 2**-8)
SMALLER_STEP = Condition("gamma <= 2^-9", lambda f: np.max(f["step"]) <= 2**-9)


def _covariance(f: Facts) -> np.ndarray:
    return bounds.covariance(f["hessian"], f["optimum"], f["start"], f["noise"], f["time"])


def _shares(f: Facts, shift: float = 1.0) -> np.ndarray:
    place = (f["hessian"], f["optimum"], f["start"])
    x = drift.displacement(*place, f["strengths"][0], f["exponents"][0], f["time"])
    return bounds.normal_shares(f["points"], shift * x, np.diag(_covariance(f)))


MEAN = Claim(
    "directional_pruning.gaussian_limit.mean",
    WEAK_LIMIT,
    "(w_gRDA - w(t)) / sqrt(gamma) is N(-x, C), coordinate by coordinate: the shares of paths below"
    " 49 points are those of this law, within .1 with the band of the ensemble included.",
    experiment=LAW,
    predict=_shares,
    measure="shares",
    observed=["points", "clearance"],
    conditions=[CLEAR],
    tolerance=0.1,  # the band, .047, and the bias, about .02 at gamma = 2^-8
    scale=1.0,
    rivals={"without the shift": lambda f: _shares(f, 0.0)},
    formula="(w_γ(t) − w(t))/√γ ⇒ N(−x(t), C(t))",
)

COVARIANCE = Claim(
    "directional_pruning.gaussian_limit.covariance",
    WEAK_LIMIT,
    "The whitened trace z^T C^+ z / rank has mean 1.",
    experiment=LAW,
    predict=lambda f: np.ones(len(f["exponents"])),
    measure=mean("whitened"),
    conditions=[SMALLER_STEP],
    tolerance=0.05,  # the spread of the ensemble, and a bias like gamma
    rivals={
        "covariance 10 % larger": lambda f: np.full(len(f["exponents"]), 1.1),
        "covariance 10 % smaller": lambda f: np.full(len(f["exponents"]), 0.9),
    },
    formula="E zᵀC⁺z / rank = 1",
)

COVARIANCE_VALUE = Claim(
    "directional_pruning.gaussian_limit.covariance_value",
    WEAK_LIMIT,
    "The limit's covariance, by its differential equation, is the integral of the propagated noise.",
    experiment=LAW,
    predict=_covariance,
    measure="covariance",
    tolerance=1e-8,
    scale=lambda f: np.max(np.abs(_covariance(f))),
    rivals={
        "label noise alone": lambda f: bounds.covariance(
            f["hessian"], f["start"], f["start"], f["noise"], f["time"]
        )
    },
    formula="C(t) = ∫ Φ(t,s) [Hδδᵀ H + (δᵀHδ)H + ς²H] Φ(t,s)ᵀ ds",
)

RECURSION = Claim(
    "directional_pruning.gaussian_limit.recursion",
    WEAK_LIMIT,
    "The exact covariance of SGD at a finite step is the limit's up to a relative bias like gamma.",
    experiment=MOMENTS,
    predict=lambda f: 1.0,
    measure=slope("bias", over="step"),
    tolerance=0.08,
    rivals={"bias like sqrt(gamma)": lambda f: 0.5},
    formula="‖Cov(w_γ)/γ − C‖ / ‖C‖ ∝ γ",
)

SAME_LAW = Claim(
    "directional_pruning.same_law",
    ASYMPTOTIC,
    "gRDA has the law of directional pruning, score of the limit at time T, of an independent run of"
    " SGD: the shares of gRDA below its quantiles are their levels, within the bands of both.",
    experiment=LAW,
    predict=lambda f: np.tile(LEVELS, (f["d"], 1)),
    measure="independent",
    observed=["clearance"],
    conditions=[CLEAR],
    tolerance=0.14,  # the bands of both samples, .095, and the bias
    scale=1.0,
    formula="w_γ(t) ~ DP(w^SGD(t); s̄) in law",
)


def _sizes(
    f: Facts, shift: float = 0.0, with_trace: bool = True, factor: float = 1.0
) -> np.ndarray:
    signs = np.sign(f["start"])
    return np.array(
        [
            bounds.second_order_size(
                f["hessian"], signs, factor * c, mu + shift, f["time"], with_trace
            )
            for c, mu in zip(f["strengths"], f["exponents"], strict=True)
        ]
    )


SECOND = Claim(
    "directional_pruning.second_order_law",
    BEYOND,
    "The error of the first order, [(w_SGD - w_gRDA)/sqrt(gamma) - x]/sqrt(gamma), has covariance K:"
    " its mean square is tr K, within 10 % (5 % of its size).",
    experiment=SECOND_ORDER,
    predict=_sizes,
    measure=mean("size"),
    observed=["changed"],
    conditions=[
        Condition("no sign changes", lambda f: np.all(f["changed"] == 0)),
        SMALL_STEP,
    ],
    tolerance=0.1,  # the next order in gamma, some per cent, and the spread of the ensemble
    rivals={
        "K without the trace": lambda f: _sizes(f, with_trace=False),
        "mu + .1": lambda f: _sizes(f, 0.1),
        "c + 10 %": lambda f: _sizes(f, factor=1.1),
    },
    formula="K' = −HK − KH + H x xᵀ H + (xᵀHx) H",
)

CLAIMS = [MEAN, COVARIANCE, COVARIANCE_VALUE, RECURSION, SAME_LAW, SECOND]
