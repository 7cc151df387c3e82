"""Saliency flows like a liquid: conservation at units and cuts, and what it means for SynFlow."""

from __future__ import annotations

from typing import Any

import numpy as np

from theory_lab.core import Claim, Condition, Source
from theory_lab.theorems.connectivity.bounds import effective, flows
from theory_lab.theorems.connectivity.experiments.saliency import FLOW, SUPPORT
from theory_lab.theorems.connectivity.experiments.synflow_rounds import SYNFLOW_ROUNDS

TANAKA = Source(
    "arXiv:2006.05467", "conservation laws of synaptic saliency (with skips: derived here)"
)
NO_GAP = Source("arXiv:2107.02306", "SynFlow and disconnected weights (made exact here)")


def _size(f: Any) -> float:
    """The saliency of all weights; a network without any path has none."""
    return f["size"] or 1.0


NO_BIASES = Condition("no biases", lambda f: f["bias"] == 0)
HOMOGENEOUS = Condition("a homogeneous activation", lambda f: f["activation"] != "sigmoid")

UNITS = Claim(
    "connectivity.synflow_conservation.units",
    TANAKA,
    "At every hidden unit of a homogeneous network without biases the saliency w dR/dw of what comes"
    " in, skips included, sums to that of what goes out.",
    experiment=FLOW,
    predict=lambda f: f["outgoing"],
    measure="incoming",
    observed=["outgoing", "size"],
    scale=_size,
    tolerance=1e-12,
    conditions=[
        Condition("saliency keeps its sign", lambda f: f["score"] != "absolute"),
        NO_BIASES,
        HOMOGENEOUS,
    ],
    rivals={"twice what goes out": lambda f: 2 * f["outgoing"]},
    formula="Σ_in w ∂R/∂w = Σ_out w ∂R/∂w",
)

SYNFLOW = Condition("SynFlow's objective", lambda f: f["score"] == "synflow")

PATHS = Claim(
    "connectivity.synflow_conservation.paths",
    TANAKA,
    "SynFlow's saliency through a unit is the sum over all weighted paths through it.",
    experiment=FLOW,
    predict=lambda f: flows.hidden(f, flows.flows(f)),
    measure="outgoing",
    observed=["size"],
    scale=_size,
    tolerance=1e-12,
    conditions=[SYNFLOW, NO_BIASES, HOMOGENEOUS],
    rivals={"paths into the unit": lambda f: flows.hidden(f, flows.incoming_only(f))},
    formula="Σ_out |w| ∂R/∂|w| = X_j Y_j",
)

CUTS = Claim(
    "connectivity.synflow_conservation.cuts",
    TANAKA,
    "SynFlow's saliency over every cut of the graph, skips included, sums to R.",
    experiment=FLOW,
    predict=flows.total,
    measure="cuts",
    tolerance=1e-12,
    observed=["size"],
    scale=_size,
    conditions=[SYNFLOW, NO_BIASES, HOMOGENEOUS],
    rivals={"twice R": lambda f: 2 * flows.total(f)},
    formula="Σ_cut |w| ∂R/∂|w| = R",
)

LAYERS = Claim(
    "connectivity.synflow_conservation.layers",
    TANAKA,
    "Where every layer is a cut, all layers have the same total R.",
    experiment=FLOW,
    predict=flows.total,
    measure="layers",
    tolerance=1e-12,
    observed=["size"],
    scale=_size,
    conditions=[
        SYNFLOW,
        NO_BIASES,
        HOMOGENEOUS,
        Condition("every layer is a cut", lambda f: f["kind"] != "residual"),
    ],
    formula="Σ_layer |w| ∂R/∂|w| = R",
)

SUPPORT_CLAIM = Claim(
    "connectivity.synflow_support",
    NO_GAP,
    "A weight's SynFlow score differs from 0 exactly where it is active, as long as the sums over"
    " paths stay in the floating-point range.",
    experiment=SUPPORT,
    predict=lambda f: effective.words(effective.effective(f)),
    measure="scored",
    scale=1.0,
    conditions=[
        Condition("sums over paths do not overflow", flows.does_not_overflow),
        Condition("sums over paths do not underflow", flows.does_not_underflow),
    ],
    rivals={"the mask itself": lambda f: effective.words(f["mask"])},
    formula="{|w| ∂R/∂|w| > 0} = eff(M)",
)


def _none(f: Any) -> np.ndarray:
    return np.zeros(f["rounds"], dtype=int)


ORDER = Claim(
    "connectivity.synflow_support.order",
    NO_GAP,
    "A round of SynFlow removes no active weight while an inactive one is left.",
    experiment=SYNFLOW_ROUNDS,
    predict=_none,
    measure="wrong",
    scale=1.0,
    formula="#{active removed | inactive left} = 0",
)

ROUNDS = Claim(
    "connectivity.synflow_rounds",
    NO_GAP,
    "After 100 rounds of SynFlow at most 5 % of LeNet-300-100's remaining weights are inactive, at"
    " compressions of 100 and 1000; after one or five rounds more are.",
    relation="<=",
    experiment=SYNFLOW_ROUNDS,
    predict=lambda f: 0.05,
    measure="gap",
    basis="empirical",
    formula="1 − |eff|/|M| ≤ .05",
)

CLAIMS = [UNITS, PATHS, CUTS, LAYERS, SUPPORT_CLAIM, ORDER, ROUNDS]
