"""The score at time t: its closed form, and how it tends to the score of directional pruning."""

from __future__ import annotations

import numpy as np

from theory_lab.core import Claim, Condition
from theory_lab.core.reduce import slope
from theory_lab.core.types import Facts
from theory_lab.theorems.directional_pruning.bounds import displacement as bounds
from theory_lab.theorems.directional_pruning.claims.sources import ASYMPTOTIC
from theory_lab.theorems.directional_pruning.experiments.score import NETWORK_SCORE, SCORE


def _displacements(f: Facts, shift: float = 0.0) -> np.ndarray:
    place = (f["hessian"], f["optimum"], f["start"])
    return np.array(
        [bounds.displacement(*place, 1.0, mu + shift, f["time"]) for mu in f["exponents"]]
    )


def _without_jumps(f: Facts) -> np.ndarray:
    """As if the final signs had been there from the start."""
    still = f["optimum"] * 0 + 1e9 * f["signs"]
    return np.array(
        [
            bounds.displacement(f["hessian"], still, still, 1.0, mu, f["time"])
            for mu in f["exponents"]
        ]
    )


CLOSED_FORM = Claim(
    "directional_pruning.score_limit.closed_form",
    ASYMPTOTIC,
    "For a constant Hessian the displacement solves its differential equation in closed form, by a"
    " confluent hypergeometric function for each eigenvalue, sign changes included.",
    experiment=SCORE,
    predict=_displacements,
    measure="displacement",
    observed=["signs"],
    tolerance=1e-9,
    scale=lambda f: np.max(np.abs(_displacements(f)), axis=1, keepdims=True),
    rivals={
        "mu + .005": lambda f: _displacements(f, 0.005),
        "c + .5 %": lambda f: 1.005 * _displacements(f),
        "without the sign changes": _without_jumps,
    },
    formula="x(t) = c t^μ Σ_i m(h_i t) v_i v_iᵀσ, m(z) = ₁F₁(1; μ+1; −z); a sign change at T_k adds 2c T_k^μ σ_j e_j",
)


def _curvatures(f: Facts) -> np.ndarray:
    return np.linalg.eigvalsh(f["hessian"])[..., -f["rank"] :]


CONSTANT = Claim(
    "directional_pruning.score_limit.constant",
    ASYMPTOTIC,
    "For a constant Hessian sbar tends to s like 1/t, for every mu.",
    experiment=SCORE,
    predict=lambda f: np.full(len(f["exponents"]), -1.0),
    measure=slope("score_gap", over="time"),
    conditions=[
        Condition(
            "h_min t >= 12",
            lambda f: np.min(f["time"]) * np.min(_curvatures(f)) >= 12,
        )
    ],
    tolerance=0.05,  # the next order of m(z), about (1 - mu) / z
    scale=1.0,
    rivals={"t^mu |sbar - s| bounded": lambda f: -np.array(f["exponents"])},
    formula="|s̄ − s| ∝ 1/t",
)


def _parts(f: Facts, flat: float | None = None) -> np.ndarray:
    """Slopes of the flat part for every mu, then of the curved part."""
    exponents = np.array(f["exponents"])
    return np.concatenate(
        [-exponents if flat is None else flat + 0 * exponents, -1 + 0 * exponents]
    )


VARYING = Claim(
    "directional_pruning.score_limit.varying",
    ASYMPTOTIC,
    "Where the Hessian varies along the flow (a linear net), the part of sbar - s in the flat space"
    " falls like t^-mu and the rest like 1/t: for mu < 1 the whole falls like t^-mu.",
    experiment=NETWORK_SCORE,
    predict=_parts,
    measure=slope("gaps", over="time"),
    observed=["least_curvature"],
    conditions=[
        Condition("h_min t >= 6", lambda f: np.min(f["time"]) * np.min(f["least_curvature"]) >= 6)
    ],
    tolerance=0.05,  # the next order of the curved part, about (1 - mu) / (h t)
    scale=1.0,
    basis="finding",
    rivals={"1/t as for a constant Hessian": lambda f: _parts(f, -1.0)},
    formula="|Π_0(s̄ − s)| ∝ t^(−μ), |(1 − Π_0)(s̄ − s)| ∝ 1/t",
)

CLAIMS = [CLOSED_FORM, CONSTANT, VARYING]
