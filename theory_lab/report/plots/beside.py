"""What stands beside the measured series of a panel: levels, lines, published points."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from theory_lab.core import Experiment
from theory_lab.report.plots.material import Material, agree
from theory_lab.report.plots.quantities import Quantity, read

Facts = Mapping[str, Any]
Row = tuple[str, str, float, float]
"""series, what is shown, x, y."""

LINE_POINTS = 61


@dataclass(frozen=True)
class Panorama:
    """What a panel shows already: the facts of its first record, all x, and their scale."""

    material: Material
    facts: Facts
    x: np.ndarray
    xscale: str


class Beside(Protocol):
    """One entry under `marks`."""

    def rows(self, seen: Panorama) -> Iterator[Row]: ...


@dataclass(frozen=True)
class Mark:
    """A straight line across the axes: an edge, a threshold. `at` is its place, or a function of
    the facts of the panel's first record."""

    label: str
    at: float | Callable[[Facts], float]
    vertical: bool = False

    def place(self, facts: Facts) -> float:
        """Where it stands, in the case of these facts."""
        return float(self.at(facts)) if callable(self.at) else self.at

    def rows(self, seen: Panorama) -> Iterator[Row]:
        at = self.place(seen.facts)
        yield self.label, "mark", *((at, np.nan) if self.vertical else (np.nan, at))


@dataclass(frozen=True)
class Level:
    """A horizontal line at the mean of a measured quantity: what the series are compared with."""

    label: str
    experiment: Experiment
    y: Quantity
    where: Mapping[str, Any] = field(default_factory=dict)

    def rows(self, seen: Panorama) -> Iterator[Row]:
        records = seen.material.some(self.experiment, self.where)
        if records:
            values = [np.mean(read(self.y, record)) for record in records]
            yield self.label, "mark", np.nan, float(np.mean(values))


@dataclass(frozen=True)
class Reference:
    """The line y = formula(facts, x) over the panel's x: a diagonal, a criterion."""

    label: str
    formula: Callable[[Facts, float], float]

    def rows(self, seen: Panorama) -> Iterator[Row]:
        space = np.geomspace if seen.xscale == "log" else np.linspace
        for x in space(seen.x.min(), seen.x.max(), LINE_POINTS).tolist():
            yield self.label, "reference", x, float(self.formula(seen.facts, x))


@dataclass(frozen=True)
class Published:
    """Points (x, y) that others published, as hollow markers, where the records are of their data:
    those whose facts agree with `where` (a list: with one of its entries).

    Theirs are other recipes and budgets, so that they stand beside ours and prove nothing; the label
    names their data set.
    """

    label: str
    points: Sequence[tuple[float, float]]
    where: Mapping[str, Any] = field(default_factory=dict)

    def rows(self, seen: Panorama) -> Iterator[Row]:
        if agree(seen.facts, self.where):
            for x, y in self.points:
                yield self.label, "published", x, y
