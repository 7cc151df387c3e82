"""Stationary points of the regularised sensing loss from finitely many noisy measurements."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from theory_lab.core import Experiment
from theory_lab.core.checks import at_least, nonnegative, one_of, positive
from theory_lab.core.seeds import Stream
from theory_lab.solvers.descent import descend, safe_step, small_gradient
from theory_lab.solvers.regulariser import squared_norms
from theory_lab.solvers.stationary import certify
from theory_lab.theorems.matrix_sensing.experiments.instances import (
    DATA,
    check_target,
    make_target,
)
from theory_lab.theorems.matrix_sensing.experiments.sensing_losses import (
    EmpiricalLoss,
    gaussian_gram,
    sampled_curvature,
)

GRADIENT = 1e-10
"""Descent stops at this gradient norm."""


def draw(
    d: Annotated[int, at_least(1)],
    k: Annotated[int, at_least(1)],
    lam: Annotated[float, nonnegative],
    beta: Annotated[float, positive],
    n: Annotated[int, at_least(1)],
    sigma: Annotated[float, nonnegative],
    eigenvalues: tuple[float, ...] = (),
    data: Annotated[str, one_of(DATA)] = "synthetic",
    components: int = 0,
    scale: Annotated[float, nonnegative] = 0.3,
    *,
    rng: Stream,
) -> dict[str, Any]:
    """n noisy Gaussian measurements of X*, and a start with N(0, scale^2 / d) entries (d, k)."""
    target = make_target(d, eigenvalues, data, components, rng)
    form = gaussian_gram(rng, n, target.matrix, sigma)
    start = rng.standard_normal((1, d, k)) * (scale / np.sqrt(d))
    return dict(
        d=d, lam=lam, beta=beta, n=n, spectrum=target.spectrum,
        _target=target.matrix, _form=form, _start=start,
    )  # fmt: skip


def run(problem: dict[str, Any], *, rng: Stream) -> dict[str, Any]:
    """Descend to a certified second-order stationary point U and count columns above 2 sqrt(beta).

    `error_norm` is |E|_op, E = U U^T - X* - F'(U U^T) / 2, which is N - (M - I)(U U^T - X*).
    """
    loss, start, d = EmpiricalLoss(problem["_form"]), problem["_start"], problem["d"]
    lam, beta = problem["lam"], problem["beta"]
    largest = max(1.3 * problem["spectrum"][0], np.linalg.norm(start[0], 2) ** 2)
    step = safe_step(largest, lam, beta, sampled_curvature(d, problem["n"]))
    U = descend(
        loss, start, lam, beta,
        step=step, steps=20_000, until=small_gradient(GRADIENT), momentum=True,
    ).U  # fmt: skip
    gradient_norm, curvature = certify(loss, U, lam, beta, rng=rng.named("search"))
    s, X = squared_norms(U)[0], U @ np.swapaxes(U, 1, 2)
    error = X - problem["_target"] - 0.5 * loss.gradient(X)
    return dict(
        survivors=(s > 4 * beta).sum(),
        smallest_squared_norm=s.min(),
        error_norm=np.linalg.norm(error[0], 2),
        gradient_norm=gradient_norm[0],
        curvature=curvature[0],
    )


def check_measured_target(params: Any) -> None:
    """The target's parameters go together; fewer columns than its rank are legal here."""
    check_target({**params, "k": params["d"]})


FINITE_SAMPLES = Experiment(
    "matrix_sensing.finite_samples", draw, run, checks=(check_measured_target,)
)
