"""One theorem, one file; CLAIMS are all of them."""

from theory_lab.theorems.sequential_attention.claims import (
    masks,
    penalties,
    pursuit,
    sum_form,
    window,
)

CLAIMS = [
    *masks.CLAIMS,
    *penalties.CLAIMS,
    *window.CLAIMS,
    *sum_form.CLAIMS,
    *pursuit.CLAIMS,
]
