"""Pairs of masks on one network, and what the boolean propagation finds on both."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from theory_lab.core import Experiment
from theory_lab.core.checks import one_of
from theory_lab.core.seeds import Stream
from theory_lab.numerics.paths import Edge, Graph, Skip, effective_masks
from theory_lab.theorems.connectivity.experiments import instances
from theory_lab.theorems.connectivity.experiments.instances import (
    Density,
    Kind,
    Runs,
    Widths,
    check_widths,
    joined,
    pieces,
)


def draw(
    kind: Kind,
    widths: Widths,
    density: Density,
    more: Density,
    pair: Annotated[str, one_of(("nested", "drawn again"))] = "nested",
    runs: Runs = 8,
    *,
    rng: Stream,
) -> dict[str, Any]:
    """A `mask` of that density, and `other` of density `more`: it contains the first, or not."""
    net = instances.describe(kind, widths)
    levels = rng.random((runs, instances.size(net)))
    again = levels if pair == "nested" else rng.random(levels.shape)
    return net | dict(mask=levels < density, other=again < more)


def run(problem: dict[str, Any], *, rng: Stream) -> dict[str, Any]:
    """eff of `mask`, of `other`, of their union, and of eff itself, all (runs, W); `either` is the
    union of the first two."""
    first, second = problem["mask"], problem["other"]
    effective = _effective(problem, first)
    other = _effective(problem, second)
    return dict(
        effective=effective,
        other_effective=other,
        either=effective | other,
        union=_effective(problem, first | second),
        again=_effective(problem, effective),
    )


def _effective(net: dict[str, Any], mask: np.ndarray) -> np.ndarray:
    graph = Graph(
        tuple(net["units"].tolist()),
        tuple(Edge(a, b, area, (taps,)) for a, b, area, taps in net["edges"].tolist()),
        tuple(Skip(a, b) for a, b in net["skips"].tolist()),
    )
    masks = [p.values.reshape(len(mask), *s) for p, s in zip(pieces(net, mask), graph.shapes, strict=True)]  # fmt: skip
    return joined(effective_masks(graph, masks))


LAWS = Experiment("connectivity.laws", draw, run, checks=(check_widths,))
