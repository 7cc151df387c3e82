"""Noise against signal in flat directions, and the loss in curved ones, for exponents mu."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from array_api_compat import array_namespace

from theory_lab.core import Experiment
from theory_lab.core.checks import at_least, positive
from theory_lab.core.seeds import Stream
from theory_lab.solvers.averaging import dual_averaging
from theory_lab.theorems.directional_pruning.experiments.instances import copies, without
from theory_lab.theorems.directional_pruning.experiments.losses import AdditiveNoise


def draw(
    d: Annotated[int, at_least(2)] = 6,
    rank: Annotated[int, at_least(1)] = 3,
    *,
    rng: Stream,
) -> dict[str, Any]:
    """A Hessian with eigenvalues .2 to 1, and weights of size 1e5 at its minimum: no zero comes."""
    axes = np.linalg.qr(rng.standard_normal((d, rank)))[0]
    values = np.linspace(0.2, 1, rank)
    optimum = rng.choice([-1.0, 1.0], d) * rng.uniform(1e5, 2e5, d)
    return dict(hessian=(axes * values) @ axes.T, optimum=optimum, _axes=axes,
                _factor=axes * np.sqrt(values))  # fmt: skip


def run(
    problem: dict[str, Any],
    *,
    time: Annotated[float, positive],
    step: Annotated[float, positive] = 0.5,
    paths: Annotated[int, at_least(1)] = 200,
    exponents: tuple[float, ...] = (0.6, 0.75, 0.9),
    rng: Stream,
) -> dict[str, Any]:
    """Gradients with noise N(0, I), c = 1. For each exponent (m,): `noise`, the root mean square
    over paths of Pi_0 (w_SGD - w_0) over the size of Pi_0 (w_SGD - w_gRDA); `loss`, the mean of
    1/2 D^T H D with the coupled difference D; both one after the other in `both` (2 m,)."""
    start, axes, factor = problem["optimum"], problem["_axes"], problem["_factor"]
    xp = array_namespace(start)
    found, _ = dual_averaging(
        AdditiveNoise(factor, start, 1.0),
        copies(start, paths),
        step=step,
        steps=round(time / step),
        strengths=(0.0,) + (1.0,) * len(exponents),
        exponents=(1.0, *exponents),
        stream=rng,
    )
    sgd, difference = found.weights[0], found.weights[0] - found.weights[1:]
    walk, signal = _mean_size(without(axes, sgd - start)), _mean_size(without(axes, difference))
    loss = 0.5 * xp.mean(xp.sum((difference @ factor) ** 2, axis=-1), axis=-1)
    return dict(noise=walk / signal, loss=loss, both=xp.concat([walk / signal, loss]))


def _mean_size(vectors: Any) -> Any:
    """The root mean square over paths of the norms of vectors (..., paths, d): (...)."""
    xp = array_namespace(vectors)
    return xp.sqrt(xp.mean(xp.sum(vectors**2, axis=-1), axis=-1))


WINDOW = Experiment("directional_pruning.window", draw, run, device_ready=True)
