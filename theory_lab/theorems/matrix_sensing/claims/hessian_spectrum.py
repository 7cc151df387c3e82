"""The whole Hessian at the point with r columns."""

from __future__ import annotations

from theory_lab.core import Claim
from theory_lab.core.types import Facts
from theory_lab.theorems.matrix_sensing.bounds import stationary_points as bounds
from theory_lab.theorems.matrix_sensing.bounds.regulariser import Array
from theory_lab.theorems.matrix_sensing.claims.conditions import (
    CERTIFICATE,
    POPULATION,
    R_COLUMNS,
    SECOND_ORDER,
    STATIONARY,
)
from theory_lab.theorems.matrix_sensing.experiments.stationary_points import STATIONARY_POINTS


def _spectrum(f: Facts, coupling: float = 1.0) -> Array:
    sizes = (f["d"], f["k"], f["lam"], f["beta"])
    return bounds.hessian_spectrum(f["spectrum"], *sizes, coupling)


HESSIAN_SPECTRUM = Claim(
    "matrix_sensing.hessian_spectrum",
    POPULATION,
    "All d k Hessian eigenvalues at a second-order stationary point with r non-zero columns, in"
    " closed form: radial, pairs of columns, column against null space, zero columns.",
    experiment=STATIONARY_POINTS,
    predict=_spectrum,
    measure="hessian_eigenvalues",
    conditions=[STATIONARY, SECOND_ORDER, R_COLUMNS],
    observed=[*CERTIFICATE, "nonzero"],
    scale=lambda f: f["spectrum"][0],
    rivals={"without the pair coupling": lambda f: _spectrum(f, coupling=0.0)},
    formula="8s_i + 4λs_iψ''_i; pair modes; 4μ_i (d−r each); 2λ(1/√β − ψ'_i) (k−r each); 2λ/√β",
)

CLAIMS = [HESSIAN_SPECTRUM]
