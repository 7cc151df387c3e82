"""What lies beyond Theorem 1.1: Lemma 2.1's q, and the one-group point below the window."""

from __future__ import annotations

import numpy as np

from theory_lab.core import Claim, Condition, Source
from theory_lab.core.types import Facts
from theory_lab.theorems.sequential_attention.bounds import stability as bounds
from theory_lab.theorems.sequential_attention.claims.sources import PAPER
from theory_lab.theorems.sequential_attention.experiments.certificates import WITNESS
from theory_lab.theorems.sequential_attention.experiments.stability import STABILITY, SWITCHING

GAP = Claim(
    "sequential_attention.lemma21_gap.active_groups",
    Source(PAPER, "Lemma 2.1 beside Theorem 1.1"),
    "Lemma 2.1's q is like a^2 near 0 and not subadditive, so that Theorem 1.1 does not cover it:"
    " where the Group LASSO has one group, and another has a gradient at it, every global minimiser has"
    " at least 2.",
    relation=">=",
    experiment=WITNESS,
    predict=lambda f: 2,
    measure="least_groups",
    conditions=[
        Condition("the Group LASSO minimiser has one group", lambda f: f["lasso_groups"] == 1),
        Condition(
            "another group has a gradient at the best one-group point",
            lambda f: f["outside_pull"] > 1e-3 * f["lam"],
        ),
    ],
    observed=["lasso_groups", "outside_pull"],
    scale=1.0,
    basis="finding",
    formula="#{i : b_i ≠ 0} ≥ 2",
)


def _break(f: Facts, with_slope: bool = True) -> float:
    return bounds.breaking_point(f["gram"], f["pull"], f["sizes"], f["q"], with_slope)


STABLE = Claim(
    "sequential_attention.one_sparse_stability",
    Source(PAPER, "Theorem 1.1 beyond its window (derived)"),
    "As lam falls, the one-group point stays a local minimum of F_q until max_j |grad_j L(b_1)| ="
    " lam q'(0) / q'(|b_1|).",
    experiment=STABILITY,
    predict=_break,
    measure="breaking_point",
    conditions=[Condition("q has a slope everywhere", lambda f: f["q"] in bounds.SLOPES)],
    tolerance=1e-4,
    scale=lambda f: max(_break(f), 1e-2 * float(np.linalg.norm(f["pull"]))),
    basis="finding",
    rivals={"without q'": lambda f: _break(f, with_slope=False)},
    formula="max_j |∇_j L(b_1)| = λ q′(0)/q′(|b_1|)",
)

SWITCH = Source(PAPER, "Theorem 1.1 beyond its window: the global minimum (derived)")


def _window_end(f: Facts) -> float:
    """lam2."""
    return _break(f, with_slope=False)


SMOOTH_CONCAVE = Condition(
    "q is concave with a finite slope at 0", lambda f: f["q"] in ("abs", "log", "bounded")
)

SWITCHES = Claim(
    "sequential_attention.one_sparse_stability.global",
    SWITCH,
    "For concave q the one-group point is not the global minimum below the lam at which it stops being"
    " a local one: the lam at which it stops being global is at or above that.",
    relation=">=",
    experiment=SWITCHING,
    predict=_break,
    measure="switch",
    conditions=[SMOOTH_CONCAVE],
    tolerance=3e-3,  # the bracket of the bisection, and the square root of the gap of a node
    scale=_window_end,
    basis="finding",
    rivals={"the end of the window": _window_end},
    formula="λ_switch ≥ λ_break",
)

SWITCHES_LATE = Claim(
    "sequential_attention.one_sparse_stability.global_window",
    SWITCH,
    "It stops being global at or below lam2, where the window ends (Theorem 1.1).",
    relation="<=",
    experiment=SWITCHING,
    predict=_window_end,
    measure="switch",
    conditions=[SMOOTH_CONCAVE],
    tolerance=3e-3,
    basis="finding",
    formula="λ_switch ≤ λ_2",
)

CLAIMS = [GAP, STABLE, SWITCHES, SWITCHES_LATE]
