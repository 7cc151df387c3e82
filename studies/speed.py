"""How fast the theories' computations are, against opponents written plainly below.

    make speed        (or: python studies/speed.py)

One thread. Every figure is the median of alternating runs, a ratio comes with its spread over the
pairs of runs, and the target stands beside it. No study: nothing here is judged.
"""

import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from theory_lab.core.seeds import Stream
from theory_lab.numerics.paths import Edge, Graph, Skip, effective_masks
from theory_lab.numerics.spectra import rank_loss
from theory_lab.numerics.symmetric import packed_size, svec
from theory_lab.solvers.averaging import dual_averaging
from theory_lab.solvers.descent import safe_step
from theory_lab.solvers.stationary import second_order_points
from theory_lab.theorems.directional_pruning.experiments.losses import GaussianRows
from theory_lab.theorems.matrix_sensing.experiments.instances import make_target
from theory_lab.theorems.matrix_sensing.experiments.losses import PopulationLoss
from theory_lab.theorems.matrix_sensing.experiments.sensing_losses import EmpiricalLoss, GramForm
from theory_lab.theorems.rank_pruning.bounds.rank_loss import gradient as closed_form


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


# Rank pruning: the gradient of the rank loss for every convolution of ResNet-50 ------------------

ENERGY, DENSITY, ROUNDS = 0.2, 0.1, 5


def resnet50_convolutions() -> list[tuple[int, int]]:
    """(output channels, input channels x kernel) of the 53 convolutions of ResNet-50."""
    shapes, channels = [(64, 3 * 49)], 64
    for width, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for block in range(blocks):
            shapes += [(width, channels), (width, 9 * width), (4 * width, width)]
            shapes += [(4 * width, channels)] if block == 0 else []
            channels = 4 * width
    return shapes


def torch_svd_gradient(W: torch.Tensor) -> torch.Tensor:
    """The opponent: a full decomposition of the detached matrix, then autograd."""
    W = W.detach().requires_grad_()
    Wn = W / W.norm()
    U, s, Vt = torch.linalg.svd(Wn.detach(), full_matrices=False)
    k = len(s) - 1 - int(torch.argmin((torch.cumsum(s.flip(0) ** 2, 0) - ENERGY).abs()))
    loss = -((Wn - (U[:, :k] * s[:k]) @ Vt[:k]) ** 2).sum()
    return torch.autograd.grad(loss, W)[0]


def numpy_svd_gradient(W: np.ndarray) -> np.ndarray:
    """The opponent: a full decomposition, then the closed form."""
    norm = np.linalg.norm(W)
    U, s, Vt = np.linalg.svd(W / norm, full_matrices=False)
    tails = np.cumsum(s[::-1] ** 2)
    k = len(s) - 1 - int(np.argmin(np.abs(tails - ENERGY)))
    R = W / norm - (U[:, :k] * s[:k]) @ Vt[:k]
    return -2 / norm * (R - np.sum(s[k:] ** 2) * W / norm)


def rank_gradient() -> list[Line]:
    """Target: 53 gradients at least 3.5 (torch) and 4.5 (numpy) times faster than by full SVDs, with
    errors of at most 5e-5 against the closed form in float64."""
    rng = np.random.default_rng(3)
    layers = []
    for m, n in resnet50_convolutions():
        W = rng.standard_normal((m, n)) * (rng.random((m, n)) < DENSITY)
        layers.append((W * np.sqrt(2 / n)).astype(np.float32))
    tensors = [torch.from_numpy(W) for W in layers]
    lines = []
    for name, weights, svd, target in (
        ("torch", tensors, torch_svd_gradient, 3.5),
        ("numpy", layers, numpy_svd_gradient, 4.5),
    ):
        pairs = alternate(
            lambda weights=weights: [rank_loss(W, energy=ENERGY) for W in weights],
            lambda weights=weights, svd=svd: [svd(W) for W in weights],
            ROUNDS,
        )
        lines += [
            Line(f"53 gradients by full SVDs, {name}", median([b for _, b in pairs], 1, "s")),
            Line("53 gradients from Gram matrices", median([a for a, _ in pairs], 1, "s")),
            Line("  full SVDs / ours", ratio([b / a for a, b in pairs]), f">= {target}"),
            Line(
                "  largest error of a gradient", f"{gradient_error(layers, weights):.2g}", "<= 5e-5"
            ),
        ]
    return lines


def gradient_error(layers: list, weights: list) -> float:
    """The largest relative error (Frobenius norm) of our gradients; the same k on both sides."""
    errors = []
    for W, given in zip(layers, weights, strict=True):
        ours = rank_loss(given, energy=ENERGY)
        exact = closed_form(W.astype(np.float64), ours.rank)
        errors.append(np.linalg.norm(np.asarray(ours.gradient) - exact) / np.linalg.norm(exact))
    return float(max(errors))


# Connectivity: the effective mask of a network of the shape of ResNet-50 ---------------------------

RESOLUTION, MASK_DENSITIES, MASK_ROUNDS = 224, (0.1, 0.01), 9


def resnet50() -> Graph:
    """ResNet-50 by channels: every block's three convolutions, its identity or side branch."""
    units, edges, skips, last = [3, 64], [Edge(0, 1, 1, (7, 7))], [], 1
    for width, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for block in range(blocks):
            first = len(units)
            units += [width, width, 4 * width]
            edges += [Edge(last, first, 1, (1, 1)), Edge(first, first + 1, 1, (3, 3)),
                      Edge(first + 1, first + 2, 1, (1, 1))]  # fmt: skip
            if block == 0:
                edges.append(Edge(last, first + 2, 1, (1, 1)))
            else:
                skips.append(Skip(last, first + 2))
            last = first + 2
    return Graph((*units, 1000), (*edges, Edge(last, last + 1)), tuple(skips))


def ones_through(weights: list[torch.Tensor]) -> list[torch.Tensor]:
    """The opponent: ones through the linearised network, kernels |w| under their masks, and autograd
    of the summed output; a weight is active where gradient times weight is not 0."""
    conv, left = torch.nn.functional.conv2d, iter(weights)
    x = conv(torch.ones(1, 3, RESOLUTION, RESOLUTION), next(left), stride=2, padding=3)
    x = torch.nn.functional.avg_pool2d(x, 3, stride=2, padding=1)
    for stage, blocks in enumerate((3, 4, 6, 3)):
        for block in range(blocks):
            stride = 2 if stage > 0 and block == 0 else 1
            inner = conv(conv(x, next(left)), next(left), stride=stride, padding=1)
            inner = conv(inner, next(left))
            x = inner + (conv(x, next(left), stride=stride) if block == 0 else x)
    output = x.mean(dim=(2, 3)) @ next(left).T
    gradients = torch.autograd.grad(output.sum(), weights)
    return [g * w != 0 for g, w in zip(gradients, weights, strict=True)]


def effective_mask() -> list[Line]:
    """Target: at most 20 ms at densities .1 and .01, at least 20 times faster than ones and autograd,
    with the same active weights."""
    rng, graph, lines = np.random.default_rng(4), resnet50(), []
    for density in MASK_DENSITIES:
        masks = [rng.random(shape) < density for shape in graph.shapes]
        # divided by the weights of one unit, so that no path sum overflows
        weights = [
            torch.from_numpy(np.abs(rng.standard_normal(m.shape)) * m / max(1, m[0].sum())).float()
            for m in masks
        ]
        for weight in weights:
            weight.requires_grad_()
        theirs = ones_through(weights)
        for ours, seen in zip(effective_masks(graph, masks), theirs, strict=True):
            np.testing.assert_array_equal(ours, seen.numpy())
        pairs = alternate(
            lambda masks=masks: effective_masks(graph, masks),
            lambda weights=weights: ones_through(weights),
            MASK_ROUNDS,
        )
        lines += [
            Line(f"ones and autograd, density {density:g}", median([b for _, b in pairs])),
            Line(
                f"boolean propagation, density {density:g}",
                median([a for a, _ in pairs]),
                "<= 20 ms",
            ),
            Line("  autograd / ours", ratio([b / a for a, b in pairs]), ">= 20"),
        ]
    return lines


# Directional pruning: coupled paths of gRDA and SGD ------------------------------------------------

PATHS, PATH_STEPS, PATH_DIMENSION, OPPONENT_PATHS = 4000, 2000, 20, 25
PATH_STEP, STRENGTH, EXPONENT = 2.0**-8, 0.1, 0.51


def path_problem() -> tuple[GaussianRows, np.ndarray]:
    """Singular least squares with Gaussian rows of rank 10, and a start."""
    rng = np.random.default_rng(3)
    axes = np.linalg.qr(rng.standard_normal((PATH_DIMENSION, 10)))[0]
    optimum = rng.choice([-1.0, 1.0], PATH_DIMENSION)
    loss = GaussianRows(axes * np.sqrt(np.linspace(0.2, 1, 10)), optimum, 0.5)
    return loss, optimum + 0.3 * rng.standard_normal(PATH_DIMENSION)


def plain_paths(paths: int) -> None:
    """The opponent: one path after the other, step by step, as one writes it."""
    loss, start = path_problem()
    A, optimum, noise = loss
    rng = np.random.default_rng(4)
    for _ in range(paths):
        sgd, v = start.copy(), start.copy()
        w = v
        for n in range(1, PATH_STEPS + 1):
            x = A @ rng.standard_normal(10)
            y = x @ optimum + noise * rng.standard_normal()
            sgd = sgd - PATH_STEP * (x @ sgd - y) * x
            v = v - PATH_STEP * (x @ w - y) * x
            g = STRENGTH * PATH_STEP ** (EXPONENT + 0.5) * n**EXPONENT
            w = np.sign(v) * np.maximum(np.abs(v) - g, 0)


def paths_in_blocks(paths: int) -> int:
    """Ours; returns the peak memory of this process in bytes."""
    loss, start = path_problem()
    with threadpool_limits(1):
        dual_averaging(
            loss,
            np.repeat(start[None], paths, axis=0),
            step=PATH_STEP,
            steps=PATH_STEPS,
            strengths=(0.0, STRENGTH),
            exponents=(1.0, EXPONENT),
            stream=Stream({}, 4),
        )
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def coupled_paths() -> list[Line]:
    """Target: 40 times the plain loop on one thread, 80 times on two processes, below 300 MB."""
    one, two = [], []
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        memory = max(pool.map(paths_in_blocks, [10, 10]))  # both processes are up
        for _ in range(3):
            plain = seconds(lambda: plain_paths(OPPONENT_PATHS)) * PATHS / OPPONENT_PATHS
            one.append((seconds(lambda: paths_in_blocks(PATHS)), plain))
            halves = [PATHS // 2, PATHS // 2]
            two.append((seconds(lambda: list(pool.map(paths_in_blocks, halves))), plain))
        memory = max(memory, *pool.map(paths_in_blocks, [PATHS, PATHS]))
    return [
        Line("4,000 coupled paths, plain loop", median([b for _, b in one], 1, "s")),
        Line("4,000 coupled paths, one thread", median([a for a, _ in one], 1, "s")),
        Line("  plain loop / ours", ratio([b / a for a, b in one]), ">= 40"),
        Line("  plain loop / two processes", ratio([b / a for a, b in two]), ">= 80"),
        Line("memory of a process", f"{memory / 1e6:.0f} MB", "< 300 MB"),
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
    ("Rank pruning: rank gradient, 53 convolutions of ResNet-50, float32", rank_gradient),
    ("Connectivity: effective mask of ResNet-50, 25.5 M weights", effective_mask),
    ("Directional pruning: 4,000 coupled paths x 2,000 steps x d = 20, float64", coupled_paths),
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
