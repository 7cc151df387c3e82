"""One path of gRDA and SGD on linear regression, step by step."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from theory_lab.core import Experiment
from theory_lab.core.checks import at_least, nonnegative, positive
from theory_lab.core.seeds import Stream
from theory_lab.solvers.averaging import dual_averaging
from theory_lab.theorems.directional_pruning.experiments.instances import row_space, without


def draw(
    d: Annotated[int, at_least(2)] = 8,
    rank: Annotated[int, at_least(1)] = 4,
    steps: Annotated[int, at_least(1)] = 200,
    batch: Annotated[int, at_least(1)] = 2,
    leak: Annotated[float, nonnegative] = 0.0,
    *,
    rng: Stream,
) -> dict[str, Any]:
    """Rows x = A z + leak N(0, I) for every step (steps, batch, d), labels x.optimum + N(0, .3^2);
    the Hessian A A^T. Optimum and start have weights of 1 to 2 in size, with the same signs."""
    factor = rng.standard_normal((d, rank)) / np.sqrt(d)
    rows = rng.standard_normal((steps, batch, rank)) @ factor.T
    rows += leak * rng.standard_normal(rows.shape)
    signs = rng.choice([-1.0, 1.0], d)
    optimum = signs * rng.uniform(1, 2, d)
    labels = rows @ optimum + 0.3 * rng.standard_normal((steps, batch))
    return dict(hessian=factor @ factor.T, rows=rows, optimum=optimum, start=signs * rng.uniform(1, 2, d),
                leak=leak, _labels=labels, _factor=factor)  # fmt: skip


class GivenBatches:
    """1/2 (y - x.w)^2 averaged over the batches of rows (steps, batch, d), in their order."""

    def __init__(self, rows: np.ndarray, labels: np.ndarray) -> None:
        self._batches = iter(zip(rows, labels, strict=True))

    def sample(self, paths: int, stream: Any) -> tuple[np.ndarray, np.ndarray]:
        """The next batch."""
        return next(self._batches)

    def gradient(
        self, w: np.ndarray, sample: tuple[np.ndarray, np.ndarray], step: float, out: np.ndarray
    ) -> None:
        """step times the mean of (x.w - y) x."""
        rows, labels = sample
        out[...] = step * (rows.T @ (rows @ w - labels[:, None])) / len(rows)


def run(
    problem: dict[str, Any],
    *,
    step: Annotated[float, positive] = 0.015625,
    strength: Annotated[float, nonnegative] = 0.3,
    exponent: Annotated[float, positive] = 0.51,
    rng: Stream,
) -> dict[str, Any]:
    """`difference` (4, d) = w_SGD - w_gRDA at each quarter of the way; at the end the accumulator
    `dual` (d,), its part outside of the rows' space `flat_dual` and that of the difference
    `flat_difference`; `least_weight`: the least sign(w_0) w over the path of gRDA. The trace has
    both paths, (steps, d)."""
    steps, start = len(problem["rows"]), problem["start"]
    paths, seen = dual_averaging(
        GivenBatches(problem["rows"], problem["_labels"]),
        start[None],
        step=step,
        steps=steps,
        strengths=(0.0, strength),
        exponents=(1.0, exponent),
        stream=rng,
        watch=range(1, steps + 1),
    )
    watch = np.linspace(0, steps, 5).astype(int)[1:]
    basis = row_space(problem["_factor"].T)[0]
    difference = [seen[n].weights[0, 0] - seen[n].weights[1, 0] for n in watch]
    return dict(
        watch=watch,
        difference=np.array(difference),
        dual=paths.dual[1, 0],
        flat_dual=without(basis, paths.dual[1, 0]),
        flat_difference=without(basis, difference[-1]),
        least_weight=min(np.min(np.sign(start) * one.weights[1, 0]) for one in seen.values()),
        zeros=np.sum(paths.weights[1, 0] == 0),
        trace={
            name: np.array([seen[n].weights[i, 0] for n in range(1, steps + 1)])
            for i, name in enumerate(("sgd", "grda"))
        },
    )


IDENTITIES = Experiment("directional_pruning.identities", draw, run)
