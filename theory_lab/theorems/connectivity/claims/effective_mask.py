"""What an effective mask is, and its laws."""

from __future__ import annotations

from typing import Any

import numpy as np

from theory_lab.core import Claim, Condition, Source
from theory_lab.core.reduce import frequency
from theory_lab.theorems.connectivity.bounds import effective as bounds
from theory_lab.theorems.connectivity.experiments.brute_force import BRUTE_FORCE
from theory_lab.theorems.connectivity.experiments.laws import LAWS
from theory_lab.theorems.connectivity.experiments.redrawn import REDRAWN

PAPER = "arXiv:2107.02306"
DEFINITION = Source(PAPER, "definition of effective sparsity, and its authors' code")
LAW = Source(PAPER, "consequence of the definition (derived here)")

EFFECTIVE_MASK = Claim(
    "connectivity.effective_mask",
    DEFINITION,
    "One boolean pass forwards and one backwards find the weights that lie on a path from an input"
    " to an output, in perceptrons, convolutional and residual networks.",
    experiment=BRUTE_FORCE,
    predict=bounds.effective,
    measure="active",
    scale=1.0,
    rivals={
        "forward reachability only": bounds.forward_only,
        "the mask itself": lambda f: f["mask"],
    },
    formula="(i → j) active  ⇔  kept, i reached from an input, an output reached from j",
)

SUBSET = Claim(
    "connectivity.subset_idempotent.subset",
    LAW,
    "The effective mask is part of the mask.",
    relation="<=",
    experiment=LAWS,
    predict=lambda f: f["mask"].astype(int),
    measure="effective",
    scale=1.0,
    rivals={"reversed: what is not kept": lambda f: 1 - f["mask"]},
    formula="eff(M) ⊆ M",
)

IDEMPOTENT = Claim(
    "connectivity.subset_idempotent.idempotent",
    LAW,
    "The effective mask of an effective mask is itself.",
    experiment=LAWS,
    predict=lambda f: f["effective"].astype(int),
    measure="again",
    observed=["effective"],
    scale=1.0,
    rivals={"the mask itself": lambda f: f["mask"]},
    formula="eff(eff(M)) = eff(M)",
)


def _is_nested(f: Any) -> bool:
    return bool(np.all(f["mask"] <= f["other"]))


MONOTONE = Claim(
    "connectivity.monotone",
    LAW,
    "Along nested masks the effective masks are nested too, so that bisection over a pruning order"
    " is valid.",
    relation="<=",
    experiment=LAWS,
    predict=lambda f: f["other_effective"].astype(int),
    measure="effective",
    observed=["other_effective"],
    conditions=[Condition("nested masks", _is_nested)],
    scale=1.0,
    rivals={"reversed": lambda f: 1 - f["other_effective"]},
    formula="M ⊆ M′  ⇒  eff(M) ⊆ eff(M′)",
)

REDRAWN_SHARE = Claim(
    "connectivity.monotone.redrawn",
    LAW,
    "Of pairs of independent masks the denser one has fewer active weights in a share that full"
    " enumeration gives (a tenth and more): masks that are drawn again do not bisect.",
    experiment=REDRAWN,
    predict=lambda f: bounds.share_with_fewer(tuple(f["widths"]), f["density"], f["more"]),
    measure=frequency("fewer"),
    tolerance=0.04,  # the accuracy that 8,000 pairs show
    scale=1.0,
    basis="finding",
    rivals={"as often as not": lambda f: 0.5},
    formula="P(|eff(M′)| < |eff(M)|),  p′ > p",
)

SUPERADDITIVE = Claim(
    "connectivity.superadditive",
    LAW,
    "What is active under either of two masks is active under their union.",
    relation="<=",
    experiment=LAWS,
    predict=lambda f: f["union"].astype(int),
    measure="either",
    observed=["union", "effective"],
    scale=1.0,
    rivals={"what is active under the first": lambda f: f["effective"]},
    formula="eff(A) ∪ eff(B) ⊆ eff(A ∪ B)",
)

CLAIMS = [EFFECTIVE_MASK, SUBSET, IDEMPOTENT, MONOTONE, REDRAWN_SHARE, SUPERADDITIVE]
