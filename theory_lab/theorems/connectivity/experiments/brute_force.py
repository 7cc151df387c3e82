"""Active weights by brute force: the transitive closure of the graph of single units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from theory_lab.core import Experiment
from theory_lab.core.seeds import Stream
from theory_lab.theorems.connectivity.experiments.instances import (
    check_widths,
    draw,
    joined,
    pieces,
)


def run(problem: dict[str, Any], *, rng: Stream) -> dict[str, Any]:
    """`active` (runs, W): kept weights from a unit that some input leads to, to a unit that leads to
    some output."""
    return dict(active=active(problem, problem["mask"]))


def active(net: Mapping[str, Any], mask: np.ndarray) -> np.ndarray:
    """(runs, W), 0 or 1, for masks (runs, W)."""
    leads, starts = closure(net, mask)
    reached: np.ndarray = np.any(leads[:, :, : starts[1]], axis=2)
    reaching: np.ndarray = np.any(leads[:, starts[-2] :], axis=1)
    found = []
    for source, target, kept in pieces(net, mask):
        into = reached[:, starts[source] : starts[source + 1]]
        out_of = reaching[:, starts[target] : starts[target + 1]]
        found.append(kept & into[:, None, :, None, None] & out_of[:, :, None, None, None])
    return joined(found).astype(float)


def closure(net: Mapping[str, Any], mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """leads[run, j, i]: a path (or none at all) leads from unit i to unit j; and the first unit of
    every group. Repeated squaring of the adjacency matrix."""
    starts = np.concatenate([[0], np.cumsum(net["units"])])
    A = np.tile(np.eye(starts[-1], dtype=np.float32), (len(mask), 1, 1))
    for source, target, kept in pieces(net, mask):
        rows, columns = slice(*starts[target : target + 2]), slice(*starts[source : source + 2])
        A[:, rows, columns] = np.maximum(A[:, rows, columns], kept.any(axis=(3, 4)))
    for source, target in net["skips"].tolist():
        units = np.arange(net["units"][source])
        A[:, starts[target] + units, starts[source] + units] = 1.0
    for _ in range(int(len(net["units"])).bit_length()):
        A = (A @ A > 0).astype(np.float32)
    return A > 0, starts


BRUTE_FORCE = Experiment("connectivity.brute_force", draw, run, checks=(check_widths,))
