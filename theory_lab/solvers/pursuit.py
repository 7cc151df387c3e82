"""Local search for group-sparse least squares: OMP, its replacement form, and their Lasso forms.

f(S) = min 1/2 |X_S b - y|^2 over the features of the groups S. X: (m, d), y: (m,), groups: lists of
disjoint features.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from theory_lab.core.errors import UsageError
from theory_lab.solvers.group_lasso import Problem, Squares, solve

Groups = Sequence[np.ndarray]
Choice = Callable[[np.ndarray], int]


class Fit(NamedTuple):
    """Least squares on a support: the value f(S), the residual y - X b, the group norms of b."""

    value: float
    residual: np.ndarray
    norms: np.ndarray


def fit(X: np.ndarray, y: np.ndarray, groups: Groups, support: Sequence[int]) -> Fit:
    """The minimiser on the groups of `support`; norms (t,) are 0 elsewhere."""
    norms, residual = np.zeros(len(groups)), y
    if len(support):
        features = np.concatenate([groups[g] for g in support])
        b = np.linalg.lstsq(X[:, features], y, rcond=None)[0]
        residual = y - X[:, features] @ b
        parts = np.split(b, np.cumsum([len(groups[g]) for g in support])[:-1])
        norms[list(support)] = [np.linalg.norm(part) for part in parts]
    return Fit(0.5 * float(residual @ residual), residual, norms)


def pulls(X: np.ndarray, residual: np.ndarray, groups: Groups) -> np.ndarray:
    """|X_g^T r| of all groups (t,)."""
    gradient = X.T @ residual
    return np.array([np.linalg.norm(gradient[group]) for group in groups])


def omp(
    X: np.ndarray, y: np.ndarray, groups: Groups, k: int, choose: Choice | None = None,
    refit: bool = True,
) -> tuple[list[int], np.ndarray]:  # fmt: skip
    """Orthogonal matching pursuit: k times the group with the largest pull, then least squares.

    Returns the groups in their order and f after 0, …, k of them. `choose(pulls)` replaces the
    largest pull (selected groups have pull -inf). Without `refit` a group is fitted to the residual
    once and then left as it is.
    """
    if not 0 <= k <= len(groups):
        raise UsageError(f"k is {k}, but it must be between 0 and the {len(groups)} groups.")
    pick = choose or (lambda values: int(np.argmax(values)))
    support: list[int] = []
    residual, values = y, [0.5 * float(y @ y)]
    for _ in range(k):
        pull = pulls(X, residual, groups)
        pull[support] = -np.inf
        group = pick(pull)
        support.append(group)
        if refit:
            residual = fit(X, y, groups, support).residual
        else:
            residual = fit(X, residual, groups, [group]).residual
        values.append(0.5 * float(residual @ residual))
    return support, np.array(values)


class Replacement(NamedTuple):
    """`supports` (rounds + 1, k'), `values` f of each, and the `best` support seen."""

    supports: np.ndarray
    values: np.ndarray
    best: np.ndarray


def omp_replacement(
    X: np.ndarray, y: np.ndarray, groups: Groups, start: Sequence[int], rounds: int
) -> Replacement:
    """Each round takes in the group with the largest pull and drops the one with the smallest norm
    in the least-squares fit; the number of groups stays, the best iterate is kept."""
    support, supports, values = list(start), [list(start)], []
    if len(set(support)) < len(support) or not 0 < len(support) < len(groups):
        raise UsageError("start must name different groups, at least one and not all of them.")
    for _ in range(rounds):
        found = fit(X, y, groups, support)
        values.append(found.value)
        pull = pulls(X, found.residual, groups)
        pull[support] = -np.inf
        leaves = min(support, key=lambda g: found.norms[g])
        support = [g for g in support if g != leaves] + [int(np.argmax(pull))]
        supports.append(support)
    values.append(fit(X, y, groups, support).value)
    best = supports[int(np.argmin(values))]
    return Replacement(np.array(supports), np.array(values), np.array(best))


def entering(
    X: np.ndarray, y: np.ndarray, groups: Groups, support: Sequence[int], lam: float
) -> np.ndarray:
    """The norms (t,) of the Group LASSO with the groups of `support` unpenalised, 0 on them.

    Solved in profile form: the support is projected out, as it is optimal for whatever the rest is.
    """
    rest = [g for g in range(len(groups)) if g not in set(support)]
    X, y = profiled(X, y, groups, support)
    features = np.concatenate([groups[g] for g in rest])
    places = np.split(np.arange(len(features)), np.cumsum([len(groups[g]) for g in rest])[:-1])
    problem = Problem(X[:, features], Squares(y[:, None]), places)
    norms = np.zeros(len(groups))
    norms[rest] = problem.norms(solve(problem, lam, tol=1e-12).coefficients)
    return norms


def profiled(
    X: np.ndarray, y: np.ndarray, groups: Groups, support: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """X and y with the columns of the support projected out."""
    if not len(support):
        return X, y
    Q = np.linalg.qr(X[:, np.concatenate([groups[g] for g in support])])[0]
    return X - Q @ (Q.T @ X), y - Q @ (Q.T @ y)


def attention(
    X: np.ndarray, y: np.ndarray, groups: Groups, support: Sequence[int], lam: float,
    rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """The norms |w_g b_g| (t,) of sequential attention in product form, 0 on `support`.

    min 1/2 |sum_g w_g X_g b_g - y|^2 + lam/2 sum_(g not in S) (w_g^2 + |b_g|^2), S free, by L-BFGS
    from a random start (at zero a group would never leave zero).
    """
    from scipy.optimize import minimize

    rest = [g for g in range(len(groups)) if g not in set(support)]
    X, y = profiled(X, y, groups, support)
    features = np.concatenate([groups[g] for g in rest])
    member = np.repeat(np.arange(len(rest)), [len(groups[g]) for g in rest])
    A, t = X[:, features], len(rest)
    gram, pull, constant = A.T @ A, A.T @ y, 0.5 * float(y @ y)

    def value(x: np.ndarray) -> tuple[float, np.ndarray]:
        w, b = x[:t], x[t:]
        u = w[member] * b
        slope = gram @ u - pull
        loss = 0.5 * float(u @ (slope - pull)) + constant
        to_w = np.bincount(member, slope * b, minlength=t)
        gradient = np.concatenate([to_w, slope * w[member]]) + lam * x
        return loss + 0.5 * lam * float(x @ x), gradient

    start = rng.standard_normal(t + len(features)) * np.sqrt(lam / np.trace(gram))
    x = minimize(value, start, jac=True, method="L-BFGS-B",
                 options=dict(maxiter=5000, maxfun=10_000, ftol=1e-16, gtol=1e-10 * lam)).x  # fmt: skip
    u = x[:t][member] * x[t:]
    norms = np.zeros(len(groups))
    norms[rest] = np.sqrt(np.bincount(member, u * u, minlength=t))
    return norms
