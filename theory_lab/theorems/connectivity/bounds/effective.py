"""Effective masks of a network that a record describes by arrays, and what follows from them.

`units` (G,), `edges` (E, 4) with rows source, target, area, taps, `skips` (S, 2) and a `mask`
(runs, W) of all weights, edge by edge, each edge as (out, in * area, taps).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np

from theory_lab.numerics.paths import (
    Edge,
    Graph,
    Skip,
    connections,
    effective_counts,
    effective_masks,
    forward,
    largest_prefix,
)

Facts = Mapping[str, Any]


def graph(f: Facts) -> Graph:
    """The graph that `units`, `edges` and `skips` describe."""
    edges = (Edge(int(a), int(b), int(area), (int(taps),)) for a, b, area, taps in f["edges"])
    skips = (Skip(int(a), int(b)) for a, b in f["skips"])
    return Graph(tuple(int(n) for n in f["units"]), tuple(edges), tuple(skips))


def layers(net: Graph, flat: np.ndarray) -> list[np.ndarray]:
    """Flat masks (runs, W) as one array (runs, out, in, taps) for each edge."""
    pieces = np.split(flat, np.cumsum(net.sizes)[:-1], axis=1)
    return [p.reshape(-1, *shape) for p, shape in zip(pieces, net.shapes, strict=True)]


def flat(masks: list[np.ndarray]) -> np.ndarray:
    """The masks of all edges as one array (runs, W) of 0 and 1."""
    return np.concatenate([mask.reshape(len(mask), -1) for mask in masks], axis=1).astype(np.int64)


def effective(f: Facts) -> np.ndarray:
    """eff(M) (runs, W): kept weights on a path from an input to an output."""
    net = graph(f)
    return flat(effective_masks(net, layers(net, f["mask"])))


def forward_only(f: Facts) -> np.ndarray:
    """A rival: kept weights whose source is reached from an input."""
    net = graph(f)
    masks = layers(net, f["mask"])
    reached = forward(net, connections(net, masks))
    return flat(
        [
            mask & np.repeat(reached[edge.source], edge.area, axis=1)[:, None, :, None]
            for mask, edge in zip(masks, net.edges, strict=True)
        ]
    )


def prefix(f: Facts) -> int:
    """How many weights, in the order `ranks` (W,) of their removal, can go until the effective
    compression exceeds `target`."""
    net, ranks, compression = graph(f), np.asarray(f["ranks"]), f["target"]

    def reached(removed: int) -> float:
        masks = layers(net, (ranks >= removed)[None])
        active = sum(int(mask.sum()) for mask in effective_masks(net, masks))
        return len(ranks) / active if active else np.inf

    return largest_prefix(reached, len(ranks), compression)


def direct_prefix(f: Facts) -> int:
    """A rival: the prefix at which the number of weights falls to W / target."""
    size = len(f["ranks"])
    return int(np.floor(size - size / f["target"]))


def taps_that_see_a_pixel(side: int, stride: int) -> int:
    """Of the 9 taps of a 3 x 3 kernel with padding 1 on a map of this side."""
    outputs = -(-side // stride)
    reach = [any(0 <= out * stride + tap < side for out in range(outputs)) for tap in (-1, 0, 1)]
    return sum(reach) ** 2


def words(mask: np.ndarray) -> np.ndarray:
    """Masks (runs, W) of 0 and 1 as whole numbers of 48 bits, lowest bit first."""
    runs, size = mask.shape
    return np.array(
        [
            [sum(int(bit) << place for place, bit in enumerate(row[start : start + 48]))
             for start in range(0, size, 48)]
            for row in mask
        ],
        dtype=np.int64,
    ).reshape(runs, -1)  # fmt: skip


@functools.lru_cache(maxsize=32)
def share_with_fewer(widths: tuple[int, ...], density: float, more: float) -> float:
    """P(a mask of density `more` has fewer active weights than an independent one of `density`),
    from the numbers of active weights of all masks of a perceptron."""
    net = Graph.chain(widths)
    size = sum(net.sizes)
    masks = (np.arange(2**size)[:, None] >> np.arange(size)) & 1 > 0
    pieces = np.split(masks, np.cumsum(net.sizes)[:-1], axis=1)
    active = sum(
        effective_counts(net, [p.reshape(-1, *s) for p, s in zip(pieces, net.shapes, strict=True)])
    )
    kept = masks.sum(axis=1)

    def law(p: float) -> np.ndarray:
        return np.bincount(active, p**kept * (1 - p) ** (size - kept), minlength=size + 1)

    below = np.concatenate([[0.0], np.cumsum(law(more))[:-1]])
    return float(law(density) @ below)
