"""Ascent of the rank measures at a fixed mask: what one step of it can do, and what many do."""

from __future__ import annotations

import numpy as np

from theory_lab.core import Claim, Condition
from theory_lab.core.types import Facts
from theory_lab.theorems.rank_pruning.bounds import rank_loss as bounds
from theory_lab.theorems.rank_pruning.bounds import rank_measures as measures
from theory_lab.theorems.rank_pruning.bounds.sparse_matrices import structural_rank, unpacked
from theory_lab.theorems.rank_pruning.claims.sources import RANK_LOSS
from theory_lab.theorems.rank_pruning.experiments.masked_ascent import MASKED_ASCENT
from theory_lab.theorems.rank_pruning.experiments.rank_loss import STEP

MASKED = Condition("the step is masked", lambda f: f["masked"])
NO_SIGN_CHANGE = Condition("e tau <= 1", lambda f: f["e"] * bounds.tail(f["W"], f["k"]) <= 1)


def _as_without_a_mask(f: Facts) -> np.ndarray:
    tau, k = bounds.tail(f["W"], f["k"]), f["k"]
    heads = np.cumsum(bounds.spectrum(f["W"]) ** 2)
    shrunk = (1 - f["e"] * tau) ** 2 / (1 + f["e"] ** 2 * tau * (1 - tau))
    return np.append(heads[:k] * shrunk, np.ones(len(heads) - k))


ONE_STEP = Claim(
    "rank_pruning.masked_ascent.one_step",
    RANK_LOSS,
    "After one masked step down the rank loss the j leading singular values hold at most a share of"
    " |W|^2 that the masked tail M o R sets, for every j.",
    relation="<=",
    experiment=STEP,
    predict=lambda f: bounds.masked_head_shares(f["W"], f["k"], f["e"]),
    measure="head_shares",
    conditions=[MASKED, NO_SIGN_CHANGE],
    tolerance=1e-12,
    scale=1.0,
    rivals={"as without a mask": _as_without_a_mask},
    formula="‖W⁺‖₍ⱼ₎²/‖W⁺‖² ≤ ((1 − eτ)‖W‖₍ⱼ₎/‖W‖ + e‖M∘R‖₍ⱼ₎)² / (1 + e²(‖M∘R‖² − τ²))",
)

ONE_STEP_STABLE = Claim(
    "rank_pruning.masked_ascent.one_step.stable_rank",
    RANK_LOSS,
    "One masked step does not lower the stable rank where the masked tail is short: at most tau s_1.",
    relation=">=",
    experiment=STEP,
    predict=lambda f: measures.stable_rank(bounds.spectrum(f["W"])),
    measure="stable_rank",
    conditions=[
        MASKED,
        NO_SIGN_CHANGE,
        Condition("|M o R|_2 <= tau s_1", lambda f: bounds.lowers_the_head(f["W"], f["k"])),
    ],
    tolerance=1e-12,
    formula="‖M∘R‖₂ ≤ τ s₁  ⇒  stable(W⁺) ≥ stable(W)",
)

ALREADY_FLAT = 1 / 1.1**2
"""A step of e multiplies no singular value by more than 1 + e (without a mask): spectra with a larger
share of the greatest stable rank are, at e = .1, as flat as one step can leave them."""

SMALL_STEPS = Condition("e <= .1", lambda f: f["e"] <= 0.1)
NOT_FLAT = Condition(
    "stable rank of the start <= .826 min(m, n)",
    lambda f: measures.stable_rank(f["spectrum"]) <= ALREADY_FLAT * len(f["spectrum"]),
)

ASCENT_DELTA = Claim(
    "rank_pruning.masked_ascent.delta_rank",
    RANK_LOSS,
    "Small steps down the rank loss at a fixed mask do not lower the delta-rank.",
    relation=">=",
    experiment=MASKED_ASCENT,
    predict=lambda f: measures.delta_rank(f["spectrum"], f["delta"]),
    measure="delta_rank",
    conditions=[SMALL_STEPS, NOT_FLAT],
    basis="finding",
    formula="d_δ(W_t) ≥ d_δ(W_0)",
)

ASCENT_STABLE = Claim(
    "rank_pruning.masked_ascent.stable_rank",
    RANK_LOSS,
    "Small steps down the rank loss at a fixed mask raise the stable rank where the first one does to"
    " first order: where it pushes s_1 down harder than W as a whole.",
    relation=">=",
    experiment=MASKED_ASCENT,
    predict=lambda f: measures.stable_rank(f["spectrum"]),
    measure="stable_rank",
    conditions=[
        SMALL_STEPS,
        NOT_FLAT,
        Condition("<u_1, (M o A_k) v_1> > (1 - tau) s_1", lambda f: f["push"] > 0),
        Condition("eps <= .4", lambda f: f["eps"] <= 0.4),
    ],
    observed=["push"],
    basis="finding",
    formula="stable(W_t) ≥ stable(W_0)",
)

ASCENT_EXACT = Claim(
    "rank_pruning.masked_ascent.exact_rank",
    RANK_LOSS,
    "The exact rank stays at most the structural rank of the mask, whatever the steps.",
    relation="<=",
    experiment=MASKED_ASCENT,
    predict=lambda f: structural_rank(unpacked(f["mask_bits"], f["n"])),
    measure="exact",
    rivals={
        "the delta-rank of the start": lambda f: measures.delta_rank(f["spectrum"], f["delta"])
    },
    formula="rank(W_t) ≤ sprank(mask)",
)

CLAIMS = [ONE_STEP, ONE_STEP_STABLE, ASCENT_DELTA, ASCENT_STABLE, ASCENT_EXACT]
