"""Small networks of three kinds with random masks, described by arrays.

`units` (G,), `edges` (E, 4) with rows source, target, area, taps, `skips` (S, 2). Weights and masks
are flat, (runs, W): edge by edge, each as (out, in * area, taps).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, NamedTuple

import numpy as np

from theory_lab.core.checks import BadParameter, at_least, at_most, one_of, positive
from theory_lab.core.seeds import Stream

KINDS = ("mlp", "convolution", "residual")

AREA, TAPS = 4, 9
"""Pixels of a map before the linear layer, taps of a kernel."""

Density = Annotated[float, positive, at_most(1)]
Widths = Annotated[tuple[int, ...], at_least(1)]
Runs = Annotated[int, at_least(1)]
Kind = Annotated[str, one_of(KINDS)]


def describe(kind: str, widths: tuple[int, ...]) -> dict[str, np.ndarray]:
    """The arrays `units`, `edges`, `skips` of a network.

    mlp: widths of all layers. convolution: channels, then the outputs of a linear layer on 2 x 2
    maps. residual: input, stream, two inner widths, a second stream, output: a block with an
    identity, then one with a layer on its side branch.
    """
    last = len(widths) - 1
    if kind == "mlp":
        return _arrays(widths, [(i, i + 1, 1, 1) for i in range(last)], [])
    if kind == "convolution":
        edges = [(i, i + 1, 1, TAPS) for i in range(last - 1)]
        return _arrays(widths, [*edges, (last - 1, last, AREA, 1)], [])
    inputs, stream, first, second, wide, outputs = widths
    edges = [(0, 1, 1, 1), (1, 2, 1, 1), (2, 3, 1, 1), (3, 4, 1, 1), (4, 5, 1, 1), (3, 5, 1, 1),
             (5, 6, 1, 1)]  # fmt: skip
    return _arrays((inputs, stream, first, stream, second, wide, outputs), edges, [(1, 3)])


def _arrays(units: Any, edges: list[Any], skips: list[Any]) -> dict[str, np.ndarray]:
    return dict(
        units=np.array(units, dtype=np.int64),
        edges=np.array(edges, dtype=np.int64).reshape(-1, 4),
        skips=np.array(skips, dtype=np.int64).reshape(-1, 2),
    )


def draw(
    kind: Kind, widths: Widths, density: Density, runs: Runs = 8, *, rng: Stream
) -> dict[str, Any]:
    """Independent masks: every weight is kept with probability `density`."""
    net = describe(kind, widths)
    return net | dict(mask=rng.random((runs, size(net))) < density)


def size(net: Mapping[str, Any]) -> int:
    """W: the number of prunable weights."""
    units = net["units"]
    return int(sum(units[b] * units[a] * area * taps for a, b, area, taps in net["edges"]))


class Piece(NamedTuple):
    """One edge of a network: its ends, and its part (runs, out, in, area, taps) of a flat array."""

    source: int
    target: int
    values: np.ndarray


def pieces(net: Mapping[str, Any], flat: np.ndarray) -> Iterator[Piece]:
    """A flat array (runs, W) edge by edge."""
    units, place = net["units"], 0
    for source, target, area, taps in net["edges"].tolist():
        shape = (int(units[target]), int(units[source]), area, taps)
        end = place + int(np.prod(shape))
        yield Piece(source, target, flat[:, place:end].reshape(-1, *shape))
        place = end


def joined(parts: list[np.ndarray]) -> np.ndarray:
    """Arrays (runs, ...) of all edges as one flat array (runs, W)."""
    return np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)


def check_widths(values: Mapping[str, Any]) -> None:
    """Enough widths for the kind of network."""
    kind, widths = values["kind"], values["widths"]
    least = {"mlp": 2, "convolution": 3, "residual": 6}[kind]
    if len(widths) < least or (kind == "residual" and len(widths) > least):
        exactly = "exactly" if kind == "residual" else "at least"
        raise BadParameter(f"widths is {widths!r}, but a {kind} network needs {exactly} {least}.")
