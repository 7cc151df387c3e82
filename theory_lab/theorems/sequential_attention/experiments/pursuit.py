"""Local search on group-sparse least squares: what is selected, and how fast the loss falls."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from theory_lab.core import Experiment, Measurement
from theory_lab.core.checks import BadParameter, at_least, at_most, nonnegative, one_of, positive
from theory_lab.core.parameters import Params
from theory_lab.core.seeds import Stream
from theory_lab.solvers.pursuit import (
    attention,
    entering,
    fit,
    omp,
    omp_replacement,
    profiled,
    pulls,
)
from theory_lab.theorems.sequential_attention.experiments.instances import diabetes_products

DESIGNS = ("gaussian", "orthonormal", "decoy", "diabetes")
SMALL, NEVER = 1e-6, 1e9


def check(values: Params) -> None:
    """The planted groups are among the groups."""
    if values["design"] == "diabetes":
        if values["m"] or values["sizes"]:
            raise BadParameter("diabetes has its own m and sizes; leave them out.")
    elif not values["sizes"] or min(values["sizes"]) < 1 or values["m"] < sum(values["sizes"]):
        raise BadParameter("sizes must be at least 1 each, and m at least their sum.")
    if values["k"] + values.get("extra", 0) >= (len(values["sizes"]) or 10):
        raise BadParameter("k (and extra) must be below the number of groups.")


def draw(
    k: Annotated[int, at_least(1)],
    m: Annotated[int, at_least(0)] = 0,
    sizes: tuple[int, ...] = (),
    design: Annotated[str, one_of(DESIGNS)] = "gaussian",
    noise: Annotated[float, nonnegative] = 0.1,
    correlation: Annotated[float, nonnegative] = 0.0,
    *,
    rng: Stream,
) -> dict[str, Any]:
    """A design with columns of length 1 and a response planted on k groups, all of norm 1.

    orthonormal: X^T X = I. decoy: the first column is the normalised sum of the two planted ones
    and of a direction of its own. diabetes: products of features, the standardised score.
    `correlation` adds a common direction to all columns.
    """
    if design == "diabetes":
        X, y, groups = diabetes_products()
        planted = np.array(omp(X, y, groups, k)[0])
        return dict(k=k, **_facts(X, y, groups, planted))
    d = sum(sizes)
    groups = list(np.split(np.arange(d), np.cumsum(sizes)[:-1]))
    X = rng.standard_normal((m, d)) + correlation * rng.standard_normal((m, 1))
    planted = np.sort(rng.permutation(len(sizes))[:k])
    if design in ("orthonormal", "decoy"):
        X = np.linalg.qr(X)[0]
    if design == "decoy":
        planted = np.arange(1, k + 1)
        chosen = np.concatenate([groups[g] for g in planted])
        X[:, groups[0][0]] = X[:, chosen].sum(axis=1) + 0.5 * X[:, groups[0][0]]
    X /= np.linalg.norm(X, axis=0)
    b = np.zeros(d)
    for g in planted:
        part = np.ones(sizes[g]) if design == "decoy" else rng.standard_normal(sizes[g])
        b[groups[g]] = part / np.linalg.norm(part)
    y = X @ b
    y = y + noise * np.linalg.norm(y) / np.sqrt(m) * rng.standard_normal(m)
    return dict(k=k, **_facts(X, y, groups, planted))


def _facts(
    X: np.ndarray, y: np.ndarray, groups: list[np.ndarray], planted: np.ndarray
) -> dict[str, Any]:
    # For least squares a rotated, shorter problem is the same, and small.
    R: np.ndarray = np.linalg.qr(np.column_stack([X, y]), mode="r")  # type: ignore[assignment]
    return dict(
        rows=R[:, :-1], response=R[:, -1], planted=planted,
        group_sizes=np.array([len(group) for group in groups]), _X=X, _y=y, _groups=groups,
    )  # fmt: skip


def run_sequence(
    problem: dict[str, Any],
    *,
    method: Annotated[str, one_of(("lasso", "attention"))] = "lasso",
    place: Annotated[float, at_most(0.95)] = 0.5,
    rng: Stream,
) -> dict[str, Any]:
    """`selected` (k,): the group that enters in each step, -1 if several do (then the one with the
    largest norm is taken) or none (then the sequence ends).

    lam lies in the certified window below the first entry (`place` 0 to 1), or at (1 + place) times
    that entry. `entries` (k,): how many entered; `taken` (k,): the largest of them, -1 at the end.
    """
    X, y, groups = problem["_X"], problem["_y"], problem["_groups"]
    support: list[int] = []
    selected, taken = -np.ones((2, problem["k"]), dtype=int)
    counts = np.zeros(problem["k"], dtype=int)
    search = rng.named("search")
    for step in range(problem["k"]):
        lam = _chosen_lam(X, y, groups, support, place)
        if method == "lasso":
            norms = entering(X, y, groups, support, lam)
        else:
            norms = attention(X, y, groups, support, lam, search)
        entered = np.flatnonzero(norms > SMALL * max(norms.max(), 1.0))
        counts[step] = len(entered)
        if not len(entered):
            break
        support.append(int(np.argmax(norms)))
        taken[step] = support[-1]
        selected[step] = support[-1] if len(entered) == 1 else -1
    return dict(selected=selected, entries=counts, taken=taken)


def _chosen_lam(
    X: np.ndarray, y: np.ndarray, groups: list[np.ndarray], support: list[int], place: float
) -> float:
    """Of the profiled design: a lam above which only the leading group can be active, as its fit is at
    most (tau - lam) / lmin long and moves other gradients by at most the coupling times that."""
    rest = [g for g in range(len(groups)) if g not in support]
    Xs, ys = profiled(X, y, groups, support)
    if place < 0:
        return (1 + place) * float(pulls(Xs, ys, [groups[g] for g in rest]).max())
    pull = pulls(Xs, ys, [groups[g] for g in rest])
    order = np.argsort(pull)
    parts = [Xs[:, groups[rest[g]]] for g in order]
    first, second = float(pull[order[-1]]), float(pull[order[-2]]) if len(rest) > 1 else 0.0
    least = float(np.linalg.eigvalsh(parts[-1].T @ parts[-1])[0])
    coupling = max(
        (float(np.linalg.norm(other.T @ parts[-1], 2)) for other in parts[:-1]), default=0.0
    )
    end = (least * second + coupling * first) / max(least + coupling, 1e-300)
    return end + place * (first - end)


SEQUENCE = Experiment("sequential_attention.sequence", draw, run_sequence, (check,))


def run_omp(
    problem: dict[str, Any],
    *,
    steps: Annotated[int, at_least(1)] = 6,
    choice: Annotated[str, one_of(("largest", "smallest", "random"))] = "largest",
    refit: bool = True,
    rng: Stream,
) -> dict[str, Any]:
    """`before` and `after`: f(S) - f(S*) at the steps that start above it (S* the planted groups);
    `supports` (steps,): the groups in their order."""
    X, y, groups = problem["_X"], problem["_y"], problem["_groups"]
    search = rng.named("search")
    choose = {
        "largest": None,
        "smallest": lambda pull: int(np.argmin(np.where(np.isfinite(pull), pull, np.inf))),
        "random": lambda pull: int(search.choice(np.flatnonzero(np.isfinite(pull)))),
    }[choice]
    support, values = omp(X, y, groups, min(steps, len(groups)), choose, refit)
    best = fit(X, y, groups, problem["planted"]).value
    gaps = values - best
    kept = np.flatnonzero(gaps[:-1] > 1e-6 * gaps[0])
    return dict(before=gaps[kept], after=gaps[kept + 1], step=kept, support=np.array(support),
                trace=dict(gap=np.maximum(gaps, 0) / gaps[0]))  # fmt: skip


OMP = Experiment("sequential_attention.omp", draw, run_omp, (check,))


def draw_replacement(
    k: Annotated[int, at_least(1)],
    extra: Annotated[int, at_least(0)],
    m: Annotated[int, at_least(0)] = 0,
    sizes: tuple[int, ...] = (),
    design: Annotated[str, one_of(DESIGNS)] = "gaussian",
    noise: Annotated[float, nonnegative] = 0.1,
    correlation: Annotated[float, nonnegative] = 0.0,
    accuracy: Annotated[float, positive, at_most(1)] = 1e-6,
    *,
    rng: Stream,
) -> dict[str, Any]:
    """As for OMP, with a start of k + extra groups that are not planted, as far as there are."""
    facts = draw(k, m, sizes, design, noise, correlation, rng=rng)
    others = [g for g in range(len(facts["group_sizes"])) if g not in facts["planted"]]
    if design == "decoy":
        start = [0, *others[1:], *facts["planted"]][: k + extra]
    else:
        start = [*others, *facts["planted"]][: k + extra]
    X, y, groups = facts["_X"], facts["_y"], facts["_groups"]
    best = fit(X, y, groups, facts["planted"]).value
    first = fit(X, y, groups, start).value
    return facts | dict(
        accuracy=accuracy, start=np.array(start), start_gap=first - best, _best=best
    )


def run_replacement(
    problem: dict[str, Any], *, rounds: Annotated[int, at_least(1)] = 60, rng: Stream
) -> dict[str, Any]:
    """`before` and `after`: f - f* at the rounds that start above it; `needed`: the first round
    with f <= f* + accuracy start_gap, from rounds + 1 on if there is none; `relapse`: the largest
    f - f* after the first round at or below f*, over start_gap, 0 if there is none; `groups` of every
    iterate. start_gap is f - f* at the start, the size of y where that is not positive."""
    X, y, groups = problem["_X"], problem["_y"], problem["_groups"]
    found = omp_replacement(X, y, groups, problem["start"].tolist(), rounds)
    gaps = found.values - problem["_best"]
    unit = problem["start_gap"] if problem["start_gap"] > 0 else 0.5 * float(y @ y)
    above = np.flatnonzero(gaps[:-1] > 1e-6 * unit)
    reached = np.flatnonzero(gaps <= problem["accuracy"] * unit)
    below = np.flatnonzero(gaps <= 1e-12 * unit)
    relapse = gaps[below[0] :].max() / unit if below.size else 0.0
    first = int(reached[0]) if reached.size else rounds + 1
    return dict(
        before=gaps[above], after=gaps[above + 1],
        needed=Measurement.certified(first, first if reached.size else NEVER),
        relapse=float(relapse),
        groups=len(found.best),
        trace=dict(gap=np.maximum(gaps, 0) / unit),
    )  # fmt: skip


REPLACEMENT = Experiment(
    "sequential_attention.replacement", draw_replacement, run_replacement, (check,)
)
