"""One subject, one file; CLAIMS are all of them."""

from theory_lab.theorems.rank_pruning.claims import (
    low_rank,
    masked_ascent,
    masks,
    rank_loss,
    sparse_matrices,
)

CLAIMS = [
    *low_rank.CLAIMS,
    *rank_loss.CLAIMS,
    *sparse_matrices.CLAIMS,
    *masked_ascent.CLAIMS,
    *masks.CLAIMS,
]
