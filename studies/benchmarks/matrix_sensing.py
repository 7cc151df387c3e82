"""Matrix sensing: gradients through the Gram form, certified stationary points."""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.timing import Benchmarks, Line, alternate, median, ratio, timed
from theory_lab.core.seeds import Stream
from theory_lab.numerics.symmetric import packed_size, svec
from theory_lab.solvers.descent import safe_step
from theory_lab.solvers.stationary import second_order_points
from theory_lab.theorems.matrix_sensing.experiments.instances import make_target
from theory_lab.theorems.matrix_sensing.experiments.losses import PopulationLoss
from theory_lab.theorems.matrix_sensing.experiments.sensing_losses import EmpiricalLoss, GramForm

D_SENSING, N_MEASUREMENTS, RUNS, COLUMNS = 40, 4000, 32, 10


def einsum_gradient(A: np.ndarray, y: np.ndarray, U: np.ndarray) -> np.ndarray:
    """The opponent: the gradient of mean (<A_i, U U^T> - y_i)^2 for one U, as one writes it."""
    residual = np.einsum("nij,ij->n", A, U @ U.T) - y
    weighted = np.einsum("n,nij->ij", residual, A)
    return 2 / len(y) * (weighted + weighted.T) @ U


def gram_gradient(loss: EmpiricalLoss, U: np.ndarray) -> np.ndarray:
    """Ours: the gradients of all runs U (B, d, k) through the Gram form."""
    return 2 * (loss.gradient(U @ np.swapaxes(U, 1, 2)) @ U)


def sensing_gradient() -> list[Line]:
    """Target: 120 times less per run than two einsums, within 1.5 of the 820 x 820 x 32 product."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((N_MEASUREMENTS, D_SENSING, D_SENSING))
    target = make_target(D_SENSING, (2.0, 1.0), "synthetic", 0, rng).matrix
    y = np.einsum("nij,ij->n", A, target) + 0.1 * rng.standard_normal(N_MEASUREMENTS)
    U = rng.standard_normal((RUNS, D_SENSING, COLUMNS)) * 0.1
    P = svec(0.5 * (A + np.swapaxes(A, 1, 2)))
    build = [timed(lambda: GramForm.of(P, y[None]), 1)() for _ in range(5)]
    loss = EmpiricalLoss(GramForm.of(P, y[None]))
    np.testing.assert_allclose(gram_gradient(loss, U)[0], einsum_gradient(A, y, U[0]), atol=1e-10)

    D = packed_size(D_SENSING)
    matrix, block = rng.standard_normal((D, D)), rng.standard_normal((RUNS, D))

    def ours() -> np.ndarray:
        return gram_gradient(loss, U)

    against_einsum = alternate(ours, lambda: einsum_gradient(A, y, U[0]), 21, times=10)
    against_floor = alternate(ours, lambda: block @ matrix, 101, times=10)
    return [
        Line("gradient, two einsums, a run", median([t for _, t in against_einsum])),
        Line(
            "gradient, Gram form, a run", median([t / RUNS for t, _ in against_floor], 1e-6, "us")
        ),
        Line("  two einsums / ours", ratio([RUNS * b / a for a, b in against_einsum]), ">= 120"),
        Line(
            "  ours / product of 820 x 820 x 32", ratio([a / b for a, b in against_floor]), "<= 1.5"
        ),
        Line("building the Gram matrix, once", median(build)),
    ]


SEEDS, OPPONENT_SEEDS = 100, 3
LAM, BETA, TOLERANCE = 0.1, 0.01, 1e-10


def torch_descent(target: np.ndarray, start: np.ndarray, step: float) -> int:
    """The opponent: torch autograd, plain gradient descent, one seed; the steps it took."""
    X, U = torch.from_numpy(target), torch.from_numpy(start.copy()).requires_grad_()
    for taken in range(1_000_000):
        squares = (U * U).sum(dim=0)
        loss = ((U @ U.T - X) ** 2).sum() + LAM * (squares / torch.sqrt(squares + BETA)).sum()
        (gradient,) = torch.autograd.grad(loss, U)
        if gradient.norm() <= TOLERANCE:
            return taken
        with torch.no_grad():
            U -= step * gradient
    raise RuntimeError("The opponent did not reach the tolerance; raise its step.")


def stationary_points() -> list[Line]:
    """Target: 100 certified points at least 500 times faster than one seed at a time in torch."""
    rng = np.random.default_rng(1)
    d, k = 20, 12
    target = make_target(d, (1.5, 1.0), "synthetic", 0, rng).matrix
    starts = rng.standard_normal((SEEDS, d, k)) * (0.3 / np.sqrt(d))
    step = safe_step(1.3 * 1.5, LAM, BETA)
    certify = Stream({}, 2)

    def ours() -> None:
        points = second_order_points(
            PopulationLoss(target), starts, LAM, BETA, step=step, rng=certify, tol=TOLERANCE
        )
        assert points.gradient_norm.max() <= TOLERANCE
        assert points.curvature.min() >= -1e-8

    seeds = iter(starts)

    def theirs() -> None:
        torch_descent(target, next(seeds), float(step))

    pairs = alternate(ours, theirs, OPPONENT_SEEDS)
    return [
        Line(f"{SEEDS} certified stationary points", median([a for a, _ in pairs], 1, "s")),
        Line("torch autograd, plain descent, a seed", median([b for _, b in pairs], 1, "s")),
        Line("  100 seeds of torch / ours", ratio([SEEDS * b / a for a, b in pairs]), ">= 500"),
    ]


BENCHMARKS: Benchmarks = [
    ("Matrix sensing: gradient (d = 40, n = 4000, 32 runs, float64)", sensing_gradient),
    ("Matrix sensing: stationary points (d = 20, k = 12)", stationary_points),
]
