"""Zero padding: the graph of channels is an upper bound of what pixels do."""

from __future__ import annotations

from typing import Any

import numpy as np

from theory_lab.core import Claim, Condition, Source
from theory_lab.theorems.connectivity.bounds import effective as bounds
from theory_lab.theorems.connectivity.claims.effective_mask import PAPER
from theory_lab.theorems.connectivity.experiments.padding import PADDING

CODE = Source(PAPER, "authors' code: graph method against linearised network (made exact here)")

INCLUSION = Claim(
    "connectivity.padding_inclusion",
    CODE,
    "Pixel by pixel with zero padding, every tap that carries a value is active in the graph of"
    " channels.",
    relation="<=",
    experiment=PADDING,
    predict=bounds.effective,
    measure="active",
    scale=1.0,
    rivals={"all taps but the active ones": lambda f: 1 - bounds.effective(f)},
    formula="active pixel by pixel ⊆ active in the graph",
)

EQUALITY = Claim(
    "connectivity.padding_equality",
    CODE,
    "For a single convolution on a map larger than its stride the two agree; a smaller map or stacked"
    " taps, which shift an image out, break it.",
    experiment=PADDING,
    predict=bounds.effective,
    measure="active",
    conditions=[
        Condition("one convolution", lambda f: len(f["edges"]) == 1),
        Condition("a map larger than the stride", lambda f: f["side"] > f["stride"]),
    ],
    scale=1.0,
    basis="finding",
    rivals={"the mask itself, inverted": lambda f: 1 - f["mask"]},
    formula="one 3 × 3 layer, side > stride  ⇒  equal",
)


def _fully_used(f: Any) -> int:
    pairs = int(np.dot(f["units"][1:], f["units"][:-1]))
    return pairs * bounds.taps_that_see_a_pixel(f["side"], f["stride"])


TAPS = Claim(
    "connectivity.padding_taps",
    CODE,
    "Of the 9 taps of a dense 3 x 3 convolution 1, 4 or 9 see a pixel: those whose offset falls into"
    " the map from some output.",
    experiment=PADDING,
    predict=_fully_used,
    measure=lambda records: records[0].results["active"].value[0].sum(),
    conditions=[
        Condition("one convolution", lambda f: len(f["edges"]) == 1),
        Condition("nothing pruned", lambda f: f["density"] == 1 and f["taps"] == "all"),
    ],
    basis="finding",
    rivals={"all taps": lambda f: 9 * int(np.dot(f["units"][1:], f["units"][:-1]))},
    formula="(#{o ∈ {−1, 0, 1} : 0 ≤ y·stride + o < side for some output y})²",
)

CLAIMS = [INCLUSION, EQUALITY, TAPS]
