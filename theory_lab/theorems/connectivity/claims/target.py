"""Hitting a target: bisection over a pruning order."""

from __future__ import annotations

from theory_lab.core import Claim, Condition, Source
from theory_lab.theorems.connectivity.bounds import effective as bounds
from theory_lab.theorems.connectivity.claims.effective_mask import PAPER
from theory_lab.theorems.connectivity.experiments.target import TARGET

SOURCE = Source(PAPER, "pruning to a target effective sparsity, and its authors' code")
NESTED = Condition("nested masks", lambda f: f["order"] == "nested")


PREFIX = Claim(
    "connectivity.target_bracket",
    SOURCE,
    "Bisection finds the largest number of weights that can be removed, in a given order, with an"
    " effective compression of at most the target.",
    experiment=TARGET,
    predict=bounds.prefix,
    measure="prefix",
    conditions=[NESTED],
    scale=1.0,
    rivals={"prune until the target is the direct compression": bounds.direct_prefix},
    formula="max {n : c_eff(n) ≤ c*}",
)

ACHIEVED = Claim(
    "connectivity.target_bracket.achieved",
    SOURCE,
    "The compression that is achieved is at most the target.",
    relation="<=",
    experiment=TARGET,
    predict=lambda f: f["target"],
    measure="achieved",
    rivals={"the shortfall is bounded by 20 %": lambda f: 0.8 * f["target"]},
    formula="c_eff(n) ≤ c*",
)

FOLLOWING = Claim(
    "connectivity.target_bracket.next",
    SOURCE,
    "One weight fewer exceeds the target: a smaller share than 1 / target is active.",
    relation="<=",
    experiment=TARGET,
    predict=lambda f: 1 / f["target"],
    measure="following",
    rivals={"by a tenth": lambda f: 1 / (1.1 * f["target"])},
    formula="|eff(n + 1)| / N < 1/c*",
)

CLAIMS = [PREFIX, ACHIEVED, FOLLOWING]
