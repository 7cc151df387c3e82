"""Layer quotas: what they solve, and where they end."""

from __future__ import annotations

from typing import Any

import numpy as np

from theory_lab.core import Claim, Condition, Source
from theory_lab.theorems.connectivity.bounds import quotas as bounds
from theory_lab.theorems.connectivity.claims.effective_mask import PAPER
from theory_lab.theorems.connectivity.experiments.quotas import QUOTA, UNIFORM_PLUS

GAS = Source(PAPER, "ideal gas quotas, and their authors' code")
RIGL = Source("arXiv:1911.11134", "ERK; layers above 1 frozen dense, as in the authors' code")
PLUS = Source(PAPER, "authors' code: uniform+")


IDEAL_GAS = Condition("ideal gas quotas", lambda f: f["quota"] == "IGQ")
ERK_SOLVED = Condition("ERK solved again", lambda f: f["quota"] == "ERK")
EXACT = Condition("densities are not rounded to counts", lambda f: not f["rounded"])


def _force(f: Any) -> float:
    return bounds.gas_force(f["sizes"], f["compression"])


def _total(f: Any) -> float:
    return float(np.sum(f["sizes"])) / f["compression"]


IGQ = Claim(
    "connectivity.igq_quota",
    GAS,
    "Ideal gas quotas are 1 / (1 + F n_l) with the one force F that meets the total.",
    experiment=QUOTA,
    predict=lambda f: bounds.gas_densities(f["sizes"], f["compression"]),
    measure="densities",
    conditions=[IDEAL_GAS, EXACT],
    tolerance=1e-9,
    rivals={
        "uniform": lambda f: 1 / f["compression"],
        "ERK": lambda f: bounds.erk_densities(f["shapes"], f["compression"]),
    },
    formula="d_l = 1/(1 + F n_l),  Σ d_l n_l = N/c",
)

IGQ_COUNTS = Claim(
    "connectivity.igq_quota.counts",
    GAS,
    "Every layer keeps fewer than 1 / F weights, at strong compression nearly all the same number.",
    relation="<=",
    experiment=QUOTA,
    predict=lambda f: 1 / _force(f),
    measure="kept",
    conditions=[IDEAL_GAS, EXACT],
    tolerance=1e-9,
    rivals={"an equal share of the total": lambda f: _total(f) / len(f["sizes"])},
    formula="d_l n_l < 1/F",
)

IGQ_DECREASING = Claim(
    "connectivity.igq_quota.decreasing",
    GAS,
    "A larger layer is never denser.",
    relation="<=",
    experiment=QUOTA,
    predict=lambda f: 0,
    measure="rises",
    conditions=[IDEAL_GAS, EXACT],
    scale=1.0,
    tolerance=1e-12,
    formula="n_l ≤ n_m  ⇒  d_l ≥ d_m",
)


def _sums_to_total(name: str, source: Source, what: str) -> Claim:
    return Claim(
        f"connectivity.{name}.total",
        source,
        f"{what} keep N / c weights in all, exactly.",
        experiment=QUOTA,
        predict=_total,
        measure="total",
        conditions=[EXACT],
        tolerance=1e-12,
        formula="Σ d_l n_l = N/c",
    )


def _at_most_one(name: str, source: Source, what: str, kind: Condition) -> Claim:
    return Claim(
        f"connectivity.{name}.at_most_one",
        source,
        f"{what} are densities: no layer is asked for more than it has.",
        relation="<=",
        experiment=QUOTA,
        predict=lambda f: 1.0,
        measure="largest",
        conditions=[kind],
        tolerance=1e-12,
        formula="d_l ≤ 1",
    )


ERK = Claim(
    "connectivity.erk_quota",
    RIGL,
    "ERK with layers frozen and solved for again is min(1, k r_l), r_l the sum of a layer's"
    " dimensions over their product.",
    experiment=QUOTA,
    predict=lambda f: bounds.erk_densities(f["shapes"], f["compression"]),
    measure="densities",
    conditions=[ERK_SOLVED, EXACT],
    tolerance=1e-11,
    rivals={
        "without solving again": lambda f: bounds.erk_without_resolving(
            f["shapes"], f["compression"]
        )
    },
    formula="d_l = min(1, k r_l),  Σ d_l n_l = N/c",
)

UNIFORM_PLUS_LIMIT = Claim(
    "connectivity.uniform_plus_quota.limit",
    PLUS,
    "uniform+ has an answer up to compression N / (n_1 + .2 n_L); beyond, the middle layers' density"
    " would be negative.",
    experiment=UNIFORM_PLUS,
    predict=lambda f: bounds.uniform_plus_limit(f["sizes"].tolist()),
    measure="limit",
    conditions=[Condition("at least 3 layers", lambda f: len(f["sizes"]) >= 3)],
    rivals={"with the last layer dense": lambda f: bounds.all_of_last_limit(f["sizes"].tolist())},
    formula="c ≤ N/(n_1 + n_L/5)",
)

CLAIMS = [
    IGQ,
    _sums_to_total("igq_quota", GAS, "Ideal gas quotas"),
    _at_most_one("igq_quota", GAS, "Ideal gas quotas", IDEAL_GAS),
    IGQ_DECREASING,
    IGQ_COUNTS,
    ERK,
    _sums_to_total("erk_quota", RIGL, "ERK quotas"),
    _at_most_one("erk_quota", RIGL, "ERK quotas", ERK_SOLVED),
    UNIFORM_PLUS_LIMIT,
    _sums_to_total("uniform_plus_quota", PLUS, "uniform+ quotas"),
]
IGQ_TOTAL, IGQ_AT_MOST_ONE = CLAIMS[1:3]
ERK_TOTAL, ERK_AT_MOST_ONE = CLAIMS[6:8]
UNIFORM_PLUS_TOTAL = CLAIMS[-1]
