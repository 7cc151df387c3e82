"""Matchings of rows to columns. numpy only."""

from __future__ import annotations

import numpy as np


def structural_rank(mask: np.ndarray) -> int:
    """The largest rank of a matrix that is zero where `mask` (m, n) is false.

    It is the size of a maximum matching of rows to columns along the entries that are kept.
    """
    from scipy.sparse import csr_matrix

    return int(np.sum(matched_rows(csr_matrix(np.asarray(mask, dtype=bool)))))


def matched_rows(graph: object) -> np.ndarray:
    """Whether each row has a partner in one maximum matching of a sparse `graph` (m, n): (m,)."""
    from scipy.sparse.csgraph import maximum_bipartite_matching

    return maximum_bipartite_matching(graph, perm_type="column") >= 0
