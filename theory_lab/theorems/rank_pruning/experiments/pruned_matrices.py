"""One dense matrix and one mask of it: the start of ascent, of growth, of a comparison of masks."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from theory_lab.core.checks import at_least, at_most, one_of, positive
from theory_lab.core.seeds import Stream
from theory_lab.theorems.rank_pruning.experiments.matrices import (
    KINDS,
    magnitude_mask,
    make_matrix,
    random_mask,
)

MASKS = ("magnitude", "random")


def draw(
    m: Annotated[int, at_least(2)],
    n: Annotated[int, at_least(2)],
    density: Annotated[float, positive, at_most(1)],
    kind: Annotated[str, one_of(KINDS)] = "decaying",
    decay: float = 0.7,
    spread: float = 0.3,
    pruning: Annotated[str, one_of(MASKS)] = "magnitude",
    *,
    rng: Stream,
) -> dict[str, Any]:
    """W (m, n) pruned to the density. Facts: its singular values `spectrum`, and `mask_bits`, the
    mask packed along its rows."""
    dense = make_matrix(rng, m, n, kind, decay, spread)
    by_size = pruning == "magnitude"
    mask = magnitude_mask(dense, density) if by_size else random_mask(rng, m, n, density)
    W = dense * mask
    return dict(
        _dense=dense,
        _mask=mask,
        _W=W,
        mask_bits=np.packbits(mask, axis=1),
        spectrum=np.linalg.svd(W, compute_uv=False),
    )
