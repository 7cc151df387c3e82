"""What the global minimum of F_q is worth: its growth, the gap to the runner-up, the second entry of
the Group LASSO, and the witness against Lemma 2.1's q."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from theory_lab.core import Experiment, Measurement
from theory_lab.core.checks import BadParameter, at_least, nonnegative, one_of
from theory_lab.core.parameters import Params
from theory_lab.core.seeds import Stream
from theory_lab.solvers.exhaustive import runner_up
from theory_lab.solvers.group_lasso import Problem, solve
from theory_lab.solvers.masked_penalties import PENALTIES
from theory_lab.solvers.penalties import Penalty
from theory_lab.theorems.sequential_attention.experiments.instances import (
    INSTANCES,
    check_instance,
    make_instance,
)
from theory_lab.theorems.sequential_attention.experiments.minimum import (
    LOSSES,
    TOLERANCE,
    active_groups,
    draw,
    objective,
    searched,
)
from theory_lab.theorems.sequential_attention.experiments.windows import (
    find_window,
    one_group_point,
    restricted,
    zero_gradient_norms,
)

DIRECTIONS, ROUNDING = 60, 64 * np.finfo(float).eps
LENGTHS = (0.02, 0.2, 2.0)


def run_growth(
    problem: dict[str, Any], *, q: Annotated[str, one_of(tuple(PENALTIES))] = "abs", rng: Stream
) -> dict[str, Any]:
    """`growth`, up to rounding: the least (F_q(B) - F_q(B*)) / |B - B*|^2 over points B at three distances from the
    Group LASSO minimiser B*, in random directions, within the first group, along the flattest
    direction of L there and along the ray through B*; `lasso_groups` active in B*."""
    at, lam, penalty = problem["_problem"], problem["lam"], PENALTIES[q]
    best = solve(at, lam, tol=TOLERANCE).coefficients
    value, search = objective(at, lam, penalty, best), rng.named("search")
    natural = np.sqrt(2 * at.smooth(np.zeros_like(best)) / problem["smoothness"])
    size = max(float(np.linalg.norm(best)), 0.1 * float(natural))
    low, high = np.inf, np.inf
    for step in _directions(at, problem["kept"], best, search):
        for length in LENGTHS:
            move = size * length / np.linalg.norm(step) * step
            after, square = objective(at, lam, penalty, best + move), float(np.sum(move * move))
            if not np.isfinite(after):  # beyond the supremum of a bounded q
                continue
            rounding = ROUNDING * (abs(after) + abs(value)) / square
            ratio = (after - value) / square
            low, high = min(low, ratio - rounding), min(high, ratio + rounding)
    return dict(growth=Measurement.certified(low, high), lasso_groups=active_groups(at, best))


def _directions(
    problem: Problem, group: int, best: np.ndarray, rng: np.random.Generator
) -> list[np.ndarray]:
    members = problem.members[group]
    found = [rng.standard_normal(best.shape) for _ in range(DIRECTIONS)]
    for n in range(DIRECTIONS):
        inside = np.zeros_like(best)
        inside[members] = found[n][members]
        found.append(inside)
    flat = np.zeros_like(best)
    axis = np.linalg.eigh(problem.X[:, members].T @ problem.X[:, members])[1][:, 0]
    flat[members, 0] = axis
    ray = best if best.any() else flat
    return [*found, flat, -flat, ray, -ray]


GROWTH = Experiment("sequential_attention.growth", draw, run_growth, (check_instance,))


def run_runner_up(
    problem: dict[str, Any], *, q: Annotated[str, one_of(tuple(PENALTIES))] = "abs", rng: Stream
) -> dict[str, Any]:
    """`gap`: an enclosure of min F_q over the B that are 0 on the kept group, minus min F_q: by branch
    and bound for a concave q, else by the Group LASSO (subadditive q) and local searches."""
    at, lam, penalty = problem["_problem"], problem["lam"], PENALTIES[q]
    lasso = solve(at, lam, tol=TOLERANCE)
    value = searched(at, lam, penalty, lasso, rng.named("search"))[1]
    low, high = _without(at, lam, penalty, problem["kept"], rng.named("search"))
    return dict(
        gap=Measurement.certified(low - value, high - min(lasso.lower_bound, value)),
        lasso_groups=active_groups(at, lasso.coefficients),
    )


def _without(
    problem: Problem, lam: float, penalty: Penalty, group: int, rng: np.random.Generator
) -> tuple[float, float]:
    """An enclosure of min F_q without a group."""
    if len(problem.members) == 1:
        alone = problem.smooth(np.zeros((problem.X.shape[1], problem.loss.shape[1])))
        return alone, alone
    if penalty.is_concave:
        found = runner_up(problem, lam, penalty, group, nodes=400)
        return found.lower_bound, found.value
    rest = restricted(problem, *(g for g in range(len(problem.members)) if g != group))
    lasso = solve(rest, lam, tol=TOLERANCE)
    value = searched(rest, lam, penalty, lasso, rng)[1]
    return (lasso.lower_bound if penalty.is_subadditive else value), value


RUNNER_UP = Experiment("sequential_attention.runner_up", draw, run_runner_up, (check_instance,))


def draw_window(
    instance: Annotated[str, one_of(INSTANCES)],
    m: Annotated[int, at_least(0)] = 0,
    sizes: tuple[int, ...] = (),
    ridge: Annotated[float, nonnegative] = 0.0,
    *,
    rng: Stream,
) -> dict[str, Any]:
    """A problem; of its leading group, the one with the largest gradient at 0, `convexity`
    lmin(X_1^T X_1) + ridge and the `coupling` max_j |X_j^T X_1|."""
    problem, _ = make_instance(instance, m, sizes, ridge, rng)
    norms = zero_gradient_norms(problem)
    leader = int(np.argmax(norms))
    own = problem.X[:, problem.members[leader]]
    others = [problem.X[:, part] for g, part in enumerate(problem.members) if g != leader]
    return dict(
        loss=LOSSES.get(instance, instance), gradient_norms=norms, _problem=problem,
        convexity=float(np.linalg.eigvalsh(own.T @ own)[0]) + ridge,
        coupling=max((float(np.linalg.norm(other.T @ own, 2)) for other in others), default=0.0),
    )  # fmt: skip


def run_window(problem: dict[str, Any], *, rng: Stream) -> dict[str, Any]:
    """`second_entry`: a bracket of lam2; its upper end is checked by a finer scan up to tau."""
    at = problem["_problem"]
    window = find_window(at)
    high = window.high
    for lam in np.linspace(window.high, window.tau, 60)[1:-1].tolist():
        pulls = at.norms(at.gradient(one_group_point(at, window.leader, lam)))
        if np.delete(pulls, window.leader).max(initial=0.0) > lam:
            high = lam
    return dict(second_entry=Measurement.certified(window.low, high))


def check_window(values: Params) -> None:
    """There is a second group."""
    check_instance(values)
    if len(values["sizes"]) == 1:
        raise BadParameter("sizes needs at least two groups, for a second one to enter.")


WINDOW = Experiment("sequential_attention.window", draw_window, run_window, (check_window,))


def run_witness(
    problem: dict[str, Any],
    *,
    q: Annotated[str, one_of(tuple(PENALTIES))] = "exp_mask",
    rng: Stream,
) -> dict[str, Any]:
    """`least_groups` of a global minimiser, as an enclosure: from 2 on if a point found has a value
    below that of every point with at most one group (for those F_q is the Group LASSO of one group,
    whose minimum is certified); at most 1 if a dual value proves one of these the best.

    `outside_pull`: the largest gradient of another group at the best point with one group.
    """
    at, lam, penalty = problem["_problem"], problem["lam"], PENALTIES[q]
    lasso, t = solve(at, lam, tol=TOLERANCE), len(at.members)
    points = [one_group_point(at, g, lam) for g in range(t)]
    values = [objective(at, lam, penalty, B) for B in points]
    first = int(np.argmin(values))
    pulls = at.norms(at.gradient(points[first]))
    best, value = searched(at, lam, penalty, lasso, rng.named("search"))
    value = min(value, _stepped(at, lam, penalty, points[first], first))
    bounds = [solve(restricted(at, g), lam, tol=TOLERANCE).lower_bound for g in range(t)]
    share = 1 if penalty.is_subadditive else t
    certain = solve(at, lam / share, tol=TOLERANCE).lower_bound
    low, high = 1, max(t, 2)
    if value < min(bounds) - ROUNDING * abs(value):
        low = 2
    elif values[first] <= certain + 1e-9 * abs(certain):
        high = 1
    return dict(
        least_groups=Measurement.certified(low, high),
        groups=active_groups(at, best),
        outside_pull=float(np.delete(pulls, first).max(initial=0.0)),
        lasso_groups=active_groups(at, lasso.coefficients),
    )


def _stepped(problem: Problem, lam: float, penalty: Penalty, B: np.ndarray, group: int) -> float:
    """The least F_q over short steps from B along minus the gradient of the other groups."""
    step = -problem.gradient(B)
    step[problem.members[group]] = 0.0
    norm = float(np.linalg.norm(step))
    if norm == 0:
        return np.inf
    lengths = np.geomspace(1e-5, 1.0, 41) * max(float(np.linalg.norm(B)), 1e-6) / norm
    return min(objective(problem, lam, penalty, B + length * step) for length in lengths)


WITNESS = Experiment("sequential_attention.witness", draw, run_witness, (check_instance,))
