"""Claims on two-layer networks with quadratic activation: the same pipeline, other constants."""

from __future__ import annotations

from typing import Any

import numpy as np

from theory_lab.core import Claim, Condition, Source
from theory_lab.core.reduce import mean
from theory_lab.theorems.matrix_sensing.bounds import (
    fine_tuning,
    finite_samples,
    stationary_points,
)
from theory_lab.theorems.matrix_sensing.bounds import quadratic_network as bounds
from theory_lab.theorems.matrix_sensing.claims.conditions import PAPER
from theory_lab.theorems.matrix_sensing.experiments.error_floor import NETWORK_ERROR
from theory_lab.theorems.matrix_sensing.experiments.quadratic_network import (
    NETWORK_POINTS,
    NETWORK_RATE,
)

SOURCE = Source(PAPER, "extension to quadratic activations, made explicit")


def _stationary(f: Any) -> bool:
    return np.max(f["gradient_norm"]) <= 1e-9 and np.min(f["curvature"]) >= -1e-8


def _covers(f: Any) -> bool:
    return 0 < f["lam"] < bounds.covering_threshold(f["spectrum"][-1], f["beta"])


def _pruning_keeps(f: Any) -> bool:
    return bounds.pruning_keeps(f["spectrum"][-1], f["lam"], f["beta"])


STATIONARY = Condition("second-order stationary point", _stationary)
COVERING = Condition("0 < lam < 4·sqrt(beta)·mu_r", _covers)

SURVIVORS = Claim(
    "matrix_sensing.quadratic_network.survivors",
    SOURCE,
    "At every second-order stationary point of the regularised population loss of a quadratic"
    " network, pruning at 2·sqrt(beta) leaves exactly r columns.",
    experiment=NETWORK_POINTS,
    measure="survivors",
    predict=lambda f: len(f["spectrum"]),
    observed=["gradient_norm", "curvature"],
    conditions=[STATIONARY, COVERING, Condition("phi(4·beta) < mu_r at lam/2", _pruning_keeps)],
    formula="λ < 4√β·μ_r and 4β + λψ′(4β)/4 < μ_r  ⟹  #{‖u_i‖ > 2√β} = r",
)

NORMS = Claim(
    "matrix_sensing.quadratic_network.norms",
    SOURCE,
    "The r longest columns have squared norms s_i with 4(s_i − mu_i) + 2·tau + lam·psi'(s_i) = 0,"
    " tau = sum (s_i − mu_i): r scalar equations, the larger roots.",
    experiment=NETWORK_POINTS,
    measure="squared_norms",
    predict=lambda f: bounds.kept_norms(f["spectrum"], f["lam"], f["beta"]),
    observed=["gradient_norm", "curvature"],
    conditions=[STATIONARY, COVERING],
    rivals={
        "matrix sensing's norms": lambda f: stationary_points.kept_norms(
            f["spectrum"], f["lam"], f["beta"]
        ),
        "without the trace term": lambda f: stationary_points.kept_norms(
            f["spectrum"], f["lam"] / 2, f["beta"]
        ),
    },
    formula="4(s_i − μ_i) + 2τ + λψ′(s_i) = 0,  τ = Σ (s_i − μ_i)",
)


def _rate(f: Any) -> float:
    if f["start"] == "pruned":
        return bounds.pruned_rate(f["spectrum"], f["step"])
    return bounds.generic_rate(f["spectrum"], f["d"], f["step"])


def _other_rate(f: Any) -> float:
    if f["start"] == "pruned":
        return bounds.generic_rate(f["spectrum"], f["d"], f["step"])
    return bounds.pruned_rate(f["spectrum"], f["step"])


def _sensing_rate(f: Any) -> float:
    rate = fine_tuning.pruned_rate if f["start"] == "pruned" else fine_tuning.generic_rate
    return rate(f["spectrum"][0], f["spectrum"][-1], f["step"])


RATE = Claim(
    "matrix_sensing.quadratic_network.rate",
    SOURCE,
    "Fine-tuning a quadratic network contracts |UUᵀ − X*| by max |1 − eta·h| a step, h the non-zero"
    " Hessian eigenvalues at X*: all of them from a generic start, only the radial ones from"
    " pruned columns.",
    experiment=NETWORK_RATE,
    measure="rate",
    predict=_rate,
    tolerance=5e-3,  # the window's end still holds some of the second slowest mode
    conditions=[Condition("stable step", lambda f: f["step"] < bounds.stable_step(f["spectrum"]))],
    rivals={"matrix sensing's rate": _sensing_rate, "the other start's rate": _other_rate},
    formula="ρ = max |1 − ηh|,  h ∈ {8μ_j, 8(μ_i + μ_j), eig(16 diag μ + 8√μ√μᵀ)}",
)


def _floor(f: Any) -> float:
    return bounds.error_floor(f["d"], len(f["eigenvalues"]), f["n"], f["sigma"])


def _sensing_floor(f: Any) -> float:
    degrees = finite_samples.degrees_of_freedom(f["d"], len(f["eigenvalues"]))
    return finite_samples.error_floor(degrees, f["n"], f["sigma"])


FLOOR = Claim(
    "matrix_sensing.quadratic_network.floor",
    SOURCE,
    "After regularised descent, pruning and fine-tuning on n inputs, the mean squared error is"
    " sigma²/n times the trace of the inverse Fisher information 2I + ggᵀ on rank-r matrices.",
    experiment=NETWORK_ERROR,
    measure=mean("error"),
    predict=_floor,
    observed=["exact"],
    tolerance=0.1,  # the accuracy shown; the neglected order is D/n, D = d(d+1)/2
    conditions=[
        Condition("every run keeps exactly r columns", lambda f: np.all(f["exact"] == 1)),
        Condition(
            "twenty inputs for every unknown", lambda f: f["n"] >= 10 * f["d"] * (f["d"] + 1)
        ),
    ],
    basis="finding",  # the first order in D/n of an asymptotic law
    rivals={"matrix sensing's floor": _sensing_floor},
    formula="E‖X̂ − X*‖² = (σ²/n)[(dof − 1)/2 + 1/(2 + r)]",
)

CLAIMS = [SURVIVORS, NORMS, RATE, FLOOR]
