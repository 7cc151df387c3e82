"""Descent on the rank loss at a fixed mask: every step raises the tail of the spectrum."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from theory_lab.core import Experiment
from theory_lab.core.checks import at_least, positive
from theory_lab.core.seeds import Stream
from theory_lab.numerics.spectra import (
    delta_rank,
    energy_rank,
    rank_loss,
    squared_singular_values,
    stable_rank,
)
from theory_lab.theorems.rank_pruning.experiments.matrices import check_tied
from theory_lab.theorems.rank_pruning.experiments.pruned_matrices import draw
from theory_lab.theorems.rank_pruning.experiments.rank_chain import numerical_rank

EVERY = 5
"""Steps from one entry of the trace to the next."""


def run(
    problem: dict[str, Any],
    *,
    e: Annotated[float, positive],
    steps: Annotated[int, at_least(1)] = 100,
    eps: Annotated[float, positive] = 0.2,
    delta: Annotated[float, positive] = 0.1,
    rng: Stream,
) -> dict[str, Any]:
    """`steps` of W <- W - (e |W|^2 / 2) gradient on the mask, k chosen anew from eps each time.

    `push`: how much harder the first step pushes s_1 down than all of W, see below.
    `delta_rank`, `stable_rank` and `exact` rank at the end. Trace: both ranks and the `chosen` k at
    every fifth `step`; `before` and `after` the spectra, scaled to the norm 1.
    """
    W, mask = problem["_W"], problem["_mask"]
    path, push = [_ranks(0, W, eps, delta)], _push(W, mask, eps)
    before = squared_singular_values(W)
    for step in range(1, steps + 1):
        W = W - 0.5 * e * np.sum(W**2) * rank_loss(W, energy=eps).gradient * mask
        if step % EVERY == 0 or step == steps:
            path.append(_ranks(step, W, eps, delta))
    at, deltas, stables, chosen = np.array(path).T
    after = np.linalg.svd(W, compute_uv=False)
    return dict(
        push=push,
        delta_rank=deltas[-1],
        stable_rank=stables[-1],
        exact=numerical_rank(after),
        trace=dict(
            step=at,
            deltas=deltas,
            stables=stables,
            chosen=chosen,
            before=np.sqrt(before),
            after=after / np.linalg.norm(after),
        ),
    )


def _push(W: np.ndarray, mask: np.ndarray, eps: float) -> float:
    """<u_1, (M o A_k) v_1> / s_1 - (1 - tau): as the step is W / |W| times 1 + e (1 - tau), less
    e M o A_k, this is -d log s_1 / de at e = 0, half the slope of the logarithm of the stable rank."""
    U, s, Vt = np.linalg.svd(W / np.linalg.norm(W), full_matrices=False)
    k = energy_rank(s**2, eps)
    head = ((U[:, :k] * s[:k]) @ Vt[:k]) * mask
    return float(U[:, 0] @ head @ Vt[0] / s[0] - np.sum(s[:k] ** 2))


def _ranks(step: int, W: np.ndarray, eps: float, delta: float) -> tuple[float, ...]:
    """The step, the delta-rank, the stable rank, and the k of the energy rule."""
    squares = squared_singular_values(W)
    return step, delta_rank(squares, delta), stable_rank(squares), energy_rank(squares, eps)


MASKED_ASCENT = Experiment("rank_pruning.masked_ascent", draw, run, checks=(check_tied,))
