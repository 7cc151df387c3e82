"""Directional pruning: coupled paths of gRDA and SGD."""

from __future__ import annotations

import tracemalloc
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.timing import Benchmarks, Line, alternate, median, ratio
from theory_lab.core.seeds import Stream
from theory_lab.solvers.averaging import dual_averaging
from theory_lab.theorems.directional_pruning.experiments.losses import GaussianRows

PATHS, PATH_STEPS, PATH_DIMENSION, OPPONENT_PATHS = 4000, 2000, 20, 25
PATH_STEP, STRENGTH, EXPONENT, LABEL_NOISE = 2.0**-8, 0.1, 0.51, 0.5


def path_problem() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Singular least squares with Gaussian rows of rank 10: factor, optimum, and a start."""
    rng = np.random.default_rng(3)
    axes = np.linalg.qr(rng.standard_normal((PATH_DIMENSION, 10)))[0]
    optimum = rng.choice([-1.0, 1.0], PATH_DIMENSION)
    factor = axes * np.sqrt(np.linspace(0.2, 1, 10))
    return factor, optimum, optimum + 0.3 * rng.standard_normal(PATH_DIMENSION)


def plain_paths(paths: int) -> None:
    """The opponent: one path after the other, step by step, as one writes it."""
    A, optimum, start = path_problem()
    rng = np.random.default_rng(4)
    for _ in range(paths):
        sgd, v = start.copy(), start.copy()
        w = v
        for n in range(1, PATH_STEPS + 1):
            x = A @ rng.standard_normal(10)
            y = x @ optimum + LABEL_NOISE * rng.standard_normal()
            sgd = sgd - PATH_STEP * (x @ sgd - y) * x
            v = v - PATH_STEP * (x @ w - y) * x
            g = STRENGTH * PATH_STEP ** (EXPONENT + 0.5) * n**EXPONENT
            w = np.sign(v) * np.maximum(np.abs(v) - g, 0)


def paths_in_blocks(paths: int) -> None:
    """Ours: all paths at once."""
    factor, optimum, start = path_problem()
    with threadpool_limits(1):
        dual_averaging(
            GaussianRows(factor, optimum, LABEL_NOISE),
            np.repeat(start[None], paths, axis=0),
            step=PATH_STEP,
            steps=PATH_STEPS,
            strengths=(0.0, STRENGTH),
            exponents=(1.0, EXPONENT),
            stream=Stream({}, 4),
        )


def normals_alone(paths: int) -> None:
    """The floor: the eleven normals of every path and step, drawn and thrown away."""
    stream, drawn = Stream({}, 4), np.empty((11, 800))
    for _ in range(paths * PATH_STEPS // drawn.shape[1]):
        stream.standard_normal(out=drawn)


def peak_memory() -> int:
    """Bytes that our paths hold at once."""
    tracemalloc.start()
    paths_in_blocks(PATHS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def coupled_paths() -> list[Line]:
    """Target: 40 times the plain loop on one thread, 80 times on two processes, below 300 MB."""
    scale = PATHS / OPPONENT_PATHS
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:

        def halves() -> None:
            list(pool.map(paths_in_blocks, [PATHS // 2, PATHS // 2]))

        one = alternate(lambda: paths_in_blocks(PATHS), lambda: plain_paths(OPPONENT_PATHS), 3)
        two = alternate(halves, lambda: plain_paths(OPPONENT_PATHS), 3)
    floor = alternate(lambda: paths_in_blocks(PATHS), lambda: normals_alone(PATHS), 3)
    return [
        Line("4,000 coupled paths, plain loop", median([scale * b for _, b in one], 1, "s")),
        Line("4,000 coupled paths, one thread", median([a for a, _ in one], 1, "s")),
        Line("  of it drawing normals", ratio([b / a for a, b in floor])),
        Line("  plain loop / ours", ratio([scale * b / a for a, b in one]), ">= 40"),
        Line("  plain loop / two processes", ratio([scale * b / a for a, b in two]), ">= 80"),
        Line("memory", f"{peak_memory() / 1e6:.3g} MB", "< 300 MB"),
    ]


BENCHMARKS: Benchmarks = [
    ("Directional pruning: 4,000 coupled paths x 2,000 steps x d = 20, float64", coupled_paths),
]
