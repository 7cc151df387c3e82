"""One theorem, one file; CLAIMS are all of them."""

from theory_lab.theorems.connectivity.claims import (
    effective_mask,
    padding,
    quotas,
    random_pruning,
    synflow,
    target,
)

CLAIMS = [
    *effective_mask.CLAIMS,
    *padding.CLAIMS,
    *random_pruning.CLAIMS,
    *quotas.CLAIMS,
    *target.CLAIMS,
    *synflow.CLAIMS,
]
