"""Group LASSO against celer, skglm (extra `peers`) and cvxpy with Clarabel; certified global minima
against the enumeration of supports.

The same fresh problems for all; each opponent's tolerance is lowered until one common function finds
the gap of 1e-10 |y|^2 / 2 in its answer, and the run with that tolerance counts. A missing peer is
reported as missing.
"""

from __future__ import annotations

import importlib.util
import time
import warnings
from collections.abc import Callable

import numpy as np

from benchmarks.timing import Benchmarks, Line, median, ratio
from theory_lab.solvers.exhaustive import minimise
from theory_lab.solvers.group_lasso import Problem, Squares, solve
from theory_lab.solvers.masked_penalties import PENALTIES
from theory_lab.theorems.sequential_attention.experiments.windows import find_window

SIZE, NOISE, GAP = 10, 0.1, 1e-10
TOLERANCES = 10.0 ** -np.arange(6, 17)

Solver = Callable[[np.ndarray, np.ndarray, float, float], np.ndarray]


def draw(
    m: int, groups: int, fraction: float, planted: int, seed: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """A Gaussian design (m, 10 groups) in Fortran order, a response on the planted groups, and
    lam = fraction of the lam from which the minimiser is 0."""
    rng = np.random.default_rng(seed)
    X = np.asfortranarray(rng.standard_normal((m, SIZE * groups)))
    b = np.zeros((groups, SIZE))
    b[rng.permutation(groups)[:planted]] = rng.standard_normal((planted, SIZE))
    y = X @ b.ravel()
    y += NOISE * np.linalg.norm(y) / np.sqrt(m) * rng.standard_normal(m)
    return X, y, fraction * float(np.linalg.norm((X.T @ y).reshape(-1, SIZE), axis=1).max())


def gap(X: np.ndarray, y: np.ndarray, lam: float, b: np.ndarray) -> float:
    """The duality gap of an answer, over |y|^2 / 2: the same function for all."""
    problem, B = Problem(X, Squares(y[:, None]), SIZE), b.reshape(-1, 1)
    slope = X @ B - y[:, None]
    bound = problem.lower_bound(slope, X.T @ slope, lam)
    return (problem.objective(B, lam) - bound) / (0.5 * float(y @ y))


def ours(X: np.ndarray, y: np.ndarray, lam: float, tol: float) -> np.ndarray:
    return solve(Problem(X, Squares(y[:, None]), SIZE), lam, tol=tol).coefficients.ravel()


def celer(X: np.ndarray, y: np.ndarray, lam: float, tol: float) -> np.ndarray:
    from celer import GroupLasso

    model = GroupLasso(groups=SIZE, alpha=lam / len(y), tol=tol, fit_intercept=False)
    return model.fit(X, y).coef_


def skglm(X: np.ndarray, y: np.ndarray, lam: float, tol: float) -> np.ndarray:
    from skglm.datafits import QuadraticGroup
    from skglm.penalties import WeightedGroupL2
    from skglm.solvers import GroupBCD
    from skglm.utils.data import grp_converter
    from skglm.utils.jit_compilation import compiled_clone

    index, ends = grp_converter(SIZE, X.shape[1])
    penalty = WeightedGroupL2(lam / len(y), np.ones(len(ends) - 1), ends, index)
    solver = GroupBCD(
        tol=tol, max_iter=500, max_epochs=100_000, fit_intercept=False, ws_strategy="fixpoint"
    )
    loss = QuadraticGroup(ends, index)
    return solver.solve(X, y.copy(), compiled_clone(loss), compiled_clone(penalty))[0]


def clarabel(X: np.ndarray, y: np.ndarray, lam: float, tol: float) -> np.ndarray:
    import cvxpy as cp

    b = cp.Variable(X.shape[1])
    penalty = cp.sum(cp.norm(cp.reshape(b, (SIZE, -1), order="F"), axis=0))
    problem = cp.Problem(cp.Minimize(0.5 * cp.sum_squares(X @ b - y) + lam * penalty))
    problem.solve(solver="CLARABEL", tol_gap_rel=tol, tol_gap_abs=tol, tol_feas=tol)
    return np.asarray(b.value)


def seconds(solver: Solver, X: np.ndarray, y: np.ndarray, lam: float) -> float:
    """The time of the first tolerance that reaches the gap; NaN if none does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a peer that warns of its tolerance is asked again
        for tol in TOLERANCES:
            begin = time.perf_counter()
            b = solver(X, y, lam, float(tol))
            taken = time.perf_counter() - begin
            if gap(X, y, lam, b) <= GAP:
                return taken
    return np.nan


def compare(
    m: int, groups: int, fraction: float, planted: int,
    opponents: dict[str, tuple[Solver, str]], rounds: int = 8,
) -> list[Line]:  # fmt: skip
    """Fresh problems for all, alternating, after a warm-up on another one."""
    there = {n: s for n, s in opponents.items() if n == "cvxpy" or importlib.util.find_spec(n)}
    solvers: dict[str, Solver] = {"ours": ours, **{name: s for name, (s, _) in there.items()}}
    for solver in solvers.values():
        seconds(solver, *draw(m, groups, fraction, planted, 0))
    times = [
        {
            name: seconds(solver, *draw(m, groups, fraction, planted, seed))
            for name, solver in solvers.items()
        }
        for seed in range(1, rounds + 1)
    ]
    lines = [Line("ours", median([row["ours"] for row in times]))]
    for name, (_, target) in opponents.items():
        if name not in there:
            lines.append(Line(name, "missing (install the extra peers)", target))
            continue
        lines.append(Line(name, median([row[name] for row in times])))
        lines.append(Line(f"  {name} / ours", ratio([r[name] / r["ours"] for r in times]), target))
    return lines


AHEAD = dict(celer=(celer, "> 1"), skglm=(skglm, "> 1"))
PARITY = dict(celer=(celer, "about 1"), skglm=(skglm, ""))


def small() -> list[Line]:
    """Target: ahead of celer and skglm, 200 times faster than cvxpy with Clarabel."""
    return compare(200, 100, 0.1, 5, AHEAD | dict(cvxpy=(clarabel, ">= 200")))


def small_with_more_groups() -> list[Line]:
    """10 planted groups, some 20 active: target ahead of celer and skglm."""
    return compare(200, 100, 0.1, 10, AHEAD)


def large() -> list[Line]:
    """Target: ahead of celer and skglm."""
    return compare(2000, 500, 0.1, 5, AHEAD, rounds=4)


def dense() -> list[Line]:
    """More active variables than samples; parity with celer is the aim."""
    return compare(200, 100, 0.02, 5, PARITY)


GROUPS, SAMPLED, PENALTY = 12, 40, "log"


def descend_on(problem: Problem, lam: float, support: np.ndarray, start: np.ndarray) -> float:
    """The opponent, on one support: L-BFGS on F_q over its groups from one start."""
    from scipy.optimize import minimize

    on = np.concatenate([problem.members[g] for g in support])
    X, y, q = problem.X[:, on], problem.loss.Y[:, 0], PENALTIES[PENALTY]

    def value(x: np.ndarray) -> tuple[float, np.ndarray]:
        blocks = x.reshape(len(support), -1)
        norms = np.maximum(np.linalg.norm(blocks, axis=1), 1e-12)
        total = q.combined(norms)
        residual = X @ x - y
        slopes = lam * q.slope(norms) / q.slope(total) / norms
        gradient = X.T @ residual + (slopes[:, None] * blocks).ravel()
        return float(0.5 * residual @ residual + lam * total), gradient

    return float(minimize(value, start[: len(on)], jac=True, method="L-BFGS-B").fun)


def certifier() -> list[Line]:
    """Target: under 1 s and 100 times faster than 4,095 supports, in the window and at .5 lam2."""
    rng, lines = np.random.default_rng(5), []
    X = rng.standard_normal((30, 2 * GROUPS)) / np.sqrt(30)
    y = X[:, :4] @ np.array([3.0, -2.0, 1.5, 1.0]) + 0.1 * rng.standard_normal(30)
    problem = Problem(X, Squares(y[:, None]), 2)
    window = find_window(problem)
    places = (("in the window", 0.5 * (window.high + window.tau)), ("at .5 lam2", 0.5 * window.low))
    for where, lam in places:
        mine, theirs = [], []
        for _ in range(5):
            begin = time.perf_counter()
            found = minimise(problem, lam, PENALTIES[PENALTY])
            mine.append(time.perf_counter() - begin)
            assert found.closed
            begin = time.perf_counter()
            for _ in range(SAMPLED):
                support = np.flatnonzero(rng.random(GROUPS) < 0.5)
                if len(support):
                    descend_on(problem, lam, support, rng.standard_normal(2 * GROUPS))
            theirs.append((time.perf_counter() - begin) * (2**GROUPS - 1) / SAMPLED)
        lines += [
            Line(f"branch and bound, {where}", median(mine), "<= 1000 ms"),
            Line("4,095 supports, one start each (from 40)", median(theirs, 1, "s")),
            Line("  supports / ours", ratio([b / a for a, b in zip(mine, theirs, strict=True)]),
                 ">= 100"),
        ]  # fmt: skip
    return lines


BENCHMARKS: Benchmarks = [
    ("Group LASSO: 200 x 1000, 100 groups of 10, .1 lam_max", small),
    ("Group LASSO: the same, 10 planted groups instead of 5", small_with_more_groups),
    ("Group LASSO: 2000 x 5000, 500 groups of 10, .1 lam_max", large),
    ("Group LASSO: 200 x 1000, .02 lam_max, dense", dense),
    ("Certified global minimum: 12 groups of 2, q = log(1 + a)", certifier),
]
