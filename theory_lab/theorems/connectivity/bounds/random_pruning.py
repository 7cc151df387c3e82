"""Random pruning of a multilayer perceptron: active weights and dead networks, exactly.

Widths N_0..N_L. K_l^f units of layer l are reached from an input, K_l^b reach an output. The edges
of one layer, what lies before it and what lies after it are independent, so that with densities
p_l (independent cells), or exactly m_l = p_l n_l kept cells of the n_l = N_l N_{l-1}, uniformly,

    E|eff| = sum_l p_l E[K_{l-1}^f] E[K_l^b],        P(no path) = P(K_L^f = 0),

with two Markov chains K^f and K^b. Derived for this project; confirmed by full enumeration.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

NEGLIGIBLE = 1e-18
"""States of a chain less likely than this are left out."""

LAWS = ("bernoulli", "exact counts")


class Layer(NamedTuple):
    """One layer's cells: `rows` units, each joined to `columns` units that may be alive; `kept` is
    the density p, or the number m of kept cells."""

    rows: int
    columns: int
    kept: float
    law: str

    @property
    def density(self) -> float:
        return self.kept if self.law == "bernoulli" else self.kept / (self.rows * self.columns)

    def all_pruned(self, cells: np.ndarray) -> np.ndarray:
        """P(none of that many given cells is kept)."""
        if self.law == "bernoulli":
            return (1.0 - self.kept) ** cells
        total, most = self.rows * self.columns, int(np.max(cells, initial=0))
        free = 1 - self.kept / (total - np.arange(most))
        return np.concatenate([[1.0], np.cumprod(np.maximum(free, 0.0))])[cells]

    def mean(self, alive: np.ndarray) -> float:
        """E of the rows hit through alive columns, from the law of their number (columns + 1,)."""
        return self.rows * float(alive @ (1 - self.all_pruned(np.arange(self.columns + 1))))

    def mean_after(self, before: Layer, alive: np.ndarray) -> float:
        """The same from the law (before.columns + 1,) one layer earlier: a row stays unhit if all
        its kept cells, h of them, lie in columns that the layer before does not hit."""
        counts, kept = np.flatnonzero(alive > NEGLIGIBLE), self._kept_in_a_row()
        cells = np.flatnonzero(kept > NEGLIGIBLE)
        hit = 1 - before.all_pruned(np.outer(counts, cells))
        return self.rows * float(alive[counts] @ hit @ kept[cells])

    def _kept_in_a_row(self) -> np.ndarray:
        """The law (columns + 1,) of the number of kept cells in one row, from ratios of neighbours:
        binomial, or hypergeometric."""
        n, h = self.columns, np.arange(self.columns, dtype=float)
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.law == "bernoulli":
                odds = np.full(n, self.kept / np.float64(1 - self.kept))
            else:
                others = self.rows * n - n
                odds = np.maximum(self.kept - h, 0) / np.maximum(others - self.kept + h + 1, 0)
            steps = np.log((n - h) / (h + 1) * odds)
        least = int(np.sum(np.isposinf(steps)))  # fewer than these cannot be kept
        logs = np.concatenate([np.full(least, -np.inf), [0.0], np.cumsum(steps[least:])])
        law = np.exp(logs - logs.max())
        return law / law.sum()

    def none(self, alive: np.ndarray) -> float:
        """P(no row is hit)."""
        return float(alive @ self.all_pruned(self.rows * np.arange(self.columns + 1)))

    def step(self, alive: np.ndarray) -> np.ndarray:
        """The law (rows + 1,) of the rows hit."""
        counts = np.flatnonzero(alive > NEGLIGIBLE)
        law = self._binomial(counts) if self.law == "bernoulli" else self._births(counts)
        return alive[counts] @ law

    def _binomial(self, alive: np.ndarray) -> np.ndarray:
        from scipy.special import gammaln, xlog1py, xlogy

        n, j = self.rows, np.arange(self.rows + 1)
        hit = (1 - self.all_pruned(alive))[:, None]
        ways = gammaln(n + 1) - gammaln(j + 1) - gammaln(n - j + 1)
        law = np.exp(ways + xlogy(j, hit) + xlog1py(n - j, -hit))
        return law / law.sum(axis=1, keepdims=True)

    def _births(self, alive: np.ndarray) -> np.ndarray:
        """One kept cell after the other: P(a new row | j hit, t placed) = (rows - j) k / (n - t)."""
        total, law = self.rows * self.columns, np.zeros((len(alive), self.rows + 1))
        law[:, 0] = 1.0
        fresh = (self.rows - np.arange(self.rows + 1)) * alive[:, None].astype(float)
        for placed in range(int(self.kept)):
            born = law * fresh
            born /= total - placed
            law -= born
            law[:, 1:] += born[:, :-1]
        return law


def layers(widths: Sequence[int], kept: Sequence[float], law: str) -> list[Layer]:
    """The layers as the forward chain meets them."""
    pairs = zip(widths[1:], widths[:-1], kept, strict=True)
    return [Layer(int(rows), int(columns), float(k), law) for rows, columns, k in pairs]


def backwards(stack: Sequence[Layer]) -> list[Layer]:
    """The layers as the backward chain meets them, last layer first."""
    return [layer._replace(rows=layer.columns, columns=layer.rows) for layer in reversed(stack)]


def mean_alive(stack: Sequence[Layer]) -> list[float]:
    """E K_0, ..., E K_{L-1} of the chain that starts with all units of the first layer alive.

    Two layers beyond the last law are within reach, so that three layers need no step at all.
    """
    alive = _all(stack[0].columns)
    means = [float(stack[0].columns), stack[0].mean(alive)]
    for place in range(1, len(stack) - 1):
        means.append(stack[place].mean_after(stack[place - 1], alive))
        if place < len(stack) - 2:
            alive = stack[place - 1].step(alive)
    return means[: len(stack)]


def _all(units: int) -> np.ndarray:
    return np.eye(units + 1)[-1]


@functools.lru_cache(maxsize=4096)
def expected_effective(widths: tuple[int, ...], kept: tuple[float, ...], law: str) -> float:
    """E|eff|: the expected number of active weights."""
    stack = layers(widths, kept, law)
    sources, targets = mean_alive(stack), mean_alive(backwards(stack))[::-1]
    return sum(s.density * a * b for s, a, b in zip(stack, sources, targets, strict=True))


@functools.lru_cache(maxsize=4096)
def death_probability(widths: tuple[int, ...], kept: tuple[float, ...], law: str) -> float:
    """P(no path leads from an input to an output)."""
    stack = layers(widths, kept, law)
    if widths[0] > widths[-1]:  # the chain from the narrow end is the shorter computation
        stack = backwards(stack)
    alive = _all(stack[0].columns)
    for layer in stack[:-1]:
        alive = layer.step(alive)
    return stack[-1].none(alive)


def forward_only(widths: Sequence[int], kept: Sequence[float], law: str) -> float:
    """A rival of E|eff|: kept weights whose source is reached from an input."""
    stack = layers(widths, kept, law)
    return sum(s.density * a * s.rows for s, a in zip(stack, mean_alive(stack), strict=True))


def alive_shares(stack: Sequence[Layer]) -> list[float]:
    """Mean field: a_0 = 1, a_l = 1 - (1 - p_l a_{l-1})^{N_{l-1}}, as if units were independent."""
    shares = [1.0]
    for layer in stack:
        shares.append(1 - (1 - layer.density * shares[-1]) ** layer.columns)
    return shares


def mean_field(widths: Sequence[int], densities: Sequence[float]) -> float:
    """sum_l p_l n_l a_{l-1} b_l: at least E|eff|, as 1 - (1 - p q)^N is concave in q; equal for at
    most 3 layers, where the first and the last hidden counts are binomial."""
    stack = layers(widths, densities, "bernoulli")
    sources, targets = alive_shares(stack)[:-1], alive_shares(backwards(stack))[-2::-1]
    terms = zip(stack, sources, targets, strict=True)
    return sum(s.density * s.rows * s.columns * a * b for s, a, b in terms)


def mean_field_death(widths: Sequence[int], densities: Sequence[float]) -> float:
    """A rival of P(no path): all outputs dead, as if they were independent."""
    return (1 - alive_shares(layers(widths, densities, "bernoulli"))[-1]) ** widths[-1]


def collapse_compression(sizes: Sequence[int]) -> float:
    """The first compression at which uniform quotas, rounded, leave no path under any mask."""
    return 2.0 * min(sizes)
