"""Extreme eigenvalues of a Gaussian symmetric matrix: exact means of their squares.

The matrix G (d x d) has independent entries N(0, 1) on and N(0, 1/2) off the diagonal, so that
svec(G) is standard normal; its eigenvalues have density ~ prod |l_i - l_j| exp(-sum l_i^2 / 2).
The number of eigenvalues in a set A has the generating function (de Bruijn's formula)

    E z^{#A} = Pf M(z) / Pf M(1),    M_ij(z) = double integral of sgn(y - x) f(x) f(y) h_i(x) h_j(y),

with f = z on A and 1 elsewhere and h_i the Hermite functions; for odd d, M is bordered by the
integrals of f h_i. Quadrature on Gauss-Legendre panels: the means of all squares come out as the
exact d (d + 1) / 2 to 1e-10 up to d = 64. Numpy only.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np

PANELS, NODES = 96, 12
"""Panels of the half line [0, reach] and Gauss-Legendre nodes on each."""


@functools.lru_cache(maxsize=64)
def mean_top_squares(d: int, two_sided: bool) -> np.ndarray:
    """E sum_{j <= m} of the m largest squares, for m = 0, ..., d: an array (d + 1,).

    two_sided: squares of all eigenvalues; else of the positive ones, largest first
    (E sum_{j <= m} (l_j^+)^2). The last entry is d (d + 1) / 2, or half of it.
    """
    tails, radii, weights = _tails(d, two_sided)
    per_rank = np.einsum("p,p,pj->j", weights, 2 * radii, tails)
    return np.append(0.0, np.cumsum(per_rank))


def _tails(d: int, two_sided: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """P(#A_x >= j) for j = 1..d at radii x (P + 1, d), the radii, and their quadrature weights."""
    edges = np.linspace(0, math.sqrt(2 * d) + 6, PANELS + 1)
    panels = _Panels.of(d, np.concatenate([-edges[:0:-1], edges]))
    counts = np.array([_counts(panels, x, two_sided) for x in edges])
    tails = np.cumsum(counts[:, ::-1], axis=1)[:, ::-1][:, 1:]
    return tails, edges, _simpson(edges)


def _counts(panels: _Panels, radius: float, two_sided: bool) -> np.ndarray:
    """P(#A = j) for j = 0..d, A = {|l| > radius} or {l > radius}, from values at roots of unity."""
    d, middle = panels.single.shape[1], 0.5 * (panels.edges[1:] + panels.edges[:-1])
    inside = (np.abs(middle) if two_sided else middle) > radius
    z = np.exp(-2j * np.pi * np.arange((d + 1) // 2 + 1) / (d + 1))
    values = pfaffian(panels.moments(np.where(inside, z[:, None], 1.0)))
    return np.fft.irfft(values / values[0], n=d + 1)


class _Panels(NamedTuple):
    """Integrals of the Hermite functions over panels between `edges` (P + 1,).

    `single` (P, d): of h_i over each panel; `double` (P, d, d): of sgn(y - x) h_i(x) h_j(y) over
    each panel squared.
    """

    edges: np.ndarray
    single: np.ndarray
    double: np.ndarray

    @classmethod
    def of(cls, d: int, edges: np.ndarray) -> _Panels:
        nodes, weights = np.polynomial.legendre.leggauss(NODES)
        half = 0.5 * np.diff(edges)
        x = 0.5 * (edges[1:] + edges[:-1])[:, None] + half[:, None] * nodes
        h = hermite_functions(d, x)
        single = np.einsum("p,n,ipn->pi", half, weights, h)
        running = np.einsum("p,mn,ipn->pim", half, _running_integral(nodes), h)
        centred = 2 * running - single[:, :, None]
        return cls(edges, single, np.einsum("p,m,pim,jpm->pij", half, weights, centred, h))

    def moments(self, f: np.ndarray) -> np.ndarray:
        """M (Z, N, N) for functions constant on panels, f: (Z, P); N is d or, if d is odd, d + 1."""
        weighted = f[:, :, None] * self.single
        before = np.cumsum(weighted, axis=1) - weighted
        ordered = np.swapaxes(before, 1, 2) @ weighted
        P, d = self.single.shape
        own = ((f * f) @ self.double.reshape(P, d * d)).reshape(-1, d, d)
        M = own + ordered - np.swapaxes(ordered, 1, 2)
        return M if d % 2 == 0 else _bordered(M, weighted.sum(axis=1))


def _bordered(M: np.ndarray, column: np.ndarray) -> np.ndarray:
    """[[M, c], [-c^T, 0]] for every matrix of a stack."""
    Z, d, _ = M.shape
    larger = np.zeros((Z, d + 1, d + 1), dtype=M.dtype)
    larger[:, :d, :d], larger[:, :d, d], larger[:, d, :d] = M, column, -column
    return larger


def pfaffian(M: np.ndarray) -> np.ndarray:
    """Pf of skew-symmetric matrices (Z, N, N), N even: (Z,). Elimination with pivots, O(N^3).

    Source: Wimmer, arXiv:1102.3440 (the Parlett-Reid scheme).
    """
    M, rows = np.array(M), np.arange(len(M))
    value = np.ones(len(M), dtype=M.dtype)
    while M.shape[1]:
        pivot = 1 + np.argmax(np.abs(M[:, 0, 1:]), axis=1)
        for swapped in (M, np.swapaxes(M, 1, 2)):
            kept = swapped[rows, 1].copy()
            swapped[rows, 1] = swapped[rows, pivot]
            swapped[rows, pivot] = kept
        head = M[:, 0, 1]
        value = value * np.where(pivot == 1, head, -head)
        multiplier = M[:, 0, 2:] / np.where(head == 0, 1, head)[:, None]
        outer = multiplier[:, :, None] * M[:, 1, None, 2:]
        M = M[:, 2:, 2:] - outer + np.swapaxes(outer, 1, 2)
    return value


def hermite_functions(d: int, x: np.ndarray) -> np.ndarray:
    """h_0, ..., h_{d-1} at x, orthonormal on the line with weight included: (d, *x.shape)."""
    h = [math.pi**-0.25 * np.exp(-0.5 * x * x)]
    for i in range(1, d):
        older = h[i - 2] if i > 1 else 0.0
        h.append(math.sqrt(2 / i) * x * h[i - 1] - math.sqrt((i - 1) / i) * older)
    return np.array(h)


def _running_integral(nodes: np.ndarray) -> np.ndarray:
    """The matrix that takes values at Gauss-Legendre nodes to integrals from -1 to each node."""
    legendre = np.polynomial.legendre
    size = len(nodes)
    values = legendre.legvander(nodes, size - 1)
    integrals = legendre.legval(nodes, legendre.legint(np.eye(size), lbnd=-1))
    return np.linalg.solve(values.T, integrals).T


def _simpson(x: np.ndarray) -> np.ndarray:
    """Weights of Simpson's rule on an even number of equal panels."""
    weights = np.where(np.arange(len(x)) % 2 == 1, 4.0, 2.0)
    weights[[0, -1]] = 1.0
    return weights * (x[1] - x[0]) / 3
