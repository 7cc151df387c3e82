"""How fast the theories' computations are, against opponents written plainly below.

    make speed        (or: python studies/speed.py)

One thread. Every figure is the median of alternating runs, a ratio comes with its spread over the
pairs of runs, and the target stands beside it. No study: nothing here is judged.
"""

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from theory_lab.numerics.symmetric import packed_size, svec
from theory_lab.solvers.descent import safe_step
from theory_lab.solvers.stationary import second_order_points
from theory_lab.theorems.matrix_sensing.experiments.instances import make_target
from theory_lab.theorems.matrix_sensing.experiments.losses import PopulationLoss
from theory_lab.theorems.matrix_sensing.experiments.sensing_losses import EmpiricalLoss, GramForm


@dataclass(frozen=True)
class Line:
    """One line of the table: what was timed, the figure, and what it should be."""

    what: str
    figure: str
    target: str = ""


def timed(work: Callable[[], object], times: int) -> Callable[[], float]:
    """Wall time of one of `times` calls in a row, as a descent makes them: caches are warm."""

    def call() -> float:
        begin = time.perf_counter()
        for _ in range(times):
            work()
        return (time.perf_counter() - begin) / times

    return call


def alternate(
    ours: Callable[[], object], theirs: Callable[[], object], rounds: int, times: int = 1
) -> list[tuple[float, float]]:
    """Pairs (our seconds, their seconds) of alternating runs of `times` calls, after a warm-up."""
    first, second = timed(ours, times), timed(theirs, times)
    first(), second()
    return [(first(), second()) for _ in range(rounds)]


def median(times: list[float], unit: float = 1e-3, name: str = "ms") -> str:
    """A median with its unit."""
    return f"{statistics.median(times) / unit:.3g} {name}"


def ratio(quotients: list[float]) -> str:
    """The median of quotients of paired runs, and their range."""
    return f"{statistics.median(quotients):.3g} ({min(quotients):.3g} to {max(quotients):.3g})"


# Matrix sensing: one gradient for 32 runs over one set of measurements -------------------------

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


# Matrix sensing: certified second-order stationary points ----------------------------------------

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
    certify = np.random.default_rng(2)

    def ours() -> None:
        points = second_order_points(
            PopulationLoss(target), starts, LAM, BETA, step=step, rng=certify, tol=TOLERANCE
        )
        assert points.gradient_norm.max() <= TOLERANCE
        assert points.curvature.min() >= -1e-8

    times = [timed(ours, 1)() for _ in range(8)][1:]
    theirs = [
        timed(lambda U=U: torch_descent(target, U, float(step)), 1)()
        for U in starts[:OPPONENT_SEEDS]
    ]
    best = statistics.median(times)
    return [
        Line(f"{SEEDS} certified stationary points", median(times, 1, "s")),
        Line("torch autograd, plain descent, a seed", median(theirs, 1, "s")),
        Line("  100 seeds of torch / ours", ratio([SEEDS * t / best for t in theirs]), ">= 500"),
    ]


# The command line ----------------------------------------------------------------------------------


def command_line() -> list[Line]:
    """Target: `theory-lab list` in at most three times the time of importing numpy and click."""
    script = shutil.which("theory-lab", path=os.path.dirname(sys.executable))
    if script is None:
        raise RuntimeError("theory-lab is not installed beside this Python; run `make` first.")

    def call(*command: str) -> None:
        subprocess.run(command, check=True, capture_output=True)

    pairs = alternate(
        lambda: call(script, "list"),
        lambda: call(sys.executable, "-c", "import numpy, click"),
        9,
    )
    return [
        Line("theory-lab list", median([a for a, _ in pairs])),
        Line("python -c 'import numpy, click'", median([b for _, b in pairs])),
        Line("  ratio", ratio([a / b for a, b in pairs]), "<= 3"),
    ]


BENCHMARKS: list[tuple[str, Callable[[], list[Line]]]] = [
    ("Matrix sensing: gradient (d = 40, n = 4000, 32 runs, float64)", sensing_gradient),
    ("Matrix sensing: stationary points (d = 20, k = 12)", stationary_points),
    ("Command line", command_line),
]


def main() -> None:
    torch.set_num_threads(1)
    with threadpool_limits(1):
        for title, benchmark in BENCHMARKS:
            print(f"\n{title}")
            for line in benchmark():
                print(f"  {line.what:<44}{line.figure:>28}   {line.target}")


if __name__ == "__main__":
    main()
