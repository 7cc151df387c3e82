"""Which q are subadditive, and what follows for q^-1(sum q)."""

from __future__ import annotations

import numpy as np

from theory_lab.core import Claim, Source
from theory_lab.core.types import Condition
from theory_lab.theorems.sequential_attention.claims.sources import ADMISSIBLE, PAPER, SUBADDITIVE
from theory_lab.theorems.sequential_attention.experiments.penalties import (
    PENALTY_VALUES,
    SUBADDITIVITY,
)

FORMULAS = dict(abs="a", sqrt="√a", two_thirds="a^(2/3)", log="log(1 + a)", bounded="a/(1 + a)",
                sine="a + |sin a|/2 (not concave)")  # fmt: skip


def _subadditivity(name: str) -> Claim:
    return Claim(
        f"sequential_attention.subadditivity.{name}",
        Source(PAPER, "hypotheses of Theorem 1.1"),
        f"q(a) = {FORMULAS[name]} is 0 at 0, increasing and subadditive: q(a + b) - q(a) - q(b) is at"
        " most 0, relative to q(a) + q(b), for 300 a and 300 b from 0.001 to 100.",
        relation="<=",
        experiment=SUBADDITIVITY,
        predict=lambda f: 0.0,
        measure="violations",
        tolerance=1e-12,
        scale=1.0,
        basis="theorem",
        formula="q(0) = 0, q ↑, q(a + b) ≤ q(a) + q(b)",
    )


def _concave(name: str) -> Claim:
    return Claim(
        f"sequential_attention.subadditivity.{name}.concave",
        Source(PAPER, "hypotheses of Theorem 1.1"),
        f"q(a) = {FORMULAS[name]} is concave, which with q(0) = 0 makes it subadditive everywhere: of"
        " 1,199 chords from 0.001 to 100 none is steeper than the one before.",
        relation="<=",
        experiment=SUBADDITIVITY,
        predict=lambda f: 0.0,
        measure="bends",
        tolerance=1e-9,  # chords of neighbours lose digits
        scale=1.0,
        formula="q″ ≤ 0",
    )


SUBADDITIVE_CLAIMS = [_subadditivity(name) for name in ADMISSIBLE]

CONCAVE_CLAIMS = [_concave(name) for name in ADMISSIBLE if name != "sine"]

DOMINATES = Claim(
    "sequential_attention.penalty_dominates",
    Source(PAPER, "Lemma 2.4"),
    "For increasing subadditive q the penalty q^-1(sum q(|b_i|)) is at least the Group LASSO's"
    " sum |b_i|.",
    relation=">=",
    experiment=PENALTY_VALUES,
    predict=lambda f: np.sum(f["norms"], axis=1),
    measure="penalty",
    conditions=[SUBADDITIVE],
    tolerance=1e-9,
    formula="q⁻¹(Σ q(|b_i|)) ≥ Σ |b_i|",
)

EQUALITY = Claim(
    "sequential_attention.penalty_dominates.equality",
    Source(PAPER, "Lemma 2.5"),
    "With at most one group that is not 0, q^-1(sum q(|b_i|)) is its norm (the inverse by bisection"
    " on q).",
    experiment=PENALTY_VALUES,
    predict=lambda f: np.max(f["norms"], axis=1),
    measure="bisected",
    conditions=[
        Condition("at most one group", lambda f: np.count_nonzero(f["norms"], axis=1).max() <= 1)
    ],
    tolerance=1e-9,
    rivals={"the root of a sum of squares over t": lambda f: np.mean(f["norms"], axis=1)},
    formula="q⁻¹(q(|b|)) = |b|",
)

CLAIMS = [*SUBADDITIVE_CLAIMS, *CONCAVE_CLAIMS, DOMINATES, EQUALITY]
