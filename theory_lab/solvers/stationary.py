"""Certified second-order stationary points: a small gradient and the curvature's lower bound.

Array API.
"""

from __future__ import annotations

from dataclasses import dataclass

from theory_lab.core.seeds import Stream
from theory_lab.numerics.inner_products import matrix_products
from theory_lab.solvers.curvature import smallest_curvature
from theory_lab.solvers.descent import descend, small_gradient
from theory_lab.solvers.objective import Loss, Objective
from theory_lab.solvers.regulariser import Array


@dataclass(frozen=True)
class StationaryPoints:
    """Points U (B, d, k) with |grad f|_F = `gradient_norm` (B,) and curvature >= `curvature` (B,).

    `steps`: the descent steps each run took.
    """

    U: Array
    gradient_norm: Array
    curvature: Array
    steps: Array


def certify(
    loss: Loss, U: Array, lam: float | Array, beta: float | Array, *, rng: Stream
) -> tuple[Array, Array]:
    """(|grad f|_F, lower bound of the smallest Hessian eigenvalue) at each run of U: (B,), (B,).

    The bound is Lanczos's value minus its residual, from one random direction of `rng` a run.
    """
    objective = Objective.of(loss, U, lam, beta)
    gradient = objective.gradient(U)
    curvature = smallest_curvature(objective.curvature_at(U), rng.normal(U.shape, like=U))
    return matrix_products(gradient, gradient) ** 0.5, curvature.lower


def second_order_points(
    loss: Loss,
    U: Array,
    lam: float | Array,
    beta: float | Array,
    *,
    step: float | Array,
    rng: Stream,
    tol: float = 1e-10,
    steps: int = 20_000,
) -> StationaryPoints:
    """Descent with the align step from starts U (B, d, k) to |grad f|_F <= tol, then certified.

    A run that spends its `steps` first is returned as it stands: its gradient norm says so.
    """
    path = descend(
        loss, U, lam, beta, step=step, steps=steps, until=small_gradient(tol), aligned=True
    )
    return StationaryPoints(path.U, *certify(loss, path.U, lam, beta, rng=rng), path.steps)
