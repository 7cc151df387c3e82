"""Convolutions pixel by pixel: which taps of 3 x 3 kernels with padding 1 are really used."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from theory_lab.core import Experiment
from theory_lab.core.checks import at_least, one_of
from theory_lab.core.seeds import Stream
from theory_lab.theorems.connectivity.experiments.instances import (
    TAPS,
    Density,
    Piece,
    Runs,
    Widths,
    joined,
    pieces,
)

Map = np.ndarray
"""Which pixels of which channels, (runs, channels, height, width), 0. or 1."""


def draw(
    widths: Widths,
    density: Density,
    side: Annotated[int, at_least(1)],
    stride: Annotated[int, at_least(1)] = 1,
    taps: Annotated[str, one_of(("all", "one corner"))] = "all",
    runs: Runs = 8,
    *,
    rng: Stream,
) -> dict[str, Any]:
    """Kernels of a plain network with these channels; `taps` says which of the 9 may be kept."""
    layers = len(widths) - 1
    edges = np.array([(i, i + 1, 1, TAPS) for i in range(layers)], dtype=np.int64).reshape(-1, 4)
    pairs = int(np.dot(widths[1:], widths[:-1]))
    mask = rng.random((runs, pairs, TAPS)) < density
    if taps == "one corner":
        mask[..., 1:] = False
    return dict(
        units=np.array(widths, dtype=np.int64),
        edges=edges,
        skips=np.empty((0, 2), dtype=np.int64),
        mask=mask.reshape(runs, -1),
        side=side,
        stride=stride,
    )


def run(problem: dict[str, Any], *, rng: Stream) -> dict[str, Any]:
    """`active` (runs, W): taps that carry a value from a pixel of the input to the output's sum."""
    kernels, stride = list(pieces(problem, problem["mask"])), problem["stride"]
    side = problem["side"]
    maps = [np.ones((len(problem["mask"]), int(problem["units"][0]), side, side))]
    for kernel in kernels:
        maps.append(_reached(kernel, maps[-1], stride))
    later, active = np.ones_like(maps[-1]), []
    for kernel, earlier in zip(reversed(kernels), reversed(maps[:-1]), strict=True):
        used, later = _used(kernel, earlier, later, stride)
        active.append(used)
    return dict(active=joined(active[::-1]))


def _taps(kernel: Piece) -> np.ndarray:
    """(taps, runs, out, in) as numbers."""
    return np.moveaxis(kernel.values[:, :, :, 0, :], -1, 0).astype(float)


def _windows(earlier: Map, stride: int) -> list[Map]:
    """What each of the 9 taps sees: maps of the output's size."""
    padded = np.pad(earlier, ((0, 0), (0, 0), (1, 1), (1, 1)))
    reach = earlier.shape[2]
    return [
        padded[:, :, y : y + reach : stride, x : x + reach : stride]
        for y in range(3)
        for x in range(3)
    ]


def _reached(kernel: Piece, earlier: Map, stride: int) -> Map:
    seen = zip(_taps(kernel), _windows(earlier, stride), strict=True)
    total = sum(np.einsum("roi,riyx->royx", tap, window) for tap, window in seen)
    return (np.asarray(total) > 0).astype(float)


def _used(kernel: Piece, earlier: Map, later: Map, stride: int) -> tuple[np.ndarray, Map]:
    """Active taps (runs, out, in, taps), and the pixels of the earlier map that are used."""
    back = np.zeros((*earlier.shape[:2], earlier.shape[2] + 2, earlier.shape[3] + 2))
    reach, used = earlier.shape[2], []
    windows = _windows(earlier, stride)
    for place, (tap, window) in enumerate(zip(_taps(kernel), windows, strict=True)):
        y, x = divmod(place, 3)
        back[:, :, y : y + reach : stride, x : x + reach : stride] += np.einsum(
            "roi,royx->riyx", tap, later
        )
        used.append(tap * (np.einsum("riyx,royx->roi", window, later) > 0))
    return np.stack(used, axis=-1), (back[:, :, 1:-1, 1:-1] > 0) * earlier


PADDING = Experiment("connectivity.padding", draw, run)
