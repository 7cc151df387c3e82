"""gRDA long after weights have become zero, beside magnitude pruning and the Lasso."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from theory_lab.core import Experiment, Measurement
from theory_lab.core.checks import at_least, one_of, positive
from theory_lab.core.seeds import Stream
from theory_lab.solvers.anchored import anchored_l1
from theory_lab.solvers.averaging import dual_averaging
from theory_lab.theorems.directional_pruning.experiments.instances import (
    DATA,
    make_rows,
    pruned,
    row_space,
    score,
)
from theory_lab.theorems.directional_pruning.experiments.losses import AllRows


def draw(
    n: Annotated[int, at_least(1)] = 20,
    d: Annotated[int, at_least(2)] = 100,
    data: Annotated[str, one_of(DATA)] = "random",
    *,
    rng: Stream,
) -> dict[str, Any]:
    """Rows X with largest singular value 1, labels, a start N(0, .5^2), and the `weights` at the
    minimum of 1/2 |X w - y|^2 next to it; `least_curvature`: the smallest h > 0."""
    rows, labels = make_rows(data, n, d, rng)
    start = 0.5 * rng.standard_normal(d)
    weights = start + np.linalg.pinv(rows, rcond=1e-5) @ (labels - rows @ start)
    return dict(rows=rows, weights=weights, least_curvature=np.min(row_space(rows)[1]),
                _start=start)  # fmt: skip


def run(
    problem: dict[str, Any],
    *,
    time: Annotated[float, positive],
    ratios: tuple[float, ...] = (3.0, 30.0),
    exponent: Annotated[float, positive] = 0.51,
    step: Annotated[float, positive] = 0.5,
    rng: Stream,
) -> dict[str, Any]:
    """Full batches until `time`, with the final thresholds `lams` (m,) = ratios times the first
    lam at which directional pruning has a zero.

    For each: gRDA's weights `reached` (m, d), its `zero` pattern (m, d), `loss` (m,), and `error`
    (m,), the distance to the minimiser of 1/2 |w - a|^2 + lam |w|_1 on the minimum manifold, found
    by Newton; `magnitude_loss` (m,) of magnitude pruning of a at as many zeros; the share of
    weights on which gRDA and that minimiser (`agreement`), or gRDA and closed-form directional
    pruning of a (`pruned_agreement`), agree in being 0. Rivals: `error` and `loss` of that pruning
    (`pruned_…`, with its `pruned_zeros`) and of the proximal gradient method for the Lasso with the
    penalties lam / 1000, of comparable sparsity (`lasso_…`).
    """
    rows, weights = problem["rows"], problem["weights"]
    scores = score(row_space(rows)[0], weights)
    first = np.min(np.abs(weights[scores > 0]) / scores[scores > 0])
    lams = first * np.array(ratios)
    strengths = tuple(lams / (np.sqrt(step) * time**exponent))
    found, _ = dual_averaging(
        AllRows(rows, rows @ weights),
        problem["_start"][None],
        step=step,
        steps=round(time / step),
        strengths=strengths,
        exponents=(exponent,) * len(ratios),
        stream=rng,
    )
    reached = found.weights[:, 0]
    limits = np.array([anchored_l1(rows, weights, lam) for lam in lams])
    one_shot = np.array([pruned(weights, lam * scores) for lam in lams])
    zeros = np.sum(reached == 0, axis=1)
    magnitude = np.array([smallest_removed(weights, count) for count in zeros])
    lasso, _ = proximal_gradient(rows, weights, lams / 1000, problem["_start"], round(time))
    return dict(
        lams=lams,
        reached=reached,
        zero=reached == 0,
        zeros=zeros,
        loss=_loss(rows, reached - weights),
        error=np.linalg.norm(reached - limits, axis=1),
        magnitude_loss=_loss(rows, magnitude - weights),
        pruned_error=np.linalg.norm(one_shot - limits, axis=1),
        pruned_loss=_loss(rows, one_shot - weights),
        pruned_zeros=np.sum(one_shot == 0, axis=1),
        lasso_error=np.linalg.norm(lasso - limits, axis=1),
        lasso_loss=_loss(rows, lasso - weights),
        lasso_zeros=np.sum(lasso == 0, axis=1),
        agreement=np.mean((reached == 0) == (limits == 0), axis=1),
        pruned_agreement=np.mean((reached == 0) == (one_shot == 0), axis=1),
    )


def _loss(rows: np.ndarray, change: np.ndarray) -> np.ndarray:
    return 0.5 * np.sum((change @ rows.T) ** 2, axis=-1)


def smallest_removed(weights: np.ndarray, count: int) -> np.ndarray:
    """Magnitude pruning: the `count` smallest weights are 0."""
    kept = weights.copy()
    kept[np.argsort(np.abs(weights))[:count]] = 0
    return kept


def proximal_gradient(
    rows: np.ndarray, weights: np.ndarray, penalties: np.ndarray, start: np.ndarray, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """The Lasso 1/2 |X (w - a)|^2 + penalty |w|_1 from `start` by unit steps: the last two
    points, one row for each penalty."""
    hessian, bounds = rows.T @ rows, penalties[:, None]
    w = before = np.repeat(start[None], len(penalties), axis=0)
    for _ in range(steps):
        v = w - (w - weights) @ hessian
        before, w = w, v - np.minimum(np.maximum(v, -bounds), bounds)
    return w, before


LONG_TIME = Experiment("directional_pruning.long_time", draw, run)


def draw_crossover(
    n: Annotated[int, at_least(1)] = 20,
    d: Annotated[int, at_least(2)] = 100,
    data: Annotated[str, one_of(DATA)] = "random",
    *,
    rng: Stream,
) -> dict[str, Any]:
    """As for the long time."""
    return draw(n, d, data, rng=rng)


def run_crossover(
    problem: dict[str, Any],
    *,
    ratio: Annotated[float, positive] = 100.0,
    exponent: Annotated[float, positive] = 0.51,
    step: Annotated[float, positive] = 0.5,
    rng: Stream,
) -> dict[str, Any]:
    """`crossover`: a bracket of the time at which gRDA's loss falls below that of magnitude pruning
    of the converged weights at the zeros that gRDA has in the end; `magnitude_loss` is that loss."""
    late = run(problem, time=4000.0, ratios=(ratio,), exponent=exponent, step=step, rng=rng)
    level, lam = float(late["magnitude_loss"][0]), float(late["lams"][0])
    times = np.geomspace(1, 1000, 61)
    low = high = times[0]
    for high in times:
        seen = _loss_at(problem, lam, high, exponent, step, rng)
        if seen < level:
            break
        low = high
    return dict(crossover=Measurement.certified(low, high), magnitude_loss=level, lam=lam)


def _loss_at(
    problem: dict[str, Any], lam: float, time: float, exponent: float, step: float, rng: Stream
) -> float:
    found, _ = dual_averaging(
        AllRows(problem["rows"], problem["rows"] @ problem["weights"]),
        problem["_start"][None],
        step=step,
        steps=round(time / step),
        strengths=(lam / (np.sqrt(step) * time**exponent),),
        exponents=(exponent,),
        stream=rng,
    )
    return float(_loss(problem["rows"], found.weights[0, 0] - problem["weights"]))


CROSSOVER = Experiment("directional_pruning.crossover", draw_crossover, run_crossover)
