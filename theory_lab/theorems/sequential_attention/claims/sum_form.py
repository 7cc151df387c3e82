"""The penalty without q^-1: its entry points, and whom it lets in first."""

from __future__ import annotations

import numpy as np

from theory_lab.core import Claim, Condition, Source
from theory_lab.core.types import Facts
from theory_lab.theorems.sequential_attention.bounds import sum_form as bounds
from theory_lab.theorems.sequential_attention.claims.sources import PAPER
from theory_lab.theorems.sequential_attention.experiments.sum_form import CROSSOVER, ENTRY

SUM_FORM = Source(PAPER, "remark on the form without the inverse of q (derived)")


def _arrays(f: Facts) -> tuple[np.ndarray, np.ndarray]:
    return np.array(f["pulls"]), np.array(f["curvatures"])


def _leads(f: Facts) -> bool:
    """Whether one entry point is the largest."""
    entries = np.sort(bounds.entry(*_arrays(f), f["exponent"]))
    return bool(len(entries) == 1 or entries[-2] < entries[-1] * (1 - 1e-9))


ENTRIES = Claim(
    "sequential_attention.sum_form_entry",
    SUM_FORM,
    "Under lam |b|^p, h b^2/2 - g b has a minimiser other than 0 exactly below"
    " lam = g/(2-p) (2 g (1-p) / (h (2-p)))^(1-p).",
    experiment=ENTRY,
    predict=lambda f: bounds.entry(*_arrays(f), f["exponent"]),
    measure="entries",
    tolerance=1e-7,
    basis="finding",
    rivals={"the gradient g": lambda f: _arrays(f)[0]},
    formula="λ = g/(2−p) · (2g(1−p)/(h(2−p)))^(1−p)",
)

FIRST = Claim(
    "sequential_attention.sum_form_entry.first",
    SUM_FORM,
    "The coordinate with the largest of these values enters first; it need not be the one with the"
    " largest gradient.",
    experiment=ENTRY,
    predict=lambda f: int(np.argmax(bounds.entry(*_arrays(f), f["exponent"]))),
    measure="first",
    conditions=[Condition("one entry point is the largest", _leads)],
    scale=1.0,
    basis="finding",
    rivals={"argmax gradient": lambda f: int(np.argmax(f["pulls"]))},
    formula="argmax_i λ_i(p)",
)

CROSSING = Claim(
    "sequential_attention.sum_form_entry.crossover",
    SUM_FORM,
    "Two coordinates enter together at p* = (2 log G - log H) / (log G - log H), G and H the ratios"
    " of gradients and curvatures.",
    experiment=CROSSOVER,
    predict=lambda f: bounds.crossover(f["pulls"], f["curvatures"]),
    measure="exponent",
    conditions=[
        Condition("0 < p* < 1", lambda f: 0 < bounds.crossover(f["pulls"], f["curvatures"]) < 1)
    ],
    tolerance=1e-6,
    basis="finding",
    rivals={"2/3": lambda f: 2 / 3},
    formula="p* = (2 log G − log H)/(log G − log H)",
)

CLAIMS = [ENTRIES, FIRST, CROSSING]
