"""The proximal gradient method for the Lasso, run until it stands still."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from theory_lab.core import Experiment
from theory_lab.core.checks import at_least, one_of
from theory_lab.core.seeds import Stream
from theory_lab.theorems.directional_pruning.experiments.instances import DATA
from theory_lab.theorems.directional_pruning.experiments.long_time import draw as draw_long_time
from theory_lab.theorems.directional_pruning.experiments.long_time import proximal_gradient


def draw(
    n: Annotated[int, at_least(2)] = 20,
    d: Annotated[int, at_least(2)] = 100,
    data: Annotated[str, one_of(DATA)] = "random",
    *,
    rng: Stream,
) -> dict[str, Any]:
    """As for the long time."""
    return draw_long_time(n, d, data, rng=rng)


def run(
    problem: dict[str, Any],
    *,
    shares: tuple[float, ...] = (0.03, 0.1, 0.3),
    steps: Annotated[int, at_least(1)] = 40_000,
    rng: Stream,
) -> dict[str, Any]:
    """Full gradients, with the `penalties` (m,) = shares of the least one at which all weights are
    0: `loss`, `zeros`, and the last step `moves` (largest coordinate), all (m,)."""
    rows, weights = problem["rows"], problem["weights"]
    penalties = np.array(shares) * np.max(np.abs(rows.T @ (rows @ weights)))
    w, before = proximal_gradient(rows, weights, penalties, problem["_start"], steps)
    return dict(
        penalties=penalties,
        loss=0.5 * np.sum(((w - weights) @ rows.T) ** 2, axis=1),
        zeros=np.sum(w == 0, axis=1),
        moves=np.max(np.abs(w - before), axis=1),
    )


LASSO = Experiment("directional_pruning.lasso", draw, run)
