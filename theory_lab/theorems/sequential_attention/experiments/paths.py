"""The global minimiser along lam on one problem, and on all of a plane."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from theory_lab.core import Experiment, Measurement
from theory_lab.core.checks import BadParameter, at_least, at_most, one_of, positive
from theory_lab.core.parameters import Params
from theory_lab.core.seeds import Stream
from theory_lab.solvers.exhaustive import minimise
from theory_lab.solvers.group_lasso import solve
from theory_lab.solvers.masked_penalties import PENALTIES
from theory_lab.theorems.sequential_attention.experiments.instances import make_instance
from theory_lab.theorems.sequential_attention.experiments.minimum import (
    SMALL,
    TOLERANCE,
    objective,
    searched,
)
from theory_lab.theorems.sequential_attention.experiments.windows import (
    find_window,
    one_group_point,
)


def draw_path(
    m: Annotated[int, at_least(1)], sizes: tuple[int, ...], *, rng: Stream
) -> dict[str, Any]:
    """Squares with a Gaussian design, and its window."""
    problem, response = make_instance("squares", m, sizes, 0.0, rng)
    window = find_window(problem)
    design = problem.X[:, problem.members[window.leader]]
    return dict(design=design, response=response, tau=window.tau, second_entry=window.high,
                _problem=problem, _window=window)  # fmt: skip


def run_path(
    problem: dict[str, Any],
    *,
    q: Annotated[str, one_of(tuple(PENALTIES))] = "abs",
    place: Annotated[float, positive] = 0.5,
    rng: Stream,
) -> dict[str, Any]:
    """At `lam` = place tau, of the best point: the norm of the `leading` group and the share of the
    `rest` in the sum of norms. `uncertainty`: its value minus a lower bound, over L(0): by branch and
    bound for a concave q, else (a search from the Group LASSO minimiser and from every group) 1."""
    at, window, penalty = problem["_problem"], problem["_window"], PENALTIES[q]
    lam, uncertainty = place * window.tau, 1.0
    if penalty.is_concave:
        found = minimise(at, lam, penalty, tol=1e-9, nodes=400)
        best, uncertainty = found.coefficients, (found.value - found.lower_bound)
        uncertainty /= at.smooth(np.zeros_like(best))
    else:
        lasso = solve(at, lam, tol=TOLERANCE)
        points = [searched(at, lam, penalty, lasso, rng.named("search"))[0]]
        points += [one_group_point(at, g, lam) for g in range(len(at.members))]
        best = min(points, key=lambda B: objective(at, lam, penalty, B))
    norms = at.norms(best)
    total, leading = float(norms.sum()), float(norms[window.leader])
    return dict(leading=leading, lam=lam, rest=1 - leading / total if total > SMALL else 0.0,
                uncertainty=float(uncertainty))  # fmt: skip


PATH = Experiment("sequential_attention.path", draw_path, run_path)

POINTS, SHOWN, ROUNDS = 161, 37, 4
CAP = 1e6
"""Instead of infinity, where a bounded q has it."""


def check_plane(values: Params) -> None:
    """Two coordinates."""
    if len(values["pulls"]) != 2 or min(values["pulls"]) <= 0:
        raise BadParameter("pulls must be two numbers greater than 0.")


def draw_plane(
    pulls: tuple[float, ...],
    correlation: Annotated[float, at_least(0), at_most(1)],
    lam: Annotated[float, positive],
    *,
    rng: Stream,
) -> dict[str, Any]:
    """L(b) = 1/2 (b_1^2 + b_2^2 + 2 rho b_1 b_2) - c^T b: two columns of length 1, pulls c = X^T y."""
    return dict(pulls=pulls, correlation=correlation, lam=lam)


def run_plane(
    problem: dict[str, Any], *, q: Annotated[str, one_of(tuple(PENALTIES))] = "sqrt", rng: Stream
) -> dict[str, Any]:
    """`minimiser` (2,): of the points of a grid that closes in on the least value of F_q, the one of
    least value (of several the one farthest from the first axis), with the last spacing around it.
    The trace has F_q on a coarser grid, and its local minima."""
    c, rho, lam = np.array(problem["pulls"]), problem["correlation"], problem["lam"]
    penalty, reach = PENALTIES[q], 1.25 * max(problem["pulls"])

    def value(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        smooth = 0.5 * (first**2 + second**2) + rho * first * second - c[0] * first - c[1] * second
        norms = np.stack(np.broadcast_arrays(np.abs(first), np.abs(second)), axis=-1)
        return smooth + lam * penalty.combined(norms)

    axis = np.linspace(-0.2 * reach, reach, POINTS)
    axis = np.sort(np.append(axis, 0.0))
    shown = np.linspace(-0.2 * reach, reach, SHOWN)
    F = np.minimum(value(axis[:, None], axis[None, :]), CAP)
    basins = _local_minima(F)
    found = [_closed_in(value, axis[i], axis[j], axis[1] - axis[0]) for i, j in basins]
    values = np.array([at[2] for at in found])
    best = [at for at in found if at[2] <= values.min() + 1e-9]
    x, y, _, spacing = max(best, key=lambda at: at[1])
    centre = np.array([x, y])
    return dict(
        minimiser=Measurement.estimated(centre - spacing, centre + spacing),
        minima=len(found),
        trace=dict(axis=shown, values=np.minimum(value(shown[:, None], shown[None, :]), CAP),
                   minima=np.array([at[:3] for at in found])),
    )  # fmt: skip


def _local_minima(F: np.ndarray) -> list[tuple[int, int]]:
    """Grid points that are not above any of their eight neighbours."""
    padded = np.pad(F, 1, constant_values=np.inf)
    n, k = F.shape
    around = [padded[1 + i : n + 1 + i, 1 + j : k + 1 + j]
              for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]  # fmt: skip
    return [(int(i), int(j)) for i, j in np.argwhere((np.min(around, axis=0) >= F) & (F < CAP))]


def _closed_in(value: Any, x: float, y: float, spacing: float) -> tuple[float, float, float, float]:
    """The least value within half a spacing of (x, y), on grids that shrink by 8 and hold the axes where
    they are that close; the last spacing."""
    for _ in range(ROUNDS):
        offsets = spacing * np.linspace(-0.6, 0.6, 25)
        xs, ys = (np.append(at + offsets, 0.0 if abs(at) <= 0.6 * spacing else at) for at in (x, y))
        F = value(xs[:, None], ys[None, :])
        i, j = np.unravel_index(int(np.argmin(F)), F.shape)
        x, y, spacing = float(xs[i]), float(ys[j]), spacing / 8
    return x, y, float(F.min()), spacing


PLANE = Experiment("sequential_attention.plane", draw_plane, run_plane, (check_plane,))
