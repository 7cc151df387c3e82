"""One theorem, one file; CLAIMS are all of them."""

from theory_lab.theorems.sequential_attention.claims import (
    entry,
    masks,
    penalties,
    pursuit,
    stability,
    sum_form,
    window,
)

CLAIMS = [
    *masks.CLAIMS,
    *penalties.CLAIMS,
    *window.CLAIMS,
    *entry.CLAIMS,
    *stability.CLAIMS,
    *sum_form.CLAIMS,
    *pursuit.CLAIMS,
]
