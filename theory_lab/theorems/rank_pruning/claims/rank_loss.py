"""The rank loss: its gradient, one step along it, growth scores, and the rule that chooses k."""

from __future__ import annotations

import numpy as np

from theory_lab.core import Claim, Condition
from theory_lab.theorems.rank_pruning.bounds import rank_loss as bounds
from theory_lab.theorems.rank_pruning.claims.sources import GROWTH, RANK_LOSS
from theory_lab.theorems.rank_pruning.experiments.energy_rule import ENERGY_RULE as RULE
from theory_lab.theorems.rank_pruning.experiments.rank_loss import GRADIENT, POSITIONS, STEP

NOT_TIED = Condition(
    "s_k > s_(k+1), by at least .003",  # smaller gaps are too sharp for differences
    lambda f: bounds.gap(f["W"], f["k"]) >= 0.003,
)
UNMASKED = Condition("the step is not masked", lambda f: not f["masked"])

LOSS_GRADIENT = Claim(
    "rank_pruning.loss_gradient",
    RANK_LOSS,
    "The gradient of the rank loss -tau in W is -(2/|W|) (R - tau Wn), as if the low-rank part"
    " were constant.",
    experiment=GRADIENT,
    predict=lambda f: bounds.gradient(f["W"], f["k"]),
    measure="gradient",
    conditions=[NOT_TIED],
    tolerance=1e-9,
    scale=lambda f: 1 / np.linalg.norm(f["W"]),  # the largest value of |gradient|
    rivals={
        "without the derivative of |W|": lambda f: (
            -2 / np.sum(f["W"] ** 2) * f["W"]
            + 2 / np.linalg.norm(f["W"]) * bounds.low_rank(f["W"], f["k"])
        )
    },
    formula="∇(−τ) = −(2/‖W‖)(R − τ W/‖W‖)",
)

ORTHOGONAL = Claim(
    "rank_pruning.loss_gradient.orthogonal",
    RANK_LOSS,
    "The gradient of the rank loss is orthogonal to W.",
    experiment=GRADIENT,
    predict=lambda f: 0.0,
    measure="radial",
    tolerance=1e-9,
    scale=1.0,  # the largest value of |gradient| |W|
    formula="⟨∇(−τ), W⟩ = 0",
)

STEP_LAW = Claim(
    "rank_pruning.step_law",
    RANK_LOSS,
    "One unmasked step W - (e |W|^2 / 2) gradient multiplies singular values by 1 + e (1 - tau)"
    " beyond k and by 1 - e tau up to k.",
    experiment=STEP,
    predict=lambda f: bounds.stepped_spectrum(f["W"], f["k"], f["e"]),
    measure="stepped",
    conditions=[
        UNMASKED,
        Condition("e tau <= 1", lambda f: f["e"] * bounds.tail(f["W"], f["k"]) <= 1),
    ],
    tolerance=1e-11,
    scale=lambda f: np.linalg.norm(f["W"]),
    rivals={
        "the head unchanged": lambda f: _head_unchanged(f["W"], f["k"], f["e"]),
    },
    formula="σ_i → σ_i (1 + e(1 − τ)) for i > k,  σ_i (1 − eτ) for i ≤ k",
)


def _head_unchanged(W: np.ndarray, k: int, e: float) -> np.ndarray:
    sigma = np.linalg.svd(W, compute_uv=False)
    return np.sort(np.append(sigma[:k], sigma[k:] * (1 + e * (1 - bounds.tail(W, k)))))[::-1]


STEP_NORM = Claim(
    "rank_pruning.step_law.norm",
    RANK_LOSS,
    "The same step multiplies |W|^2 by 1 + e^2 tau (1 - tau), for any e.",
    experiment=STEP,
    predict=lambda f: bounds.stepped_square(f["W"], f["k"], f["e"]),
    measure="square",
    conditions=[UNMASKED],
    tolerance=1e-11,
    rivals={"unchanged": lambda f: np.sum(f["W"] ** 2)},
    formula="‖W⁺‖² = ‖W‖² (1 + e² τ(1 − τ))",
)

PRUNED_POSITION = Claim(
    "rank_pruning.pruned_position",
    GROWTH,
    "Where W is pruned, the gradient of the rank loss is 2/|W| times the low-rank part: growth by"
    " it grows where the low-rank part is large.",
    experiment=POSITIONS,
    predict=lambda f: _low_rank_at(f["W"], f["k"], f["at"]),
    measure="slopes",
    conditions=[NOT_TIED],
    observed=["at"],
    tolerance=1e-9,
    scale=lambda f: 1 / np.linalg.norm(f["W"]),  # the largest value of |gradient|
    rivals={"the low-rank part of W, not normalised": lambda f: (
        np.linalg.norm(f["W"]) * _low_rank_at(f["W"], f["k"], f["at"])
    )},
    formula="W_ij = 0  ⇒  ∂(−τ)/∂W_ij = (2/‖W‖) (A_k)_ij",
)  # fmt: skip


def _low_rank_at(W: np.ndarray, k: int, at: np.ndarray) -> np.ndarray:
    rows, columns = at.astype(int).T
    return 2 / np.linalg.norm(W) * bounds.low_rank(W, k)[rows, columns]


ENERGY_RULE = Claim(
    "rank_pruning.energy_rule",
    RANK_LOSS,
    "The tail that the rule chooses misses eps by at most max(s_k^2, s_(k+1)^2) / 2.",
    relation="<=",
    experiment=RULE,
    predict=lambda f: bounds.rule_deviation(bounds.spectrum(f["W"]) ** 2, f["chosen"]),
    measure="deviation",
    conditions=[
        Condition("eps <= 1", lambda f: f["eps"] <= 1),
        Condition(
            "eps >= s_r^2 / 2",
            lambda f: np.all(f["eps"] >= bounds.spectrum(f["W"])[..., -1] ** 2 / 2),
        ),
    ],
    observed=["chosen"],
    tolerance=1e-12,
    scale=1.0,
    formula="|τ − ε| ≤ max(s_k², s_{k+1}²)/2",
)

CLAIMS = [LOSS_GRADIENT, ORTHOGONAL, STEP_LAW, STEP_NORM, PRUNED_POSITION, ENERGY_RULE]
