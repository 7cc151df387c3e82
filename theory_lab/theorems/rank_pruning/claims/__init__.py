"""One subject, one file; CLAIMS are all of them."""

from theory_lab.theorems.rank_pruning.claims import low_rank, masks, rank_loss, sparse_matrices

CLAIMS = [*low_rank.CLAIMS, *rank_loss.CLAIMS, *sparse_matrices.CLAIMS, *masks.CLAIMS]
