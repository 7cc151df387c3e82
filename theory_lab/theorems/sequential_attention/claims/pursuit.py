"""Sequential LASSO and sequential attention are OMP; OMP and OMPR contract."""

from __future__ import annotations

import numpy as np

from theory_lab.core import Claim, Condition, Source
from theory_lab.core.types import Facts
from theory_lab.theorems.sequential_attention.bounds import pursuit as bounds
from theory_lab.theorems.sequential_attention.claims.sources import PAPER, SELECTION
from theory_lab.theorems.sequential_attention.experiments.pursuit import (
    OMP,
    REPLACEMENT,
    SEQUENCE,
)

RATE = Source(PAPER, "Theorem B.3, its step made explicit (derived)")


def _sizes(f: Facts) -> tuple[int, ...]:
    return tuple(int(size) for size in f["group_sizes"])


def _gram(f: Facts) -> np.ndarray:
    return f["rows"].T @ f["rows"]


WINDOW = Condition(
    "lam in the certified window below the first entry", lambda f: 0 <= f["place"] < 1
)
LEADS = Condition(
    "at every step one group has the largest pull, by a thousandth",
    lambda f: bounds.least_lead(f["rows"], f["response"], _sizes(f), f["k"]) > 1e-3,
)


def _is_omp(name: str, locus: str, words: str) -> Claim:
    return Claim(
        f"sequential_attention.{name}",
        Source(SELECTION, locus),
        f"With the selected groups free and lam in the certified window below the first entry, {words}"
        " lets exactly one group in at each step, the one that OMP takes.",
        experiment=SEQUENCE,
        predict=lambda f: np.array(
            bounds.omp_sequence(f["rows"], f["response"], _sizes(f), f["k"])
        ),
        measure="selected",
        conditions=[WINDOW, LEADS],
        scale=1.0,
        rivals={
            "the largest pulls at the start": lambda f: np.argsort(
                [-np.linalg.norm(part) for part in np.split(
                    f["rows"].T @ f["response"], np.cumsum(f["group_sizes"])[:-1])]
            )[: f["k"]],
        },
        formula="argmax_g |X_gᵀ r_S|",
    )  # fmt: skip


SEQUENTIAL_LASSO = _is_omp(
    "sequential_lasso_is_omp", "Sequential LASSO is OMP (lab's formulation)",
    "the Group LASSO",
)  # fmt: skip
SEQUENTIAL_ATTENTION = _is_omp(
    "sequential_attention_is_omp",
    "regularised linear Sequential Attention is OMP (lab's formulation)",
    "the masked problem in product form",
)  # fmt: skip


def _omp_bound(f: Facts) -> np.ndarray:
    """(1 - mu / (k L_1)) (f(S) - f*) with mu on S and S* together, for every step."""
    sizes, gram = _sizes(f), _gram(f)
    smooth = bounds.restricted_eigenvalues(gram, sizes, 1)[1]
    found = []
    for step, before in zip(f["step"], f["before"], strict=True):
        union = sorted({*f["support"][: int(step)].astype(int).tolist(), *f["planted"].tolist()})
        convex = bounds.restricted_eigenvalues(gram, sizes, len(union), union)[0]
        found.append(bounds.contraction(convex, smooth, f["k"]) * before)
    return np.array(found)


OMP_RATE = Claim(
    "sequential_attention.omp_rate",
    RATE,
    "Every step of OMP takes f - f* (f* the loss of any k groups) down by at least the factor"
    " 1 - mu / (k L_1), while f > f*.",
    relation="<=",
    experiment=OMP,
    predict=_omp_bound,
    measure="after",
    observed=["before", "step", "support"],
    tolerance=1e-9,
    scale=lambda f: np.maximum(f["before"], 0),
    rivals={"twice the rate": lambda f: 2 * _omp_bound(f) - f["before"]},
    formula="f(t+1) − f* ≤ (1 − μ/(k L_1)) (f(t) − f*)",
)


def constants(f: Facts) -> tuple[float, float]:
    """mu_{k+k'} and L_2 of the Gram matrix."""
    sizes, gram = _sizes(f), _gram(f)
    total = 2 * f["k"] + f["extra"]
    convex = bounds.restricted_eigenvalues(gram, sizes, total)[0]
    return convex, bounds.restricted_eigenvalues(gram, sizes, 2)[1]


ENOUGH = Condition(
    "k' >= k (L_2^2 / mu^2 + 1)",
    lambda f: f["k"] + f["extra"] >= bounds.least_size(*constants(f), f["k"]) * (1 - 1e-12),
)

OMPR_RATE = Claim(
    "sequential_attention.ompr_rate",
    RATE,
    "Every round of OMPR with k' groups takes f - f* down by at least the factor 1 - mu / (k L_2),"
    " while f > f*.",
    relation="<=",
    experiment=REPLACEMENT,
    predict=lambda f: bounds.contraction(*constants(f), f["k"]) * f["before"],
    measure="after",
    conditions=[ENOUGH],
    observed=["before"],
    tolerance=1e-9,
    scale=lambda f: np.maximum(f["before"], 0),
    rivals={
        "twice the rate": lambda f: (
            (2 * bounds.contraction(*constants(f), f["k"]) - 1) * f["before"]
        )
    },
    formula="f(t+1) − f* ≤ (1 − μ_{k+k'}/(k L_2)) (f(t) − f*)",
)

OMPR_REACHES = Claim(
    "sequential_attention.ompr_support.reaches",
    Source(PAPER, "Theorem B.3"),
    "Within R = k (L_2 / mu) log((f(0) - f*) / eps) rounds, rounded up, OMPR has k' groups with f <= f* + eps.",
    relation="<=",
    experiment=REPLACEMENT,
    predict=lambda f: bounds.rounds(*constants(f), f["k"], 1.0, f["accuracy"]),
    measure="needed",
    conditions=[ENOUGH],
    scale=1.0,
    formula="R ≥ k (L_2/μ) log((f(0) − f*)/ε)",
)

OMPR_STAYS = Claim(
    "sequential_attention.ompr_support.stays",
    RATE,
    "Once OMPR is at or below f*, no later round is above it.",
    relation="<=",
    experiment=REPLACEMENT,
    predict=lambda f: 0.0,
    measure="relapse",
    conditions=[ENOUGH],
    tolerance=1e-9,
    scale=1.0,
    formula="f(t) ≤ f* ⇒ f(t+1) ≤ f*",
)

CLAIMS = [SEQUENTIAL_LASSO, SEQUENTIAL_ATTENTION, OMP_RATE, OMPR_RATE, OMPR_REACHES, OMPR_STAYS]
