"""The objective of directional pruning minimised by brute force, and its loss on least squares."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from theory_lab.core import Experiment, Measurement
from theory_lab.core.checks import BadParameter, at_least, nonnegative, one_of
from theory_lab.core.parameters import Params
from theory_lab.core.seeds import Stream
from theory_lab.theorems.directional_pruning.experiments.instances import (
    DATA,
    make_rows,
    pruned,
    row_space,
    score,
)

ZOOMS, POINTS, SMALL = 9, 201, 1e-12


def draw(
    d: Annotated[int, at_least(2)], rank: Annotated[int, at_least(1)], *, rng: Stream
) -> dict[str, Any]:
    """Weights N(0, 1), and the projector on a flat space of dimension d - rank."""
    curved = np.linalg.qr(rng.standard_normal((d, rank)))[0]
    return dict(weights=rng.standard_normal(d), projector=np.eye(d) - curved @ curved.T)


def run(
    problem: dict[str, Any], *, lam: Annotated[float, nonnegative] = 0.5, rng: Stream
) -> dict[str, Any]:
    """`minimiser` (d,), each coordinate the best point of grids that close in on it; `first_zero`,
    a bracket by bisection of the least lam with a coordinate at 0."""
    weights = problem["weights"]
    scores = weights / np.abs(weights) * (problem["projector"] @ np.sign(weights))
    low, high = 0.0, 1.0
    while np.min(np.abs(brute_force(weights, high * scores))) > SMALL:
        high *= 2
    for _ in range(40):
        middle = 0.5 * (low + high)
        zero = np.min(np.abs(brute_force(weights, middle * scores))) < SMALL
        low, high = (low, middle) if zero else (middle, high)
    return dict(
        minimiser=brute_force(weights, lam * scores), first_zero=Measurement.certified(low, high)
    )


def brute_force(weights: np.ndarray, penalty: np.ndarray) -> np.ndarray:
    """Coordinatewise argmin_w 1/2 (w - a)^2 + k |w| for a, k: (d,).

    A grid with 0 among its points, then finer ones around its best point.
    """
    centre = np.zeros_like(weights)
    reach = np.abs(weights) + np.abs(penalty) + 0.1
    offsets = np.linspace(-1, 1, POINTS)
    for _ in range(ZOOMS):
        w = centre + reach * offsets[:, None]
        # less the value at the centre, so that close points are told apart
        gain = (w - centre) * (0.5 * (w + centre) - weights)
        value = gain + penalty * (np.abs(w) - np.abs(centre))
        centre = np.take_along_axis(w, np.argmin(value, axis=0)[None], axis=0)[0]
        reach = reach * (4 / POINTS)
    return centre


def check(params: Params) -> None:
    """Some space is flat."""
    if params["rank"] >= params["d"]:
        raise BadParameter(f"rank is {params['rank']}, but it must be below d = {params['d']}.")


OBJECTIVE = Experiment("directional_pruning.objective", draw, run, checks=(check,))


def draw_loss(
    n: Annotated[int, at_least(1)],
    d: Annotated[int, at_least(2)],
    data: Annotated[str, one_of(DATA)] = "random",
    displaced: Annotated[float, nonnegative] = 0.0,
    *,
    rng: Stream,
) -> dict[str, Any]:
    """Rows X, and weights at a minimum of 1/2 |X w - y|^2, moved by `displaced` along the rows."""
    rows, labels = make_rows(data, n, d, rng)
    minimum = rng.standard_normal(d)
    minimum -= np.linalg.pinv(rows) @ (rows @ minimum - labels)
    return dict(hessian=rows.T @ rows, weights=minimum + displaced * rows.T @ rng.standard_normal(n),
                _rows=rows, _labels=labels)  # fmt: skip


def run_loss(
    problem: dict[str, Any], *, position: Annotated[float, nonnegative] = 0.5, rng: Stream
) -> dict[str, Any]:
    """`rise`: the loss after directional pruning less the loss before; `lam`: its strength.

    position: 0 is lam = 0, whole numbers are the first lam at which one, two, … weights are zero.
    `gradient`: the norm of the gradient at the weights.
    """
    rows, weights = problem["_rows"], problem["weights"]
    scores = score(row_space(rows)[0], weights)
    falling = scores > 0
    breaks = np.append(0.0, np.sort(np.abs(weights[falling]) / scores[falling]))
    lam = float(np.interp(position, np.arange(len(breaks)), breaks))
    change = rows @ (pruned(weights, lam * scores) - weights)
    residual = rows @ weights - problem["_labels"]
    return dict(
        rise=change @ (0.5 * change + residual),
        lam=lam,
        gradient=np.linalg.norm(rows.T @ residual),
    )


LOSS = Experiment("directional_pruning.pruning_loss", draw_loss, run_loss)
