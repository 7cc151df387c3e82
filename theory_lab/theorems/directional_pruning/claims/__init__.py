"""One theorem, one file; CLAIMS are all of them."""

from theory_lab.theorems.directional_pruning.claims import (
    identities,
    laws,
    long_time,
    objective,
    score_limit,
    step_rate,
    window,
)

CLAIMS = [
    *objective.CLAIMS,
    *identities.CLAIMS,
    *step_rate.CLAIMS,
    *score_limit.CLAIMS,
    *laws.CLAIMS,
    *window.CLAIMS,
    *long_time.CLAIMS,
]
