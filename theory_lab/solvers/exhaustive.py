"""Global minima of 1/2 |X b - y|^2 + lam q^-1(sum_g q(|b_g|)) for concave q, by branch and bound.

P(a) = q^-1(sum q(a_g)) is supermodular, so that on a box low <= a <= high of norms
P(a) >= P(low) + sum_g s_g (a_g - low_g)_+ with s_g >= 1: the secant of P along g where 1/q' is
concave, else the tangent q'(low_g) / q'(P(low)). With |b_g| <= high_g this is a convex problem whose
dual is explicit: every node carries a lower bound, whatever its solution is worth.
"""

from __future__ import annotations

import heapq
import itertools
from typing import NamedTuple

import numpy as np

from theory_lab.core.errors import UsageError
from theory_lab.solvers.group_lasso import Problem, Squares, solve
from theory_lab.solvers.penalties import Penalty

SECANT = ("abs", "sqrt", "two_thirds", "log")
"""Penalties with a concave 1/q'."""

STEPS = 400


class Minimum(NamedTuple):
    """`coefficients` (d,) with value F; `lower_bound` on the minimum of F; `nodes` looked at;
    `closed`: the bound is within the tolerance of the value."""

    coefficients: np.ndarray
    value: float
    lower_bound: float
    nodes: int
    closed: bool


class Node(NamedTuple):
    """A box of group norms with its convex bound: offset + sum slopes (|b_g| - low_g)_+."""

    low: np.ndarray
    high: np.ndarray
    offset: float
    slopes: np.ndarray


def minimise(
    problem: Problem, lam: float, penalty: Penalty, *, tol: float = 1e-6, nodes: int = 2000
) -> Minimum:
    """A point of value within tol |y|^2 / 2 of the global minimum, or the best after `nodes` boxes.

    UsageError for another loss than squares with one response, and for a q that is not concave.
    """
    if not isinstance(problem.loss, Squares) or problem.loss.shape[1] != 1 or problem.ridge:
        raise UsageError("Branch and bound needs squares with one response and no ridge.")
    if not penalty.is_concave:
        raise UsageError(f"Branch and bound needs a concave q, which {penalty.name!r} is not.")
    search = _Search(problem, lam, penalty)
    allowed = tol * search.constant
    ties = itertools.count()
    heap = [(-np.inf, next(ties), search.root())]
    looked, bound = 0, -np.inf
    while heap:
        bound = heap[0][0]
        if search.value - bound <= allowed or looked >= nodes:
            break
        _, _, (low, high) = heapq.heappop(heap)
        looked += 1
        own, split, at = search.bound(low, high)
        if search.value - own <= allowed:
            continue
        for part in _halves(low, high, split, at):
            heapq.heappush(heap, (max(own, bound), next(ties), part))
    lower = min([search.value - allowed, *(entry[0] for entry in heap)])
    closed = search.value - lower <= allowed * (1 + 1e-9)
    return Minimum(search.best, search.value, lower, looked, closed)


def _halves(
    low: np.ndarray, high: np.ndarray, group: int, at: float
) -> list[tuple[np.ndarray, np.ndarray]]:
    below, above = high.copy(), low.copy()
    below[group] = above[group] = at
    return [(low, below), (above, high)]


class _Search:
    """The problem in Gram form, with the best point so far."""

    def __init__(self, problem: Problem, lam: float, penalty: Penalty) -> None:
        self.problem, self.lam, self.q = problem, lam, penalty
        self.y = problem.loss.Y[:, 0]  # type: ignore[attr-defined]
        self.constant = 0.5 * float(self.y @ self.y)
        self.gram, self.pull = problem.X.T @ problem.X, problem.X.T @ self.y
        self.lipschitz = float(np.linalg.eigvalsh(self.gram)[-1])
        self.member = np.empty(len(self.pull), dtype=int)
        for g, features in enumerate(problem.members):
            self.member[features] = g
        self.best, self.value = np.zeros(len(self.pull)), self.constant
        for features in problem.members:
            own = Problem(problem.X[:, features], problem.loss, len(features))
            single = np.zeros_like(self.best)
            single[features] = solve(own, lam).coefficients[:, 0]
            self.offer(single)
        self.offer(solve(problem, lam).coefficients[:, 0])

    def norms(self, b: np.ndarray) -> np.ndarray:
        return np.sqrt(np.bincount(self.member, b * b, minlength=len(self.problem.members)))

    def offer(self, b: np.ndarray) -> None:
        """Keep b if it is better than the best."""
        smooth = self.constant + float(b @ (0.5 * (self.gram @ b) - self.pull))
        value = smooth + self.lam * float(self.q.combined(self.norms(b)))
        if value < self.value:
            self.best, self.value = b, value

    def root(self) -> tuple[np.ndarray, np.ndarray]:
        """No norm of a minimiser exceeds (best value - min L) / lam."""
        residual = np.linalg.lstsq(self.problem.X, self.y, rcond=None)[0]
        least = 0.5 * float(np.sum((self.problem.X @ residual - self.y) ** 2))
        groups = len(self.problem.members)
        return np.zeros(groups), np.full(groups, (self.value - least) / self.lam)

    def bound(self, low: np.ndarray, high: np.ndarray) -> tuple[float, int, float]:
        """A lower bound on F over the box, the group to split, and where."""
        node = self._relaxed(low, high)
        if not np.isfinite(node.offset):
            return np.inf, 0, 0.0
        b = self._solved(node)
        self.offer(b)
        norms = self.norms(b)
        lower = self._dual(node, self.gram @ b - self.pull, b)
        inside = np.clip(norms, low, high)
        error = self.q.value(inside) - self._linear(node, inside)
        split = int(np.argmax(np.where(high > low, error, -np.inf)))
        middle = 0.5 * (low[split] + high[split])
        at = inside[split] if low[split] < inside[split] < high[split] else middle
        return lower, split, float(0.5 * (at + middle))

    def _linear(self, node: Node, a: np.ndarray) -> np.ndarray:
        """The chord of q over each side of the box: how far q is above it decides the split."""
        rise = self.q.value(node.high) - self.q.value(node.low)
        width = np.where(node.high > node.low, node.high - node.low, 1.0)
        return self.q.value(node.low) + rise * (a - node.low) / width

    def _relaxed(self, low: np.ndarray, high: np.ndarray) -> Node:
        offset = float(self.q.combined(low))
        if self.q.name in SECANT:
            corners = low + np.diag(high - low)
            rise = self.q.combined(corners) - offset
            slopes = np.where(high > low, rise / np.where(high > low, high - low, 1.0), 1.0)
        elif np.any(low > 0):
            slopes = self.q.slope(low) / self.q.slope(np.asarray(offset))
        else:
            slopes = np.ones_like(low)
        return Node(low, high, offset, np.maximum(slopes, 1.0))

    def _solved(self, node: Node) -> np.ndarray:
        """Accelerated proximal steps; the prox moves each group along its ray."""
        threshold = self.lam * node.slopes / self.lipschitz
        b = ahead = self.best * 0
        momentum = 1.0
        for _ in range(STEPS):
            v = ahead - (self.gram @ ahead - self.pull) / self.lipschitz
            norms = self.norms(v)
            target = np.clip(
                np.maximum(norms - threshold, np.minimum(norms, node.low)), 0, node.high
            )
            new = v * (target / np.where(norms > 0, norms, 1.0))[self.member]
            if (ahead - new) @ (new - b) > 0:
                momentum = 1.0
            following = 0.5 * (1 + np.sqrt(1 + 4 * momentum**2))
            ahead = new + ((momentum - 1) / following) * (new - b)
            moved, b, momentum = np.max(np.abs(new - b)), new, following
            if moved <= 1e-11 * (1 + np.max(np.abs(b))):
                break
        return b

    def _dual(self, node: Node, gradient: np.ndarray, b: np.ndarray) -> float:
        """-f*(U) - sum h_g*(-X_g^T U) at U = X b - y; h_g* is a maximum over 0, low and high."""
        pulls = self.norms(gradient)
        top = node.high * pulls - self.lam * node.slopes * (node.high - node.low)
        conjugates = np.maximum(np.maximum(top, node.low * pulls), 0.0)
        fitted = 0.5 * float(b @ (self.gram @ b))
        return self.constant - fitted + self.lam * node.offset - float(conjugates.sum())
