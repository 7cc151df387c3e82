"""The global minimum of F_q(B) = L(B) + lam q^-1(sum_g q(|B_g|)), enclosed.

From below: every increasing q with q(0) = 0 has q^-1(sum q(a)) >= max a >= sum a / t, so that the
dual value of the Group LASSO at lam / t is a bound; for a subadditive q the one at lam is.
From above: the Group LASSO minimiser, and local searches on F_q.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from theory_lab.core import Experiment, Measurement
from theory_lab.core.checks import at_least, nonnegative, one_of
from theory_lab.core.seeds import Stream
from theory_lab.solvers.group_lasso import Problem, Solution, solve
from theory_lab.solvers.masked_penalties import PENALTIES
from theory_lab.solvers.penalties import Penalty
from theory_lab.theorems.sequential_attention.experiments.instances import (
    INSTANCES,
    check_instance,
    make_instance,
)
from theory_lab.theorems.sequential_attention.experiments.windows import (
    find_window,
    outside_entry,
    zero_gradient_norms,
)

TOLERANCE, SMALL = 1e-14, 1e-7
STARTS = 2
LOSSES = dict(responses="squares", diabetes="squares", breast_cancer="logistic",
              digits="multinomial", tied="squares", duplicated="squares", orthogonal="squares")  # fmt: skip


def draw(
    instance: Annotated[str, one_of(INSTANCES)],
    m: Annotated[int, at_least(0)] = 0,
    sizes: tuple[int, ...] = (),
    place: float = 0.5,
    ridge: Annotated[float, nonnegative] = 0.0,
    *,
    rng: Stream,
) -> dict[str, Any]:
    """A problem, and lam by its `place`: between lam2 (0) and tau (1) linearly, place tau above 1,
    (1 + place) lam2 (tau, where no second group enters) below 0. `design` are the columns of the group that the Group LASSO keeps at lam
    if it keeps one, else of the one with the largest gradient at 0."""
    problem, response = make_instance(instance, m, sizes, ridge, rng)
    window = find_window(problem)
    lam = window.high + place * (window.tau - window.high)
    if place >= 1:
        lam = place * window.tau
    elif place < 0:
        lam = (1 + place) * (window.low or window.tau)
    kept = _only_group(problem, lam, window.leader)
    convexity, smoothness = _curvatures(problem)
    return dict(
        loss=LOSSES.get(instance, instance), lam=lam, kept=kept,
        design=problem.X[:, problem.members[kept]], response=response,
        gradient_norms=zero_gradient_norms(problem), outside_entry=outside_entry(problem, window),
        group_sizes=problem.sizes, modulus=convexity, smoothness=smoothness, _problem=problem,
    )  # fmt: skip


def _only_group(problem: Problem, lam: float, default: int) -> int:
    norms = problem.norms(solve(problem, lam, tol=TOLERANCE).coefficients)
    active = np.flatnonzero(norms > SMALL * norms.max())
    return int(active[0]) if len(active) == 1 else default


def _curvatures(problem: Problem) -> tuple[float, float]:
    """Bounds on the Hessian of L: lmin and lmax of X^T X plus ridge for squares; for the other losses
    the ridge, and that plus the bound on f'' times lmax."""
    values = np.linalg.eigvalsh(problem.X.T @ problem.X)
    top = problem.loss.curvature() * float(values[-1]) + problem.ridge
    if not problem.loss.is_quadratic:
        return problem.ridge, top
    least = float(values[0]) + problem.ridge
    return (least if least > 1e-10 * top else 0.0), top


def run(
    problem: dict[str, Any], *, q: Annotated[str, one_of(tuple(PENALTIES))] = "abs", rng: Stream
) -> dict[str, Any]:
    """`value`: an enclosure of min F_q. `point`: the minimiser, coefficients of the leading group,
    then norms of the others (certified around the Group LASSO minimiser; for a q that is not
    subadditive the best point found). `spread`: the distance between two minimisers. `entered`: the
    one active group, -1 if there are several or none.

    Of the Group LASSO: `lasso_groups` active, and `slack` = min over inactive groups of
    1 - |grad_g| / lam. `rest` is the share of the other groups in the norms of `point`.
    """
    at, lam, growth = problem["_problem"], problem["lam"], problem["modulus"]
    penalty, search = PENALTIES[q], rng.named("search")
    lasso = solve(at, lam, tol=TOLERANCE)
    best, value = searched(at, lam, penalty, lasso, search)
    bound = lasso.lower_bound
    if not penalty.is_subadditive:
        bound = solve(at, lam / len(at.members), tol=1e-10).lower_bound
    width = 2 * np.sqrt(2 * max(value - bound, 0.0) / growth) if growth > 0 else np.inf
    radius = min(width, 2 * at.smooth(np.zeros_like(best)) / lam)
    norms = at.norms(best)
    active = np.flatnonzero(norms > SMALL * norms.max())
    point = _flat(best, at, problem["kept"])
    minimisers = _other_minimisers(at, lam, lasso, q)
    others = [float(np.linalg.norm(other - best)) for other in minimisers]
    found = max(others, default=0.0)
    if growth == 0 and found > 0:  # several minimisers: the one farthest from the first
        point = _flat(minimisers[int(np.argmax(others))], at, problem["kept"])
    certain = penalty.is_subadditive and growth > 0
    return dict(
        value=Measurement.certified(min(bound, value), value),
        point=Measurement.certified(point - radius, point + radius) if certain else point,
        spread=Measurement.certified(min(found, radius), max(found, radius)),
        entered=int(active[0]) if len(active) == 1 else -1,
        groups=len(active),
        lasso_groups=active_groups(at, lasso.coefficients),
        slack=_slack(at, lasso, lam),
        rest=float(1 - norms[problem["kept"]] / max(norms.sum(), 1e-300)) if len(active) else 0.0,
    )


def active_groups(problem: Problem, B: np.ndarray) -> int:
    """The groups that are not 0."""
    norms = problem.norms(B)
    return int(np.sum(norms > SMALL * norms.max()))


def _flat(B: np.ndarray, problem: Problem, leader: int) -> np.ndarray:
    norms = np.delete(problem.norms(B), leader)
    return np.concatenate([B[problem.members[leader]].ravel(), norms])


def _slack(problem: Problem, lasso: Solution, lam: float) -> float:
    inactive = problem.norms(lasso.coefficients) == 0
    return float(np.min(1 - lasso.gradient_norms[inactive] / lam, initial=1.0))


def searched(
    problem: Problem, lam: float, penalty: Penalty, lasso: Solution, rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """The best of the Group LASSO minimiser, 0 and local searches on F_q, with its value; no search
    where the first is certified to be the best (for a subadditive q by its dual value)."""
    own = objective(problem, lam, penalty, lasso.coefficients)
    if penalty.is_subadditive and own - lasso.lower_bound <= 1e-12 * abs(own):
        return lasso.coefficients, own
    points = [lasso.coefficients, np.zeros_like(lasso.coefficients)]
    points += local_minima(problem, lam, penalty, lasso.coefficients, rng)
    values = [objective(problem, lam, penalty, B) for B in points]
    best = int(np.argmin(values))
    return points[best], values[best]


def objective(problem: Problem, lam: float, penalty: Penalty, B: np.ndarray) -> float:
    """F_q(B)."""
    return problem.smooth(B) + lam * float(penalty.combined(problem.norms(B)))


def local_minima(
    problem: Problem, lam: float, penalty: Penalty, centre: np.ndarray, rng: np.random.Generator
) -> list[np.ndarray]:
    """L-BFGS on F_q from random points around the centre, where no group is 0."""
    from scipy.optimize import minimize

    scale = np.sqrt(np.mean(centre**2)) + 1e-3
    member = np.empty(problem.X.shape[1], dtype=int)
    for g, features in enumerate(problem.members):
        member[features] = g

    def value(x: np.ndarray) -> tuple[float, np.ndarray]:
        B = x.reshape(centre.shape)
        norms = np.maximum(problem.norms(B), 1e-12)
        combined = float(penalty.combined(norms))
        if not np.isfinite(combined):
            return 1e12, np.zeros(x.size)
        slope = penalty.slope(norms) / penalty.slope(np.asarray(combined)) / norms
        gradient = problem.gradient(B) + lam * slope[member][:, None] * B
        return problem.smooth(B) + lam * combined, gradient.ravel()

    found = []
    for spread in np.geomspace(0.1, 1.0, STARTS):
        start = (centre + spread * scale * rng.standard_normal(centre.shape)).ravel()
        x = minimize(value, start, jac=True, method="L-BFGS-B",
                     options=dict(maxiter=300, ftol=1e-15, gtol=1e-9)).x  # fmt: skip
        found.append(x.reshape(centre.shape))
    return found


def _other_minimisers(problem: Problem, lam: float, lasso: Solution, q: str) -> list[np.ndarray]:
    """Group LASSO minimisers from single-group starts: other ones, if there are others."""
    found = []
    for g in range(min(3, len(problem.members))):
        start = np.zeros_like(lasso.coefficients)
        start[problem.members[g]] = 1.0
        other = solve(problem, lam, tol=TOLERANCE, start=start)
        better = objective(problem, lam, PENALTIES[q], other.coefficients)
        if better <= objective(problem, lam, PENALTIES[q], lasso.coefficients) * (1 + 1e-12):
            found.append(other.coefficients)
    return found


MINIMUM = Experiment("sequential_attention.minimum", draw, run, (check_instance,))
