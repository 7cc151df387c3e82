"""Differentiable masks with weight decay are explicit regularisers."""

from __future__ import annotations

import numpy as np

from theory_lab.core import Claim, Source
from theory_lab.core.types import Condition, Facts, Formula
from theory_lab.theorems.sequential_attention.bounds import masks as bounds
from theory_lab.theorems.sequential_attention.claims.sources import PAPER
from theory_lab.theorems.sequential_attention.experiments.masks import (
    BEND,
    MASK_MINIMUM,
    SOFTMAX_MINIMUM,
    WHOLE,
)

OWN_MASK = "the mask is that of the row"


def _row(
    name: str, row: str, locus: str, formula: str, rivals: dict[str, Formula]
) -> Claim:  # fmt: skip
    def predict(f: Facts) -> np.ndarray:
        return bounds.regulariser(row, f["norms"], f["parameter"])

    return Claim(
        f"sequential_attention.mask_equivalence.{name}",
        Source(PAPER, locus),
        f"The minimum over the mask variable of its cost plus (a / mask)^2 is {formula},"
        " at every norm a >= 0.",
        experiment=MASK_MINIMUM,
        predict=predict,
        measure="minimum",
        conditions=[Condition(OWN_MASK, lambda f: f["row"] == row)],
        tolerance=1e-9,
        scale=lambda f: np.maximum(predict(f), 1e-12),
        rivals=rivals,
        formula=formula,
    )


IDENTITY = _row(
    "identity", "identity", "introduction, Group LASSO identity", "q(a) = a",
    {"a^(2/3)": lambda f: np.power(f["norms"], 2 / 3)},
)  # fmt: skip
EXPONENTIAL = _row(
    "exponential", "exponential", "Lemma 2.1 (decay of the logits as a parameter: derived)",
    "q(a) = ρ (W²/4 + W/2), W e^W = 2a²/ρ",
    {"the paper's word for it, log(1 + a)": lambda f: np.log1p(f["norms"]),
     "W without its square": lambda f: f["parameter"] * np.sqrt(np.maximum(
         1 + 4 * bounds.exponential_mask(f["norms"], f["parameter"]) / f["parameter"], 0)) / 2 - f["parameter"] / 2},
)  # fmt: skip
POWER_DECAY = _row(
    "power_decay", "power_decay", "Lemma 2.2 is p = 1 (other p: derived)",
    "q(a) = (1 + p/2) (2/p)^(p/(p+2)) a^(2p/(p+2))",
    {"exponent 2/(p+2)": lambda f: np.power(f["norms"], 2 / (f["parameter"] + 3))},
)  # fmt: skip
POWERPROP = _row(
    "powerprop", "powerprop", "Lemma 2.3 is alpha = 2 (other alpha: derived)", "q(a) = a^(2/α)",
    {"a^(1/alpha)": lambda f: np.power(f["norms"], 1 / f["parameter"])},
)  # fmt: skip
ABSOLUTE_LOGITS = _row(
    "absolute_logits", "absolute_logits", "exponential mask with l1 decay (derived)",
    "q(a) = a² where 2a² ≤ 1, else 1/2 + log(2a²)/2",
    {"a^2 throughout": lambda f: np.square(f["norms"])},
)  # fmt: skip

SOFTMAX = Claim(
    "sequential_attention.mask_equivalence.softmax",
    Source(PAPER, "Algorithm 1's normalised softmax, decay on the weights only (derived)"),
    "The infimum over softmax masks on t groups (mean 1) of sum (a_i / mask_i)^2 is"
    " (sum a_i^(2/3))^3 / t^2.",
    experiment=SOFTMAX_MINIMUM,
    predict=lambda f: bounds.softmax_mask(f["norms"]),
    measure="minimum",
    tolerance=1e-9,
    rivals={
        "exponent 1": lambda f: np.sum(f["norms"], axis=1) ** 2,
        "exponent 1/2": lambda f: (
            np.sum(np.sqrt(f["norms"]), axis=1) ** 4 / len(f["norms"][0]) ** 2
        ),
    },
    formula="inf = (Σ a_i^(2/3))³ / t²",
)

WHOLE_PROBLEM = Claim(
    "sequential_attention.mask_equivalence.end_to_end",
    Source(PAPER, "Lemmas 2.1 to 2.3 and the identity of the introduction"),
    "The masked problem and the regularised problem have the same global minimum (both searched from"
    " many starts; only the minima agree, not the landscapes).",
    experiment=WHOLE,
    predict=lambda f: f["penalised"],
    observed=["penalised"],
    measure="masked",
    tolerance=1e-7,
    formula="min L(mask(w) b) + λ Σ (r(w) + |b|²) = min L(u) + λ Σ q(|u|)",
)

INFLECTION = Claim(
    "sequential_attention.lemma21_gap.inflection",
    Source(PAPER, "Lemma 2.1's q, its shape (derived)"),
    "q of the exponential mask is convex below sqrt(e rho / 2) and concave above, hence not"
    " subadditive near 0.",
    experiment=BEND,
    predict=lambda f: bounds.inflection(f["decay"]),
    measure="inflection",
    tolerance=3e-4,  # three spacings of the grid that brackets the place
    basis="finding",
    rivals={"sqrt(rho / 2)": lambda f: np.sqrt(f["decay"] / 2)},
    formula="q″ changes sign at √(eρ/2)",
)

ROWS = [IDENTITY, EXPONENTIAL, POWER_DECAY, POWERPROP, ABSOLUTE_LOGITS]

CLAIMS = [*ROWS, SOFTMAX, WHOLE_PROBLEM,
          INFLECTION]  # fmt: skip
