"""Without the regulariser no column dies."""

from __future__ import annotations

import numpy as np

from theory_lab.core import Claim, Condition, Source
from theory_lab.core.reduce import mean, slope
from theory_lab.theorems.matrix_sensing.bounds import unregularised as bounds
from theory_lab.theorems.matrix_sensing.claims.conditions import PAPER
from theory_lab.theorems.matrix_sensing.experiments.unregularised import (
    CROWD,
    GRADIENT_FLOW,
    SHARES,
    SMALL_START,
)

NEGATIVE = Source(PAPER, "failure without regulariser, made explicit (lab's formulation)")

FLOW_RATE = Claim(
    "matrix_sensing.gradient_flow",
    NEGATIVE,
    "The distance of descent to the unregularised gradient flow at a fixed time falls in proportion"
    " to the step; the flow is the Riccati closed form (gradient_flow.value).",
    experiment=GRADIENT_FLOW,
    predict=lambda f: 1.0,
    measure=slope("distance", over="step"),
    tolerance=0.02,  # the neglected next order in eta over the ladder
    formula="‖UUᵀ(η) − UUᵀ(flow)‖ ∝ η",
)

FLOW_VALUE = Claim(
    "matrix_sensing.gradient_flow.value",
    NEGATIVE,
    "U U^T along the unregularised gradient flow is the closed form of a Riccati equation.",
    experiment=GRADIENT_FLOW,
    predict=lambda f: bounds.riccati(f["target"], f["start"], f["time"]),
    measure="flow",
    tolerance=1e-9,
    scale=lambda f: f["spectrum"][0],
    rivals={
        "half the speed": lambda f: bounds.riccati(f["target"], f["start"], f["time"] / 2),
    },
    formula="UUᵀ(t) = E U_0 (I + 8 U_0ᵀ S U_0)⁻¹ U_0ᵀ E, E = e^{4tX*}, S = ∫_0^t e^{8sX*} ds",
)

NORMS_VALUE = Claim(
    "matrix_sensing.unregularised_norms.value",
    NEGATIVE,
    "As the start shrinks, |v_j^T u_i| tends to sqrt(mu_j) times the entries of the successive"
    " polar factors of the start's projections on the eigenspaces: Gram-Schmidt for distinct"
    " eigenvalues, the projections themselves, normalised, for r = 1.",
    experiment=SMALL_START,
    predict=lambda f: bounds.limit_projections(f["spectrum"], f["projections"]),
    measure="projected",
    conditions=[
        Condition(
            "small start: size^p <= 1e-8 with the exponent p of the rate",
            lambda f: f["size"] ** bounds.limit_exponent(f["spectrum"]) <= 1e-8,
        )
    ],
    tolerance=1e-5,  # size^p times constants of the order of k
    scale=lambda f: np.sqrt(f["spectrum"][0]),
    rivals={
        "no successive projection": lambda f: (
            np.sqrt(f["spectrum"])[:, None]
            * np.abs(f["projections"])
            / np.linalg.norm(f["projections"], axis=1, keepdims=True)
        )
    },
    formula="|v_jᵀU(∞)e_i| = √μ_j |q_ji|, q = Gram–Schmidt of VᵀU_0 from the largest μ on",
)

NORMS_RATE = Claim(
    "matrix_sensing.unregularised_norms.rate",
    NEGATIVE,
    "The limit is approached like size^p with p = min(kappa - 1, 2 - 2 / kappa), kappa the least"
    " ratio of neighbouring distinct eigenvalues (p = 2 if all are equal).",
    experiment=SMALL_START,
    predict=lambda f: bounds.limit_exponent(f["spectrum"]),
    measure=slope("change", over="size"),
    conditions=[
        # What the neglected terms are relative to the leading one; slow spectra need smaller starts.
        Condition(
            "small start: size^p <= 5e-4",
            lambda f: np.max(f["size"]) ** bounds.limit_exponent(f["spectrum"]) <= 5e-4,
        ),
    ],
    tolerance=0.06,  # the logarithm at kappa = 2 and kappa = inf
    basis="finding",  # the exponent rests on a perturbation argument, not on a full proof
    rivals={
        "min(2, kappa - 1)": lambda f: min(2.0, bounds.least_ratio(f["spectrum"]) - 1),
    },
    formula="‖P(α) − P(0)‖ ∝ α^min(κ − 1, 2 − 2/κ)",
)

FRACTION = Claim(
    "matrix_sensing.unregularised_fraction",
    NEGATIVE,
    "For r = 1 and a small Gaussian start the mean fraction of columns at least .25, .5, .75 times"
    " as long as the longest is an integral of order statistics of half-normal variables.",
    experiment=CROWD,
    predict=lambda f: bounds.fraction_above(f["k"], SHARES),
    measure=mean("fractions"),
    conditions=[Condition("small start: size <= 1e-3", lambda f: f["size"] <= 1e-3)],
    tolerance=0.05,
    rivals={
        "k independent columns, k^(-x^2)": lambda f: float(f["k"]) ** (-np.square(SHARES)),
    },
    formula="(1/k)[1 + (k−1) ∫ (F(y) − F(xy))/F(y) k F(y)^{k−1} f(y) dy]",
)

CLAIMS = [FLOW_RATE, FLOW_VALUE, NORMS_VALUE, NORMS_RATE, FRACTION]
