"""The theories' ensembles on a device: coupled paths of gRDA, and descents of matrix sensing.

Numpy takes the same code on one thread, with fewer paths and starts, and is scaled up: its time is
linear in them. Float64 throughout.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from benchmarks.device import host_seconds, seconds
from benchmarks.directional_pruning import EXPONENT, LABEL_NOISE, PATH_STEP, STRENGTH, path_problem
from benchmarks.matrix_sensing import BETA, LAM, TOLERANCE
from benchmarks.roofline import Ceilings
from benchmarks.rows import Row
from theory_lab.core.seeds import Stream
from theory_lab.lab.backends import DeviceStream
from theory_lab.solvers.averaging import dual_averaging
from theory_lab.solvers.descent import descend, safe_step
from theory_lab.solvers.stationary import second_order_points
from theory_lab.theorems.directional_pruning.experiments.instances import copies
from theory_lab.theorems.directional_pruning.experiments.losses import GaussianRows
from theory_lab.theorems.matrix_sensing.experiments.instances import make_target
from theory_lab.theorems.matrix_sensing.experiments.losses import PopulationLoss

PAIRS = 5
"""Stochastic gradient descent and four paths of gRDA on each sample."""

EIGENVALUES = (1.5, 1.0)


@dataclass(frozen=True)
class Sizes:
    """How many paths and starts there are, how far they go, and how many of them numpy takes."""

    paths: int
    path_steps: int
    dimension: int
    columns: int
    starts: int
    descent_steps: int
    numpy_paths: int
    numpy_starts: int
    rounds: int = 5


FULL = Sizes(
    paths=100_000, path_steps=300, dimension=200, columns=32, starts=256, descent_steps=300,
    numpy_paths=4_000, numpy_starts=2,
)  # fmt: skip
SMOKE = Sizes(
    paths=50, path_steps=5, dimension=6, columns=4, starts=3, descent_steps=5,
    numpy_paths=50, numpy_starts=2, rounds=1,
)  # fmt: skip

Place = Callable[[np.ndarray], Any]
"""Makes an array of the backend that is timed."""


def ensembles(device: torch.device, sizes: Sizes, limits: Ceilings) -> Iterator[Row]:
    """Both ensembles; `limits` are those of float64."""
    yield from paths(device, sizes, limits)
    yield from starts(device, sizes, limits)


def paths(device: torch.device, sizes: Sizes, limits: Ceilings) -> Iterator[Row]:
    """A step of all paths: the device, its host, and numpy."""
    d = len(path_problem()[2])
    section = f"gRDA, {sizes.paths:,} samples of {PAIRS} coupled paths, d = {d}, float64"
    stream = DeviceStream({}, 4, "noise", str(device))
    place = functools.partial(torch.tensor, device=device)
    work = functools.partial(follow, place, stream, sizes.paths, sizes.path_steps)
    here = functools.partial(follow, np.asarray, Stream({}, 4), sizes.numpy_paths, sizes.path_steps)
    yield from compared(
        section, "a step of all paths", work, here, device, sizes.rounds,
        per=sizes.path_steps, scale=sizes.paths / sizes.numpy_paths,
        floor=limits.seconds(*path_cost(sizes.paths, d)),
    )  # fmt: skip


def follow(place: Place, stream: Any, count: int, steps: int) -> Any:
    """`count` samples of coupled paths for so many steps."""
    factor, optimum, start = (place(part) for part in path_problem())
    return dual_averaging(
        GaussianRows(factor, optimum, LABEL_NOISE),
        copies(start, count),
        step=PATH_STEP,
        steps=steps,
        strengths=(0.0,) + (STRENGTH,) * (PAIRS - 1),
        exponents=(1.0,) + (EXPONENT,) * (PAIRS - 1),
        stream=stream,
    )


def path_cost(count: int, d: int, rank: int = 10) -> tuple[float, float]:
    """Operations and bytes of one step: samples made and forgotten where they are used, weights and
    accumulators read and written once."""
    mixing = 2 * (d + 1) * (rank + 1)
    gradients = PAIRS * (2 * d + 2 + 2 * d)
    thresholds = PAIRS * 3 * d
    return count * float(mixing + gradients + thresholds), 4 * 8.0 * PAIRS * d * count


def starts(device: torch.device, sizes: Sizes, limits: Ceilings) -> Iterator[Row]:
    """A step of plain descent from all starts, and certified points from all starts."""
    d, k = sizes.dimension, sizes.columns
    section = f"Matrix sensing, {sizes.starts} starts, d = {d}, k = {k}, float64"
    problem = sensing_problem(d, k, sizes.starts)
    place = functools.partial(torch.tensor, device=device)
    few = problem[0], problem[1][: sizes.numpy_starts]
    scale = sizes.starts / sizes.numpy_starts
    yield from compared(
        section, "a step from all starts",
        functools.partial(descended, place, problem, sizes.descent_steps),
        functools.partial(descended, np.asarray, few, sizes.descent_steps),
        device, sizes.rounds, per=sizes.descent_steps, scale=scale,
        floor=limits.seconds(*descent_cost(sizes.starts, d, k)),
    )  # fmt: skip
    yield from compared(
        section, "certified points from all starts",
        functools.partial(certified, place, DeviceStream({}, 5, "search", str(device)), problem),
        functools.partial(certified, np.asarray, Stream({}, 5), few),
        device, 1, per=1, scale=scale,
    )  # fmt: skip


def sensing_problem(d: int, k: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """X* (d, d) and starts (count, d, k)."""
    rng = np.random.default_rng(1)
    target = make_target(d, EIGENVALUES, "synthetic", 0, rng).matrix
    return target, rng.standard_normal((count, d, k)) * (0.3 / np.sqrt(d))


STEP = float(safe_step(1.3 * EIGENVALUES[0], LAM, BETA))


def descended(place: Place, problem: tuple[np.ndarray, np.ndarray], steps: int) -> Any:
    """Plain descent from all starts."""
    target, U = (place(part) for part in problem)
    return descend(PopulationLoss(target), U, LAM, BETA, step=STEP, steps=steps)


def certified(place: Place, stream: Any, problem: tuple[np.ndarray, np.ndarray]) -> None:
    """Stationary points with their curvature; the two columns that X* has are left."""
    target, U = (place(part) for part in problem)
    points = second_order_points(
        PopulationLoss(target), U, LAM, BETA, step=STEP, rng=stream, tol=TOLERANCE
    )
    assert float(points.gradient_norm.max()) <= TOLERANCE
    assert float(points.curvature.min()) >= -1e-8


def descent_cost(count: int, d: int, k: int) -> tuple[float, float]:
    """Operations and bytes of one step: U U^T and F' U, no better use made of symmetry; U read and
    written once."""
    return count * 4.0 * d * d * k, count * 2 * 8.0 * d * k


def compared(
    section: str,
    what: str,
    work: Callable[[], object],
    on_numpy: Callable[[], object],
    device: torch.device,
    rounds: int,
    *,
    per: int,
    scale: float,
    floor: float | None = None,
) -> Iterator[Row]:
    """The time on the device beside its floor, the host's part of it, and numpy on one thread."""
    there = seconds(work, device, rounds, warm_up=1) / per
    beside = f"{there / floor:.3g} times the least, {floor * 1e3:.3g} ms" if floor else ""
    yield Row(section, what, there * 1e3, "ms", beside)
    if floor:
        busy = host_seconds(work, device, rounds) / per
        yield Row(section, "  of it the host's", busy * 1e3, "ms")
    with threadpool_limits(1):
        on_numpy()
        begin = time.perf_counter()
        on_numpy()
        here = (time.perf_counter() - begin) * scale / per
    yield Row(section, "  numpy on one thread", here * 1e3, "ms", f"{here / there:.3g} times ours")
