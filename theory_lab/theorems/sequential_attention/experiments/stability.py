"""How far lam can fall before another group lowers F_q at the one-group point."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from theory_lab.core import Experiment, Measurement
from theory_lab.core.checks import BadParameter, at_least, one_of
from theory_lab.core.parameters import Params
from theory_lab.core.seeds import Stream
from theory_lab.solvers.exhaustive import minimise
from theory_lab.solvers.group_lasso import Problem, Squares
from theory_lab.solvers.masked_penalties import PENALTIES
from theory_lab.solvers.penalties import Penalty
from theory_lab.theorems.sequential_attention.experiments.windows import (
    one_group_point,
    zero_gradient_norms,
)

SCAN, HALVINGS = 60, 24
SWITCH_SCAN, SWITCH_HALVINGS = 14, 10
STEP = 2e-6
"""Length of the new group, relative to the first: how locally stability is tested. Where q rises
vertically at 0 its square: there the penalty of a short group fades only as a root of its length."""


def check(values: Params) -> None:
    """At least two groups, and more samples than variables."""
    if len(values["sizes"]) < 2 or min(values["sizes"]) < 1 or values["m"] <= sum(values["sizes"]):
        raise BadParameter("sizes needs two groups or more of at least 1, and m above their sum.")


def draw(
    m: Annotated[int, at_least(3)], sizes: tuple[int, ...], scale: float = 1.0, *, rng: Stream
) -> dict[str, Any]:
    """A Gaussian design (m, d) over sqrt(m) and a standardised response times `scale`."""
    d = sum(sizes)
    X = rng.standard_normal((m, d)) / np.sqrt(m)
    y = X @ (rng.standard_normal(d) / np.repeat(np.arange(1.0, len(sizes) + 1), sizes))
    y += 0.3 * y.std() * rng.standard_normal(m)
    y *= scale / np.linalg.norm(y) * 3
    return dict(sizes=sizes, gram=X.T @ X, pull=X.T @ y, _X=X, _y=y)


def run(
    problem: dict[str, Any], *, q: Annotated[str, one_of(tuple(PENALTIES))] = "log", rng: Stream
) -> dict[str, Any]:
    """`breaking_point`: the largest lam below tau at which a short step in another group lowers F_q
    at the one-group point (from steps of length STEP |b_1| and half of it, continued to length 0;
    0 if there is none down to 1e-3 tau)."""
    ends = np.cumsum(problem["sizes"])
    groups = list(np.split(np.arange(ends[-1]), ends[:-1]))
    at = Problem(problem["_X"], Squares(problem["_y"][:, None]), groups)
    penalty = PENALTIES[q]
    norms = zero_gradient_norms(at)
    leader, tau = int(np.argmax(norms)), float(norms.max())
    local = STEP if np.isfinite(penalty.slope(np.zeros(1))[0]) else STEP**2
    low = high = tau * (1 - 1e-6)
    for low in np.linspace(high, 1e-3 * tau, SCAN).tolist():
        if not _is_stable(at, penalty, leader, low, local):
            break
        high = low
    else:
        return dict(breaking_point=0.0)
    coarse, fine = (
        _bisected(at, penalty, leader, low, high, step) for step in (local, 0.5 * local)
    )
    centre, reach = 2 * fine - coarse, 2 * abs(fine - coarse) + 1e-6 * fine
    return dict(breaking_point=Measurement.estimated(centre - reach, centre + reach))


def _bisected(
    problem: Problem, penalty: Penalty, leader: int, low: float, high: float, step: float
) -> float:
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        stable = _is_stable(problem, penalty, leader, middle, step)
        low, high = (low, middle) if stable else (middle, high)
    return 0.5 * (low + high)


def _is_stable(problem: Problem, penalty: Penalty, leader: int, lam: float, length: float) -> bool:
    """Whether no short step in one other group, with the radius of the first re-chosen to first
    order (it is optimal), lowers F_q; L is quadratic, so that its change is exact."""
    B = one_group_point(problem, leader, lam)
    radius = float(np.linalg.norm(B))
    if radius == 0:
        return True
    gradient, step = problem.gradient(B), length * radius
    rise = lam * (float(penalty.combined(np.array([radius, step]))) - radius)
    for g, members in enumerate(problem.members):
        if g == leader:
            continue
        pull = gradient[members]
        norm = float(np.linalg.norm(pull))
        moved = problem.X[:, members] @ (pull / norm)
        change = -step * norm + 0.5 * step**2 * float(np.sum(moved * moved))
        if change + rise < 0:
            return False
    return True


STABILITY = Experiment("sequential_attention.stability", draw, run, (check,))


def run_switch(
    problem: dict[str, Any], *, q: Annotated[str, one_of(tuple(PENALTIES))] = "log", rng: Stream
) -> dict[str, Any]:
    """`switch`: a bracket of the largest lam below which the one-group point is not the global minimum
    of F_q for a concave q: by a scan from tau down to .02 tau, then bisection, with branch and bound.
    What that leaves open stays in the bracket."""
    ends = np.cumsum(problem["sizes"])
    groups = list(np.split(np.arange(ends[-1]), ends[:-1]))
    at = Problem(problem["_X"], Squares(problem["_y"][:, None]), groups)
    norms = zero_gradient_norms(at)
    leader, tau = int(np.argmax(norms)), float(norms.max())
    low, high = 0.0, tau
    for lam in np.geomspace(tau, 0.02 * tau, SWITCH_SCAN)[1:].tolist():
        answer = _is_global(at, PENALTIES[q], leader, lam)
        if answer is not True:
            low = lam if answer is False else 0.0
            break
        high = lam
    for _ in range(SWITCH_HALVINGS if low else 0):
        middle = float(np.sqrt(low * high))
        answer = _is_global(at, PENALTIES[q], leader, middle)
        if answer is None:
            break
        low, high = (low, middle) if answer else (middle, high)
    return dict(switch=Measurement.certified(low, high))


def _is_global(problem: Problem, penalty: Penalty, leader: int, lam: float) -> bool | None:
    """Whether the one-group point is the global minimum; None where branch and bound stays open."""
    own = problem.objective(one_group_point(problem, leader, lam), lam)
    found = minimise(problem, lam, penalty, tol=1e-8, nodes=300)
    allowed = 2e-8 * problem.smooth(np.zeros((problem.X.shape[1], 1)))
    if found.value < own - allowed:
        return False
    return True if found.lower_bound >= own - allowed else None


SWITCHING = Experiment("sequential_attention.switch", draw, run_switch, (check,))
