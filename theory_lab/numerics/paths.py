"""Paths through pruned networks: which weights lie on a path from an input to an output.

A network is a plain description, a `Graph`: groups of units (neurons, or channels of a map) in
topological order, edges (layers of prunable weights) and skips (identities) between groups. A mask
of an edge has the shape (..., out, in * area, *kernel): leading axes are a batch; `area` pixels of
a channel are flattened into a linear layer; a kernel's taps are weights of one pair of channels.

A weight from i to j is active if it is kept, i is reached from an input and an output is reached
from j. Biases do not count: a unit with a bias alone is constant, hence dead. Pixels are not told
apart, so that taps which see nothing but zero padding count as active. Booleans only: no path is
counted, so nothing overflows. Array API. Source: arXiv:2107.02306 (effective sparsity).
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from array_api_compat import array_namespace, device


class Edge(NamedTuple):
    """A layer of weights from every unit of group `source` to every unit of group `target`."""

    source: int
    target: int
    area: int = 1
    kernel: tuple[int, ...] = ()


class Skip(NamedTuple):
    """An identity from group `source` to group `target`, added there."""

    source: int
    target: int


@dataclass(frozen=True)
class Graph:
    """`units[g]` units in group g; group 0 are the inputs, the last group the outputs.

    ValueError where an edge or a skip does not lead from a group to a later one, or where a skip
    joins groups of unequal size.
    """

    units: tuple[int, ...]
    edges: tuple[Edge, ...]
    skips: tuple[Skip, ...] = ()

    def __post_init__(self) -> None:
        links: list[Edge | Skip] = [*self.edges, *self.skips]
        for link in links:
            if not 0 <= link.source < link.target < len(self.units):
                raise ValueError(
                    f"{link} must lead from a group to a later one of the {len(self.units)} groups."
                )
        for skip in self.skips:
            if self.units[skip.source] != self.units[skip.target]:
                raise ValueError(
                    f"{skip} joins {self.units[skip.source]} and {self.units[skip.target]} units;"
                    " an identity needs equally many, else use an edge."
                )

    @classmethod
    def chain(cls, widths: Sequence[int]) -> Graph:
        """A plain multilayer perceptron."""
        edges = tuple(Edge(layer, layer + 1) for layer in range(len(widths) - 1))
        return cls(tuple(widths), edges)

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shape of each edge's mask, without batch axes."""
        return [
            (self.units[e.target], self.units[e.source] * e.area, *e.kernel) for e in self.edges
        ]

    @property
    def sizes(self) -> list[int]:
        """The number of prunable weights of each edge."""
        return [math.prod(shape) for shape in self.shapes]


def effective_masks(graph: Graph, masks: Sequence[Any]) -> list[Any]:
    """The active part of every mask, as new arrays of the masks' shapes.

    Propagates reachability once forwards and once backwards: O(number of weights).
    """
    connected = connections(graph, masks)
    reached, reaching = forward(graph, connected), backward(graph, connected)
    gated = zip(masks, connected, graph.edges, strict=True)
    return [
        array_namespace(mask).reshape(
            _gated(matrix, _spread(reached[edge.source], matrix), reaching[edge.target]), mask.shape
        )
        for mask, matrix, edge in gated
    ]


def effective_counts(graph: Graph, masks: Sequence[Any]) -> list[Any]:
    """The number of active weights of every edge: integers, or arrays (...) over a batch."""
    counts = []
    for active, edge in zip(effective_masks(graph, masks), graph.edges, strict=True):
        xp, axes = array_namespace(active), tuple(range(-2 - len(edge.kernel), 0))
        counts.append(xp.sum(xp.astype(active, xp.int64), axis=axes))
    return counts


def connections(graph: Graph, masks: Sequence[Any]) -> list[Any]:
    """Every mask as a matrix (..., out, in * area * taps): the weights of one source unit stand side
    by side, whether they are taps of a kernel or pixels of a flattened map."""
    if len(masks) != len(graph.edges):
        raise ValueError(f"The graph has {len(graph.edges)} edges, but {len(masks)} masks came.")
    matrices = []
    for mask, shape in zip(masks, graph.shapes, strict=True):
        batch = mask.shape[: max(0, mask.ndim - len(shape))]
        if tuple(mask.shape[len(batch) :]) != shape:
            raise ValueError(f"A mask has shape {tuple(mask.shape)}; it must end in {shape}.")
        flat = (*batch, shape[0], math.prod(shape[1:]))
        matrices.append(array_namespace(mask).reshape(mask, flat))
    return matrices


def forward(graph: Graph, connected: Sequence[Any]) -> list[Any]:
    """For every group (..., units): which units are reached from an input."""
    xp, ones = _ones(connected)
    reached = [ones(graph.units[0])]
    for group in range(1, len(graph.units)):
        found = [reached[skip.source] for skip in graph.skips if skip.target == group]
        for edge, matrix in zip(graph.edges, connected, strict=True):
            if edge.target == group:
                sources = _spread(reached[edge.source], matrix)
                found.append(xp.any(_from(matrix, sources[..., None, :]), axis=-1))
        reached.append(_either(found, ones(graph.units[group])))
    return reached


def backward(graph: Graph, connected: Sequence[Any]) -> list[Any]:
    """For every group (..., units): from which units an output is reached."""
    xp, ones = _ones(connected)
    reaching = {len(graph.units) - 1: ones(graph.units[-1])}
    for group in reversed(range(len(graph.units) - 1)):
        found = [reaching[skip.target] for skip in graph.skips if skip.source == group]
        for edge, matrix in zip(graph.edges, connected, strict=True):
            if edge.source == group:
                live = xp.any(_from(matrix, reaching[edge.target][..., :, None]), axis=-2)
                of_unit = xp.reshape(live, (*live.shape[:-1], graph.units[group], -1))
                found.append(xp.any(of_unit, axis=-1))
        reaching[group] = _either(found, ones(graph.units[group]))
    return [reaching[group] for group in range(len(graph.units))]


def _from(matrix: Any, alive: Any) -> Any:
    """The weights of units that are alive; all of them, at no cost, where every unit is."""
    return matrix if array_namespace(alive).all(alive) else matrix & alive


def _ones(connected: Sequence[Any]) -> tuple[Any, Callable[[int], Any]]:
    """The namespace, and a maker of all-true vectors with the batch axes of the masks."""
    first = connected[0]
    xp, batch = array_namespace(first), first.shape[:-2]
    return xp, lambda units: xp.ones((*batch, units), dtype=xp.bool, device=device(first))


def _either(found: list[Any], like: Any) -> Any:
    """Or; false where nothing leads."""
    return functools.reduce(operator.or_, found) if found else ~like


def _spread(units: Any, matrix: Any) -> Any:
    """Each source unit once for every weight of a row that it stands for: (..., n) -> columns."""
    times = matrix.shape[-1] // units.shape[-1]
    return units if times == 1 else array_namespace(units).repeat(units, times, axis=-1)


def _gated(matrix: Any, reached: Any, reaching: Any) -> Any:
    """matrix & reached & reaching. Where everything is alive this is a copy, which is faster."""
    xp = array_namespace(matrix)
    if xp.all(reached) and xp.all(reaching):
        return xp.asarray(matrix, copy=True)
    return matrix & (reaching[..., :, None] & reached[..., None, :])


def largest_prefix(compression: Callable[[int], float], size: int, target: float) -> int:
    """The most weights that can be removed, in a given order, with compression at most `target`.

    `compression(n)` of the first n removed, non-decreasing in n (effective compression is, for
    nested masks), with compression(0) <= target; bisection in ceil(log2 size) calls. The next
    prefix exceeds the target; how far the last one falls short of it is not bounded.
    """
    low, high = 0, size
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if compression(middle) <= target else (low, middle)
    return low
