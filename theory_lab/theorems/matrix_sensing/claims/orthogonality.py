"""Columns at second-order stationary points are orthogonal, whatever the loss of U U^T."""

from __future__ import annotations

import numpy as np

from theory_lab.core import Claim, Condition
from theory_lab.core.types import Facts
from theory_lab.theorems.matrix_sensing.bounds import stationary_points as bounds
from theory_lab.theorems.matrix_sensing.claims.conditions import (
    CERTIFICATE,
    LANDSCAPE,
    REGULARISED,
    SECOND_ORDER,
    STATIONARY,
)
from theory_lab.theorems.matrix_sensing.experiments.descent_path import DESCENT_PATH
from theory_lab.theorems.matrix_sensing.experiments.spectral_form import SPECTRAL_FORM
from theory_lab.theorems.matrix_sensing.experiments.stationary_points import STATIONARY_POINTS

ORTHOGONAL_COLUMNS = Claim(
    "matrix_sensing.orthogonal_columns",
    LANDSCAPE,
    "At a second-order stationary point of F(U U^T) + lam R_beta(U) all columns are orthogonal,"
    " for any differentiable F: population, empirical and quadratic-network losses alike.",
    experiment=STATIONARY_POINTS,
    predict=lambda f: 0.0,
    measure="off_diagonal",
    conditions=[REGULARISED, STATIONARY, SECOND_ORDER],
    observed=[*CERTIFICATE, "largest_norm"],
    scale=lambda f: f["largest_norm"],
    formula="max_{i≠j} |⟨u_i, u_j⟩| = 0",
)

SPECTRAL = Claim(
    "matrix_sensing.spectral_form",
    LANDSCAPE,
    "R_beta(U) is at least the sum of psi over the eigenvalues of U U^T, with equality where the"
    " columns are orthogonal.",
    relation=">=",
    experiment=SPECTRAL_FORM,
    predict=lambda f: bounds.spectral_penalty(f["eigenvalues"], f["beta"], f["penalty"]),
    measure="regulariser",
    conditions=[Condition("psi is concave", lambda f: f["penalty"] == "group lasso")],
    observed=["eigenvalues"],
    tolerance=1e-10,
    formula="R_β(U) ≥ Σ_i ψ(λ_i(UUᵀ))",
)

SPECTRAL_EQUALITY = Claim(
    "matrix_sensing.spectral_form.equality",
    LANDSCAPE,
    "R_beta(U) equals the sum of psi over the eigenvalues of U U^T if the columns are orthogonal.",
    experiment=SPECTRAL_FORM,
    predict=lambda f: bounds.spectral_penalty(f["eigenvalues"], f["beta"], f["penalty"]),
    measure="regulariser",
    conditions=[Condition("orthogonal columns", lambda f: f["columns"] == "orthogonal")],
    observed=["eigenvalues"],
    tolerance=1e-10,
    formula="R_β(U) = Σ_i ψ(λ_i(UUᵀ)) where ⟨u_i, u_j⟩ = 0",
)

GRADIENT = Claim(
    "matrix_sensing.approximate_orthogonality.gradient",
    LANDSCAPE,
    "At any U with |grad f|_F = eps, every pair of columns has"
    " 2 lam |G_ij| |psi'_i - psi'_j| <= eps sqrt(s_i + s_j).",
    relation="<=",
    experiment=DESCENT_PATH,
    predict=lambda f: bounds.pair_gradient_bound(f["first_norms"], f["second_norms"], f["eps"]),
    measure="slope_products",
    observed=["first_norms", "second_norms", "eps"],
    tolerance=1e-12,
    scale=lambda f: f["spectrum"][0] ** 2,
    rivals={
        "the longer column alone": lambda f: (
            f["eps"] * np.sqrt(np.maximum(f["first_norms"], f["second_norms"]))
        )
    },
    formula="2λ|G_ij| |ψ'_i − ψ'_j| ≤ ε √(s_i + s_j)",
)

CURVATURE = Claim(
    "matrix_sensing.approximate_orthogonality.curvature",
    LANDSCAPE,
    "At any U with |grad f|_F = eps and Hessian >= -gamma, every pair of columns has"
    " 4 lam G_ij^2 (|psi''_i| + |psi''_j|) <= gamma (s_i + s_j) + eps sqrt(s_i + s_j)"
    " + 2 lam |s_i - s_j| |psi'_i - psi'_j|.",
    relation="<=",
    experiment=DESCENT_PATH,
    predict=lambda f: _curvature_bound(f, f["gamma"]),
    measure="bend_products",
    observed=["first_norms", "second_norms", "eps", "gamma"],
    tolerance=1e-10,
    scale=lambda f: f["spectrum"][0] ** 2,
    rivals={"without the gamma term": lambda f: _curvature_bound(f, 0.0)},
    formula="4λG_ij² (|ψ''_i| + |ψ''_j|) ≤ γ(s_i + s_j) + ε√(s_i + s_j) + 2λ|s_i − s_j||ψ'_i − ψ'_j|",
)


def _curvature_bound(f: Facts, gamma: float) -> np.ndarray:
    return bounds.pair_curvature_bound(
        f["first_norms"], f["second_norms"], f["eps"], gamma, f["lam"], f["beta"]
    )


CLAIMS = [ORTHOGONAL_COLUMNS, SPECTRAL, SPECTRAL_EQUALITY, GRADIENT, CURVATURE]
