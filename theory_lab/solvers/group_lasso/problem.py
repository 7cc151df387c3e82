"""The problem: design, loss, groups, ridge; its objective and the bound from its dual."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from theory_lab.core.errors import UsageError
from theory_lab.solvers.group_lasso.losses import Loss, Squares


@dataclass(frozen=True, eq=False)
class Problem:
    """L(B) + lam sum_g |B_g|_F with L(B) = f(X B) + ridge/2 |B|^2, over the penalised groups g.

    X: (m, d), B: (d, K). `groups` are disjoint arrays of features that cover 0..d-1 (a group holds
    all K coefficients of its features), or their common size. `free` are the groups without a
    penalty. UsageError for empty, overlapping or missing groups, for no samples, for NaN, and for
    free groups without ridge under another loss than squares (then there need not be a dual point).
    """

    X: np.ndarray
    loss: Loss
    groups: Sequence[np.ndarray] | int
    ridge: float = 0.0
    free: Sequence[int] = ()
    members: list[np.ndarray] = field(init=False)
    sizes: np.ndarray = field(init=False)
    starts: np.ndarray = field(init=False)
    order: np.ndarray | None = field(init=False)
    penalised: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        if self.X.ndim != 2 or min(self.X.shape) < 1:
            raise UsageError(
                f"X has shape {self.X.shape}, but it must be (m, d) with m and d at least 1."
            )
        members = _members(self.groups, self.X.shape[1])
        _check(self, members)
        sizes = np.array([len(group) for group in members])
        order = np.concatenate(members)
        contiguous = isinstance(self.groups, int) or np.array_equal(order, np.arange(order.size))
        penalised = np.ones(len(members), dtype=bool)
        penalised[list(self.free)] = False
        for name, value in (
            ("members", members),
            ("sizes", sizes),
            ("starts", np.concatenate([[0], np.cumsum(sizes)[:-1]])),
            ("order", None if contiguous else order),
            ("penalised", penalised),
        ):
            object.__setattr__(self, name, value)

    def norms(self, B: np.ndarray) -> np.ndarray:
        """|B_g|_F for B: (d, K) -> (t,)."""
        squares = np.einsum("jk,jk->j", B, B)
        if self.order is not None:
            squares = squares[self.order]
        return np.sqrt(np.add.reduceat(squares, self.starts))

    def smooth(self, B: np.ndarray) -> float:
        """L(B)."""
        return self.loss.value(self.X @ B) + 0.5 * self.ridge * float(np.sum(B * B))

    def gradient(self, B: np.ndarray) -> np.ndarray:
        """grad L(B): (d, K)."""
        return self.X.T @ self.loss.slope(self.X @ B) + self.ridge * B

    def objective(self, B: np.ndarray, lam: float) -> float:
        """L(B) + lam sum_g |B_g|_F."""
        return self.smooth(B) + lam * float(self.norms(B)[self.penalised].sum())

    def lower_bound(self, slope: np.ndarray, pulled: np.ndarray, lam: float) -> float:
        """The dual value of U = slope (m, K), given pulled = X^T U: a lower bound on the minimum.

        Without ridge U is first made feasible: orthogonal to the free groups, then shrunk until
        |X_g^T U| <= lam. -inf where it leaves the domain of f*.
        """
        if self.ridge == 0 and len(self.free):
            slope = self._orthogonal_to_free(slope)
            pulled = self.X.T @ slope
        norms = self.norms(pulled)
        if self.ridge > 0:
            excess = np.maximum(norms - np.where(self.penalised, lam, 0.0), 0.0)
            return -self.loss.conjugate(slope) - float(excess @ excess) / (2 * self.ridge)
        worst = float(norms[self.penalised].max(initial=0.0))
        return -self.loss.conjugate(slope * min(1.0, lam / worst) if worst > 0 else slope)

    def _orthogonal_to_free(self, slope: np.ndarray) -> np.ndarray:
        X = self.X[:, np.concatenate([self.members[g] for g in self.free])]
        return slope - X @ np.linalg.lstsq(X, slope, rcond=None)[0]


def _members(groups: Sequence[np.ndarray] | int, d: int) -> list[np.ndarray]:
    if not isinstance(groups, int):
        return [np.asarray(group, dtype=np.intp).ravel() for group in groups]
    if groups < 1 or d % groups:
        raise UsageError(
            f"Groups of {groups} do not divide {d} features; give the groups as lists."
        )
    return list(np.arange(d).reshape(-1, groups))


def _check(problem: Problem, members: list[np.ndarray]) -> None:
    X, shape = problem.X, problem.loss.shape
    if X.shape[0] != shape[0]:
        raise UsageError(f"X has {X.shape[0]} rows and the response {shape[0]}; they must agree.")
    if not members or any(len(group) == 0 for group in members):
        raise UsageError("A group is empty, or there is none; give groups of at least one feature.")
    if not isinstance(problem.groups, int):
        counts = np.zeros(X.shape[1], dtype=int)
        joined = np.concatenate(members)
        if joined.min() < 0 or joined.max() >= X.shape[1]:
            raise UsageError(f"A group names a feature outside of 0..{X.shape[1] - 1}.")
        np.add.at(counts, joined, 1)
        if counts.max() > 1:
            raise UsageError(f"Groups overlap in feature {counts.argmax()}; make them disjoint.")
        if counts.min() < 1:
            raise UsageError(f"Feature {counts.argmin()} is in no group; give it one.")
    if not (np.isfinite(problem.ridge) and problem.ridge >= 0):
        raise UsageError(f"ridge is {problem.ridge!r}, but it must be at least 0.")
    if any(not 0 <= g < len(members) for g in problem.free):
        raise UsageError(f"free names a group outside of 0..{len(members) - 1}.")
    if len(problem.free) and problem.ridge == 0 and not isinstance(problem.loss, Squares):
        raise UsageError("Groups without a penalty need the loss Squares or a ridge above 0.")
