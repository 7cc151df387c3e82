"""Ranks of sparse matrices: by their pattern, and of random ones in the limit of large n."""

from __future__ import annotations

import math

import numpy as np


def structural_rank(mask: np.ndarray) -> int:
    """The largest number of kept entries of which no two share a row or a column (assignment)."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(mask.astype(float), maximize=True)
    return int(np.sum(mask[rows, columns]))


def unpacked(bits: np.ndarray, columns: int) -> np.ndarray:
    """The mask (m, columns) whose rows are packed into bytes."""
    return np.unpackbits(bits, axis=1, count=columns)


def within_components(mask: np.ndarray) -> int:
    """The sum of min(#rows, #columns) over the connected components of rows and columns joined by
    kept entries: the largest structural rank of a mask that joins no two of them."""
    kept = np.asarray(mask, dtype=np.float32)
    linked = kept @ kept.T + np.eye(len(kept), dtype=np.float32) > 0  # rows that share a column
    for _ in range(len(kept).bit_length()):
        linked = linked.astype(np.float32) @ linked.astype(np.float32) > 0
    components = np.unique(linked[kept.any(axis=1)], axis=0)
    columns = np.count_nonzero(components.astype(np.float32) @ kept, axis=1)
    return int(np.sum(np.minimum(np.count_nonzero(components, axis=1), columns)))


def least_nonzero(mask: np.ndarray) -> int:
    """min(#rows, #columns) that are not empty."""
    return int(min(np.sum(mask.any(axis=1)), np.sum(mask.any(axis=0))))


def karp_sipser(c: float) -> float:
    """lim rank / n of an n x n matrix whose entries are non-zero with probability c / n.

    2 - q - exp(-c q) - c q exp(-c q) at the least fixed point of q = exp(-c exp(-c q)); for generic
    values, and for the largest matching of the pattern.
    """
    q = _least_fixed_point(c)
    kept = math.exp(-c * q)
    return 2 - q - kept - c * q * kept


def _least_fixed_point(c: float) -> float:
    """The first sign change of q - exp(-c exp(-c q)) from q = 0 on, bracketed and solved."""
    from scipy.optimize import brentq

    def excess(q: float) -> float:
        return q - math.exp(-c * math.exp(-c * q))

    q = np.linspace(0.0, 1.0, 20_001)
    first = max(1, int(np.argmax(q - np.exp(-c * np.exp(-c * q)) >= 0)))
    return float(brentq(excess, q[first - 1], q[first], xtol=1e-15))


def full_rank_probability(n: int, w: float) -> float:
    """((1 - (1 - p)^n)^n)^2 at p = (log n + w) / n: no row and no column is empty, taken as
    independent. Tends to exp(-2 e^(-w)), the probability of full structural rank."""
    p = (math.log(n) + w) / n
    return float((1 - (1 - p) ** n) ** (2 * n))
