"""Where the statements stand."""

from __future__ import annotations

from theory_lab.core import Source

PAPER = "arXiv:2311.17493"
RANK_LOSS = Source(PAPER, "rank loss, its gradient made explicit (lab's formulation)")
GROWTH = Source(PAPER, "growth by the gradient of the rank loss, made explicit (lab's formulation)")
RANKS = Source(PAPER, "rank of pruned weights, measured (lab's formulation)")
LOW_RANK = Source("Eckart and Young (1936)", "best approximation of lower rank, Frobenius norm")
RANK_CHAIN = Source("linear algebra", "ranks of a matrix and of its pattern (lab's formulation)")
MATCHINGS = Source(
    "Karp and Sipser (1981)", "largest matchings of sparse random graphs (lab's formulation)"
)
THRESHOLD = Source("Erdős and Rényi (1964)", "random matrices of full structural rank (lab's form)")
