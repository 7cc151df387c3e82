"""Claims on matrix sensing from n noisy measurements: survival, isometry, error floors."""

from __future__ import annotations

from typing import Any

import numpy as np

from theory_lab.core import Claim, Condition, Record, Source
from theory_lab.core.reduce import each, mean, slope
from theory_lab.theorems.matrix_sensing.bounds import finite_samples as bounds
from theory_lab.theorems.matrix_sensing.claims.conditions import PAPER
from theory_lab.theorems.matrix_sensing.experiments.error_floor import (
    OVERPARAMETERISED_ERROR,
    PRUNED_ERROR,
)
from theory_lab.theorems.matrix_sensing.experiments.finite_samples import FINITE_SAMPLES
from theory_lab.theorems.matrix_sensing.experiments.restricted_isometry import RESTRICTED_ISOMETRY

LEVEL = 1e-6
"""Probability with which one cell's measurements may break the isometry bound."""


def _stationary(f: Any) -> bool:
    return f["gradient_norm"] <= 1e-9 and f["curvature"] >= -1e-8


def _directions_keep_columns(f: Any) -> bool:
    lost = bounds.most_lost(f["lam"], f["beta"])
    return f["error_norm"] + lost < f["spectrum"][-1]


def _noise_keeps_none(f: Any) -> bool:
    return f["lam"] > 0 and f["error_norm"] < bounds.least_kept(f["lam"], f["beta"])


FINITE_SAMPLE_SURVIVAL = Claim(
    "matrix_sensing.finite_sample_survival",
    Source(PAPER, "empirical counterpart of the main theorem, made explicit"),
    "At a second-order stationary point of the regularised empirical loss, pruning at 2·sqrt(beta)"
    " leaves exactly r columns if the error matrix E = N − (M − I)(UUᵀ − X*) is small enough.",
    experiment=FINITE_SAMPLES,
    measure="survivors",
    predict=lambda f: len(f["spectrum"]),
    observed=["error_norm", "gradient_norm", "curvature", "smallest_squared_norm"],
    conditions=[
        Condition("second-order stationary point", _stationary),
        Condition("a column is zero", lambda f: f["smallest_squared_norm"] <= 1e-8),
        Condition("|E| + max(lam/(2·sqrt(beta)), phi(4·beta)) < mu_r", _directions_keep_columns),
        Condition("|E| < phi(s) for all s >= 4·beta, lam > 0", _noise_keeps_none),
    ],
    formula="‖E‖ + max(λ/(2√β), φ(4β)) < μ_r and ‖E‖ < min_{s ≥ 4β} φ(s)  ⟹  #{‖u_i‖ > 2√β} = r",
)


def _deviations(record: Record) -> np.ndarray:
    return np.concatenate([record.result("upper").value, record.result("lower").value])


def _spread(f: Any, ranks: Any = None) -> np.ndarray:
    ranks = f["ranks"] if ranks is None else ranks
    return bounds.spread(f["d"], ranks, f["n"], LEVEL / (2 * len(f["ranks"])))


def _isometry(spread: np.ndarray) -> np.ndarray:
    return np.concatenate([bounds.isometry_excess(spread), bounds.isometry_deficit(spread)])


ISOMETRY_BOUND = Claim(
    "matrix_sensing.restricted_isometry.bound",
    Source("Gordon's comparison inequality", "with Gaussian concentration; used by " + PAPER),
    "On matrices of rank at most m, n Gaussian measurements stretch squared norms by no more than"
    " (1 + x)² and no less than (1 − x)², x = w_m/sqrt(n) plus a deviation term, with probability"
    " 1 − 1e-6: a local search finds nothing beyond.",
    relation="<=",
    experiment=RESTRICTED_ISOMETRY,
    measure=each(_deviations),
    predict=lambda f: _isometry(_spread(f)),
    conditions=[
        Condition("measurements outnumber the squared width", lambda f: _spread(f).max() < 1)
    ],
    rivals={
        "width of rank one for every rank": lambda f: _isometry(_spread(f, (1,) * len(f["ranks"]))),
        "without the cross term": lambda f: np.tile(_spread(f) ** 2, 2),
    },
    formula="sup ⟨Z, M(Z)⟩ − 1 ≤ (1 + x)² − 1,  1 − inf ⟨Z, M(Z)⟩ ≤ 1 − (1 − x)²,"
    "  x = (w_m + √(2 log(1/p)))/√n",
)


def _far_beyond_width(f: Any) -> bool:
    widest = bounds.gaussian_width(f["d"], max(f["ranks"]))
    return bool(np.min(f["n"]) >= 10 * widest**2)


def _exponent(power: float) -> Any:
    return lambda f: np.full(len(f["ranks"]), power)


ISOMETRY_RATE = Claim(
    "matrix_sensing.restricted_isometry.rate",
    Source("Gordon's comparison inequality", "half the sum of its two bounds is 2·w_m/sqrt(n)"),
    "Half the sum of the largest stretching and shrinking on matrices of rank at most m falls as"
    " n^(−1/2) once n is large against the squared width (each alone has a 1/n term besides).",
    experiment=RESTRICTED_ISOMETRY,
    measure=slope("half_sum", over="n"),
    predict=_exponent(-0.5),
    tolerance=0.06,  # the local constant still moves by some per cent over the ladder
    conditions=[Condition("measurements ten times the squared width", _far_beyond_width)],
    rivals={"1/n": _exponent(-1.0), "n^(-1/4)": _exponent(-0.25)},
    formula="(δ₊ + δ₋)/2 ~ n^(−1/2)",
)


def _pruned_floor(f: Any) -> float:
    degrees = bounds.degrees_of_freedom(f["d"], len(f["eigenvalues"]))
    return bounds.error_floor(degrees, f["n"], f["sigma"])


def _idle_floor(f: Any) -> float:
    degrees = bounds.effective_degrees(f["d"], len(f["eigenvalues"]), f["columns"])
    return bounds.error_floor(degrees, f["n"], f["sigma"])


ENOUGH = Condition("two measurements for every unknown", lambda f: f["n"] >= f["d"] * (f["d"] + 1))

PRUNED_FLOOR = Claim(
    "matrix_sensing.error_floor.pruned",
    Source(PAPER, "error after fine-tuning, of order sigma² r d / n; here with its constant"),
    "After regularised descent, pruning and fine-tuning the mean squared error is that of least"
    " squares on the dof = dr − r(r−1)/2 dimensions of rank-r matrices.",
    experiment=PRUNED_ERROR,
    measure=mean("error"),
    predict=_pruned_floor,
    observed=["exact"],
    tolerance=0.1,  # the accuracy shown; the neglected order is (dof/n)²
    conditions=[Condition("every run keeps exactly r columns", lambda f: np.all(f["exact"] == 1))],
    basis="finding",  # an asymptotic law, to the second order in dof/n
    rivals={"the floor without pruning": _idle_floor},
    formula="E‖X̂ − X*‖² = σ² dof/(n − dof)",
)

IDLE_FLOOR = Claim(
    "matrix_sensing.error_floor.overparameterised",
    Source(PAPER, "comparison with unpruned models, made explicit"),
    "Without pruning, k − r idle columns fit noise: dof grows by the mean of the k − r largest"
    " squared positive eigenvalues of a Gaussian symmetric matrix of size d − r.",
    experiment=OVERPARAMETERISED_ERROR,
    measure=mean("error"),
    predict=_idle_floor,
    tolerance=0.1,  # the accuracy shown; the neglected order is (dof/n)²
    conditions=[ENOUGH],
    basis="finding",  # an asymptotic law, to the second order in dof/n
    rivals={
        "the floor after pruning": _pruned_floor,
        "sigma² k d / n": lambda f: f["sigma"] ** 2 * f["columns"] * f["d"] / f["n"],
    },
    formula="E‖X̂ − X*‖² = σ² dof_k/(n − dof_k),  dof_k = dof + E Σ_{j ≤ k−r} (λ_j⁺)²",
)

CLAIMS = [FINITE_SAMPLE_SURVIVAL, ISOMETRY_BOUND, ISOMETRY_RATE, PRUNED_FLOOR, IDLE_FLOOR]
