"""Random pruning of perceptrons by layer quotas: active weights of many masks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, NamedTuple

import numpy as np

from theory_lab.core import Experiment, Measurement
from theory_lab.core.checks import BadParameter, at_least, one_of
from theory_lab.core.seeds import Stream
from theory_lab.numerics.quotas import QUOTAS, kept_counts
from theory_lab.theorems.connectivity.experiments.instances import Widths

BATCH = 500
"""Masks that are drawn and followed together."""


def draw(
    widths: Widths,
    quota: Annotated[str, one_of(("uniform", "ERK", "IGQ"))],
    compression: Annotated[float, at_least(1)],
    law: Annotated[str, one_of(("bernoulli", "exact counts"))] = "exact counts",
    *,
    rng: Stream,
) -> dict[str, Any]:
    """`kept` (L,): the number of weights that each layer keeps, or its density; `sizes` (L,)."""
    shapes = list(zip(widths[1:], widths[:-1], strict=True))
    densities = QUOTAS[quota](shapes, compression)
    kept = densities if law == "bernoulli" else kept_counts(shapes, densities)
    return dict(widths=widths, law=law, kept=kept.astype(float), sizes=np.prod(shapes, axis=1))


def run(
    problem: dict[str, Any],
    *,
    draws: Annotated[int, at_least(2)] = 4000,
    block: Annotated[int, at_least(1)] = 1,
    rng: Stream,
) -> dict[str, Any]:
    """`active` (draws / block,): active weights, the mean of each `block` of masks; `direct`:
    N / |M|; `effective`: N / mean active, in the interval of two standard errors."""
    search, batches = rng.named("masks"), [BATCH] * (draws // BATCH) + [draws % BATCH]
    counts = [_active(problem, n, search) for n in batches if n]
    active = np.concatenate(counts).astype(float)
    total = float(problem["sizes"].sum())
    kept = problem["kept"] * (problem["sizes"] if problem["law"] == "bernoulli" else 1)
    reach = 2 * active.std(ddof=1) / np.sqrt(draws)
    low, high = active.mean() + reach, active.mean() - reach
    with np.errstate(divide="ignore"):
        ends = total / np.maximum([low, high], 0.0)
    return dict(
        active=active.reshape(-1, block).mean(axis=1),
        direct=total / kept.sum(),
        effective=Measurement.statistical(ends[0], ends[1], 0.05),
    )


class Cells(NamedTuple):
    """The kept cells of one layer in a batch of masks: which mask, and the places of the target and
    of the source among the units (masks * rows) and (masks * columns) of all masks."""

    mask: np.ndarray
    target: np.ndarray
    source: np.ndarray


def _active(problem: Mapping[str, Any], masks: int, rng: Stream) -> np.ndarray:
    """The number of active weights (masks,)."""
    widths, shapes = problem["widths"], zip(problem["widths"][1:], problem["widths"], strict=False)
    layers = [
        _drawn(rng, masks, rows, columns, kept, problem["law"])
        for (rows, columns), kept in zip(shapes, problem["kept"].tolist(), strict=True)
    ]
    reached = [np.ones(masks * widths[0], dtype=bool)]
    for cells, units in zip(layers, widths[1:], strict=True):
        reached.append(_led_to(cells.source, cells.target, reached[-1], masks * units))
    reaching, total = np.ones(masks * widths[-1], dtype=bool), np.zeros(masks, dtype=int)
    for cells, before in zip(reversed(layers), reversed(reached[:-1]), strict=True):
        active = reaching[cells.target] & before[cells.source]
        total += np.bincount(cells.mask[active], minlength=masks)
        reaching = _led_to(cells.target, cells.source, reaching, len(before))
    return total


def _led_to(here: np.ndarray, there: np.ndarray, alive: np.ndarray, units: int) -> np.ndarray:
    """Which of the `units` on the other side a cell leads to from one that is alive."""
    found = np.zeros(units, dtype=bool)
    found[there[alive[here]]] = True
    return found


def _drawn(rng: Stream, masks: int, rows: int, columns: int, kept: float, law: str) -> Cells:
    """Kept cells of a rows x columns layer, drawn for every mask."""
    size = rows * columns
    counts = rng.binomial(size, kept, masks) if law == "bernoulli" else np.full(masks, int(kept))
    cells = np.concatenate([np.empty(0, dtype=np.int64), *_subsets(rng, size, counts)])
    row, column = np.divmod(cells, columns)
    mask = np.repeat(np.arange(masks), counts)
    return Cells(mask, mask * rows + row, mask * columns + column)


def _subsets(rng: Stream, size: int, counts: np.ndarray) -> Iterator[np.ndarray]:
    """For every count, that many of `size` cells, without replacement and uniformly."""
    if np.all(counts == counts[0]) and counts[0] ** 2 <= size:
        yield _few(rng, size, len(counts), int(counts[0])).ravel()
        return
    for count in counts.tolist():
        yield rng.choice(size, count, replace=False, shuffle=False)


def _few(rng: Stream, size: int, sets: int, count: int) -> np.ndarray:
    """(sets, count) cells: all at once, and again where one cell came twice."""
    cells = rng.integers(size, size=(sets, count))
    while True:
        ordered = np.sort(cells, axis=1)
        twice = np.flatnonzero((ordered[:, 1:] == ordered[:, :-1]).any(axis=1))
        if not len(twice):
            return cells
        cells[twice] = rng.integers(size, size=(len(twice), count))


def check(values: Mapping[str, Any]) -> None:
    """At least one layer, and whole blocks."""
    if len(values["widths"]) < 2:
        raise BadParameter(f"widths is {values['widths']!r}, but a network needs at least 2.")
    if values["draws"] % values["block"]:
        raise BadParameter(
            f"draws is {values['draws']}, but it must be a multiple of block = {values['block']}."
        )


RANDOM_PRUNING = Experiment("connectivity.random_pruning", draw, run, checks=(check,))
