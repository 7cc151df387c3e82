"""Global minima of F(B) = L(B) + lam q^-1(sum_g q(|B_g|)) for concave q, by branch and bound.

P(a) = q^-1(sum q(a_g)) is supermodular, so that on a box low <= a <= high of norms
P(a) >= P(low) + sum_g s_g (a_g - low_g)_+ with s_g >= 1: the secant of P along g where 1/q' is
concave, else the tangent q'(low_g) / q'(P(low)). With |B_g| <= high_g this is a convex problem whose
dual is explicit: any U = grad f at some prediction bounds the box from below, so that every node
carries a certificate, however well it was solved.
"""

from __future__ import annotations

import heapq
import itertools
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from theory_lab.core.errors import UsageError
from theory_lab.solvers.group_lasso import Problem, Squares, solve
from theory_lab.solvers.penalties import Penalty

STEPS, CHECK_EVERY = 600, 10
ENOUGH = 0.02
"""A node is solved until its own gap is this share of its distance to the best value."""

ROUNDING = 16 * np.finfo(float).eps


class Proof(NamedTuple):
    """F is at least `bound` where low <= |B_g| <= high: by the dual point U = grad f(X B), B `at`."""

    low: np.ndarray
    high: np.ndarray
    at: np.ndarray
    bound: float


class Leaf(NamedTuple):
    """A box of group norms, low <= |B_g| <= high, inside of the box of its proof."""

    low: np.ndarray
    high: np.ndarray
    proof: Proof


class Minimum(NamedTuple):
    """`coefficients` (d, K) of `value`; min F >= `lower_bound`, by the `leaves`, which cover all B
    that can be better; `nodes` looked at; `closed`: the bound is within the tolerance."""

    coefficients: np.ndarray
    value: float
    lower_bound: float
    leaves: list[Leaf]
    nodes: int
    closed: bool


class Relaxation(NamedTuple):
    """On a box: P(a) >= offset + sum slopes (a_g - low_g)_+."""

    low: np.ndarray
    high: np.ndarray
    offset: float
    slopes: np.ndarray


class _Entry(NamedTuple):
    """A box that waits, with the bound that it has so far."""

    bound: float
    number: int
    leaf: Leaf


def minimise(
    problem: Problem, lam: float, penalty: Penalty, *, tol: float = 1e-6, nodes: int = 2000
) -> Minimum:
    """A point within tol |L(0)| of the global minimum, or the best after `nodes` boxes.

    For every loss of the Group LASSO. UsageError for a q that is not concave, and for groups without
    a penalty.
    """
    if not penalty.is_concave:
        raise UsageError(f"Branch and bound needs a concave q, which {penalty} is not.")
    if not problem.penalised.all():
        raise UsageError("Branch and bound needs a penalty on every group; profile free ones out.")
    search = _Search(problem, lam, penalty)
    allowed = tol * search.size
    numbers = itertools.count()
    heap, finished, looked = [_Entry(-np.inf, next(numbers), search.root())], [], 0
    while heap and search.value - heap[0].bound > allowed and looked < nodes:
        leaf = search.bounded(heapq.heappop(heap).leaf, allowed)
        looked += 1
        if search.value - leaf.proof.bound <= allowed:
            finished.append(leaf)
            continue
        for half in search.halves(leaf):
            heapq.heappush(heap, _Entry(leaf.proof.bound, next(numbers), half))
    leaves = finished + [entry.leaf for entry in heap]
    lower = min([search.value, *(leaf.proof.bound for leaf in leaves)])
    closed = search.value - lower <= allowed * (1 + 1e-9)
    return Minimum(search.best, search.value, lower, leaves, looked, closed)


def proven(problem: Problem, lam: float, penalty: Penalty, proof: Proof) -> float:
    """The bound that a proof gives, computed anew from its box and its point."""
    node = relaxed(penalty, proof.low, proof.high)
    return dual_bound(problem, lam, node, problem.loss.slope(problem.X @ proof.at))


def runner_up(
    problem: Problem, lam: float, penalty: Penalty, group: int, **options: float
) -> Minimum:
    """The minimum of F over the B with B_group = 0: what remains when the group is not there."""
    kept = [members for g, members in enumerate(problem.members) if g != group]
    features = np.concatenate(kept)
    groups = np.split(np.arange(features.size), np.cumsum([len(k) for k in kept])[:-1])
    smaller = replace(problem, X=problem.X[:, features], groups=groups)
    found = minimise(smaller, lam, penalty, **options)  # type: ignore[arg-type]
    full = np.zeros((problem.X.shape[1], found.coefficients.shape[1]))
    full[features] = found.coefficients
    return found._replace(coefficients=full)


def relaxed(penalty: Penalty, low: np.ndarray, high: np.ndarray) -> Relaxation:
    """The bound on P from the corner `low` of the box."""
    offset = float(penalty.combined(low))
    if not np.isfinite(offset):
        return Relaxation(low, high, offset, np.ones_like(low))
    if penalty.bends_slowly:
        rise = penalty.combined(low + np.diag(high - low)) - offset
        slopes = np.where(high > low, rise / np.where(high > low, high - low, 1.0), 1.0)
    elif np.any(low > 0):
        slopes = penalty.slope(low) / penalty.slope(np.asarray(offset))
    else:
        slopes = np.ones_like(low)
    return Relaxation(low, high, offset, np.maximum(slopes * (1 - ROUNDING), 1.0))


def dual_bound(problem: Problem, lam: float, node: Relaxation, dual: np.ndarray) -> float:
    """-f*(U) - sum_g h_g*(|X_g^T U|) + lam P(low) for U: (m, K), a lower bound of F on the box.

    h_g(r) = lam s_g (r - low_g)_+ + ridge/2 r^2 on 0 <= r <= high_g: the supremum of r p - h_g(r)
    is at one of two clipped roots.
    """
    pulls = problem.norms(problem.X.T @ dual)
    price, ridge = lam * node.slopes, problem.ridge
    if ridge > 0:
        first = np.clip(pulls / ridge, 0.0, node.low)
        second = np.clip((pulls - price) / ridge, node.low, node.high)
    else:
        first, second = node.low, np.where(pulls > price, node.high, node.low)
    heights = [
        r * pulls - price * np.maximum(r - node.low, 0.0) - 0.5 * ridge * r * r
        for r in (first, second)
    ]
    if not np.isfinite(node.offset):
        return np.inf
    conjugate = problem.loss.conjugate(dual)
    total = np.maximum(heights[0], heights[1]).sum()
    rounding = ROUNDING * (abs(conjugate) + total + lam * node.offset)
    return float(lam * node.offset - conjugate - total - rounding)


class _Search:
    """The problem, for squares rotated to as few rows as possible, with the best point so far."""

    def __init__(self, problem: Problem, lam: float, penalty: Penalty) -> None:
        self.problem, self.lam, self.penalty = _rotated(problem), lam, penalty
        X, self.shape = self.problem.X, (problem.X.shape[1], problem.loss.shape[1])
        self.lipschitz = problem.loss.curvature() * np.linalg.norm(X, 2) ** 2 + problem.ridge
        self.member = np.empty(X.shape[1], dtype=int)
        for g, features in enumerate(problem.members):
            self.member[features] = g
        self.best = np.zeros(self.shape)
        self.size = abs(self.problem.smooth(self.best))
        self.value = self.size
        for features in problem.members:
            own = replace(self.problem, X=X[:, features], groups=len(features))
            single = np.zeros(self.shape)
            single[features] = solve(own, lam).coefficients
            self.offer(single)
        self.lasso = solve(self.problem, lam).coefficients
        self.offer(self.polished(self.lasso))

    def objective(self, B: np.ndarray) -> float:
        penalty = float(self.penalty.combined(self.problem.norms(B)))
        return self.problem.smooth(B) + self.lam * penalty

    def offer(self, B: np.ndarray) -> bool:
        """Keep B if it is better than the best; whether it was."""
        value = self.objective(B)
        if not value < self.value:
            return False
        self.best, self.value = B, value
        return True

    def polished(self, B: np.ndarray) -> np.ndarray:
        """L-BFGS on F over the groups that are not 0."""
        from scipy.optimize import minimize

        norms = self.problem.norms(B)
        on = (norms > 1e-9 * max(float(norms.max()), 1e-300))[self.member]
        if not on.any() or not np.isfinite(self.objective(B)):
            return B

        def value(x: np.ndarray) -> tuple[float, np.ndarray]:
            full = np.zeros(self.shape)
            full[on] = x.reshape(-1, self.shape[1])
            norms = self.problem.norms(full)
            combined = self.penalty.combined(norms)
            if not np.isfinite(combined):
                return 1e300, np.zeros(x.size)
            safe = np.maximum(norms, 1e-12)
            rates = (
                self.penalty.slope(safe) / self.penalty.slope(np.maximum(combined, 1e-12)) / safe
            )
            gradient = self.problem.gradient(full) + self.lam * rates[self.member][:, None] * full
            smooth = self.problem.smooth(full)
            return smooth + self.lam * float(combined), gradient[on].ravel()

        found = np.zeros(self.shape)
        options = dict(maxiter=200, ftol=1e-15, gtol=1e-10)
        x = minimize(value, B[on].ravel(), jac=True, method="L-BFGS-B", options=options).x
        found[on] = x.reshape(-1, self.shape[1])
        return found

    def root(self) -> Leaf:
        """No norm of a minimiser exceeds (best value - min L) / lam."""
        groups, least = len(self.problem.members), 0.0
        if self.problem.ridge > 0 or isinstance(self.problem.loss, Squares):
            alone = replace(self.problem, free=range(groups))
            least = solve(alone, self.lam, tol=1e-10).lower_bound
        high = np.full(groups, (self.value - min(least, self.value)) / self.lam * (1 + 1e-12))
        return Leaf(np.zeros(groups), high, Proof(0 * high, high, self.lasso, -np.inf))

    def bounded(self, leaf: Leaf, allowed: float) -> Leaf:
        """The box with a proof of its own, if that is the better one."""
        node = relaxed(self.penalty, leaf.low, leaf.high)
        at, bound = leaf.proof.at, np.inf
        if np.isfinite(node.offset):
            at, bound = self._solved(node, at, allowed)
            if self.offer(at):
                self.offer(self.polished(at))
        better = bound > leaf.proof.bound
        return leaf._replace(proof=Proof(leaf.low, leaf.high, at, bound)) if better else leaf

    def halves(self, leaf: Leaf) -> list[Leaf]:
        """Two boxes, split between the point and the middle, in the group whose q is farthest above
        its chord."""
        low, high = leaf.low, leaf.high
        inside = np.clip(self.problem.norms(leaf.proof.at), low, high)
        width = np.where(high > low, high - low, 1.0)
        start = self.penalty.value(low)
        chord = start + (self.penalty.value(high) - start) * (inside - low) / width
        above = np.where(high > low, self.penalty.value(inside) - chord, -np.inf)
        group = int(np.argmax(above if above.max() > 0 else width))
        middle = 0.5 * (low[group] + high[group])
        at = inside[group] if low[group] < inside[group] < high[group] else middle
        below, over = high.copy(), low.copy()
        below[group] = over[group] = 0.5 * (at + middle)
        return [leaf._replace(high=below), leaf._replace(low=over)]

    def _solved(
        self, node: Relaxation, start: np.ndarray, allowed: float
    ) -> tuple[np.ndarray, float]:
        """Accelerated proximal steps on the box, until its bound is good enough to split it."""
        B = ahead = self._scaled(start, np.minimum(self.problem.norms(start), node.high))
        momentum, best, bound = 1.0, B, -np.inf
        for n in range(STEPS):
            new = self._stepped(node, ahead)
            if np.sum((ahead - new) * (new - B)) > 0:
                momentum = 1.0
            following = 0.5 * (1 + np.sqrt(1 + 4 * momentum**2))
            ahead = new + ((momentum - 1) / following) * (new - B)
            B, momentum = new, following
            if n % CHECK_EVERY:
                continue
            own = dual_bound(
                self.problem, self.lam, node, self.problem.loss.slope(self.problem.X @ B)
            )
            if own > bound:
                best, bound = B, own
            short = self.value - bound
            left = self._relaxed(node, B) - bound
            if short <= allowed or left <= max(ENOUGH * short, 0.1 * allowed):
                break
        return best, bound

    def _stepped(self, node: Relaxation, B: np.ndarray) -> np.ndarray:
        """A proximal step; the prox moves each group along its ray."""
        gradient = self.problem.X.T @ self.problem.loss.slope(self.problem.X @ B)
        V = B - (gradient + self.problem.ridge * B) / self.lipschitz
        norms = self.problem.norms(V)
        shrunk = norms - self.lam * node.slopes / self.lipschitz
        kept = np.maximum(shrunk, np.minimum(norms, node.low))
        return self._scaled(V, np.minimum(kept, node.high))

    def _relaxed(self, node: Relaxation, B: np.ndarray) -> float:
        over = np.maximum(self.problem.norms(B) - node.low, 0.0)
        return self.problem.smooth(B) + self.lam * (node.offset + float(node.slopes @ over))

    def _scaled(self, B: np.ndarray, norms: np.ndarray) -> np.ndarray:
        """B with these norms, along its rays; a group at 0 stays."""
        before = self.problem.norms(B)
        return B * (norms / np.where(before > 0, before, 1.0))[self.member][:, None]


def _rotated(problem: Problem) -> Problem:
    """For squares the same problem on the triangular factor of (X, Y)."""
    if not isinstance(problem.loss, Squares):
        return problem
    d = problem.X.shape[1]
    stacked = np.column_stack([problem.X, problem.loss.Y])
    R: np.ndarray = np.linalg.qr(stacked, mode="r")  # type: ignore[assignment]
    groups = problem.members
    return replace(problem, X=R[:, :d], loss=Squares(R[:, d:]), groups=groups)
