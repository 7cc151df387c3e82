"""Heat maps over two parameters, with the theory's boundaries drawn into them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from theory_lab.core import Experiment, Record
from theory_lab.report.plots import style
from theory_lab.report.plots.looks import Looks
from theory_lab.report.plots.material import Material
from theory_lab.report.plots.quantities import Quantity, read

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

Facts = Mapping[str, Any]

COLOURS = "YlGnBu"
"""From light to dark without turning back: readable in grey."""

LINES, STEPS, HALVINGS = 61, 40, 22


@dataclass(frozen=True)
class Boundary:
    """The curve on which `holds(facts, x, y)` changes: its first change along x, and along y."""

    label: str
    holds: Callable[[Facts, float, float], Any]


@dataclass(frozen=True)
class HeatMap:
    """z over x and y: parameters of the cells, or the axes of an array (x, y) in one record.

    Replicates are averaged. `limits` are the values of the lightest and the darkest colour.
    """

    experiment: Experiment
    x: Quantity
    y: Quantity
    z: Quantity
    xlabel: str
    ylabel: str
    zlabel: str
    where: Mapping[str, Any] = field(default_factory=dict)
    boundaries: Sequence[Boundary] = ()
    xscale: str = "linear"
    yscale: str = "linear"
    limits: tuple[float, float] = (0.0, 1.0)
    title: str = ""

    def table(self, material: Material) -> pd.DataFrame:
        import pandas as pd

        records = material.of(self.experiment, self.where)
        cells: dict[tuple[float, float], list[float]] = {}
        for record in records:
            for x, y, z in self._cells(record):
                cells.setdefault((x, y), []).append(z)
        rows = [("", "measured", x, y, float(np.mean(cells[x, y]))) for x, y in sorted(cells)]
        for boundary in self.boundaries:
            rows += self._boundary(boundary, records[0].facts, np.array(sorted(cells)))
        return pd.DataFrame(rows, columns=["series", "shown", "x", "y", "z"])

    def _cells(self, record: Record) -> list[tuple[float, float, float]]:
        x, y = (np.atleast_1d(read(axis, record)).astype(float) for axis in (self.x, self.y))
        z = np.reshape(read(self.z, record), (-1,))
        z = z.reshape(len(x), len(y)) if z.size == x.size * y.size else np.full((1, 1), z.mean())
        return [(a, b, z[i, j]) for i, a in enumerate(x.tolist()) for j, b in enumerate(y.tolist())]

    def _boundary(
        self, boundary: Boundary, facts: Facts, cells: np.ndarray
    ) -> list[tuple[Any, ...]]:
        """The curve over the range of the cells, edge to edge."""
        scales = (self.xscale, self.yscale)
        (x0, x1), (y0, y1) = (
            _edges(np.unique(cells[:, axis]), scale)[[0, -1]] for axis, scale in enumerate(scales)
        )
        holds = functools.partial(boundary.holds, facts)
        along_x = _between(x0, x1, self.xscale, STEPS)
        along_y = _between(y0, y1, self.yscale, STEPS)
        points = [
            *((_first_change(holds, along_x, y, 0), y)
              for y in _between(y0, y1, self.yscale, LINES).tolist()),
            *((x, _first_change(holds, along_y, x, 1))
              for x in _between(x0, x1, self.xscale, LINES).tolist()),
        ]  # fmt: skip
        found = np.array(points)
        curve = _chained(found[np.isfinite(found).all(axis=1)], scales)
        return [(boundary.label, "predicted", x, y, np.nan) for x, y in curve.tolist()]

    def draw(self, axes: Axes, table: pd.DataFrame, looks: Looks) -> list[Line2D]:
        cells = table[table["shown"] == "measured"]
        grid = cells.pivot(index="y", columns="x", values="z")
        axes.set(xlabel=self.xlabel, ylabel=self.ylabel, title=self.title,
                 xscale=self.xscale, yscale=self.yscale)  # fmt: skip
        axes.grid(visible=False)
        low, high = self.limits
        x = _edges(grid.columns.to_numpy(float), self.xscale)
        y = _edges(grid.index.to_numpy(float), self.yscale)
        mesh = axes.pcolormesh(
            x, y, grid.to_numpy(float), cmap=COLOURS, vmin=low, vmax=high, edgecolors="none",
        )  # fmt: skip
        axes.figure.colorbar(mesh, ax=axes, label=self.zlabel)
        curves = table[table["shown"] == "predicted"]
        handles = [
            _outlined(axes, curves[curves["series"] == label], looks.mark(label))
            for label in curves["series"].drop_duplicates()
        ]
        axes.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
        style.tidy(axes)
        return handles


def _outlined(axes: Axes, rows: pd.DataFrame, look: dict[str, Any]) -> Line2D:
    """A dark line with a light edge, visible on every colour of the map."""
    axes.plot(rows["x"], rows["y"], color="white", linewidth=5, solid_capstyle="butt")
    (line,) = axes.plot(rows["x"], rows["y"], **look | {"color": "#cc4a10", "linewidth": 2.4})
    return line


def _edges(centres: np.ndarray, scale: str) -> np.ndarray:
    """Borders of the cells around their centres, half-way on the axis."""
    at = np.log(centres) if scale == "log" else centres
    if len(at) == 1:
        at = at + np.array([-0.5, 0.5])
        return np.exp(at) if scale == "log" else at
    middle = 0.5 * (at[1:] + at[:-1])
    edges = np.concatenate([[2 * at[0] - middle[0]], middle, [2 * at[-1] - middle[-1]]])
    return np.exp(edges) if scale == "log" else edges


def _between(low: float, high: float, scale: str, points: int) -> np.ndarray:
    return (np.geomspace if scale == "log" else np.linspace)(low, high, points)


def _chained(points: np.ndarray, scales: tuple[str, str]) -> np.ndarray:
    """Points of one curve in its order: from the leftmost always on to the nearest."""
    if not len(points):
        return points
    at = np.column_stack(
        [np.log(v) if scale == "log" else v for v, scale in zip(points.T, scales, strict=True)]
    )
    at = at / np.maximum(np.ptp(at, axis=0), 1e-12)
    order, left = [int(np.argmin(at[:, 0]))], set(range(len(at)))
    while left := left - {order[-1]}:
        order.append(min(left, key=lambda i: float(np.sum((at[i] - at[order[-1]]) ** 2))))
    return points[order]


def _first_change(
    holds: Callable[[float, float], Any], steps: np.ndarray, fixed: float, axis: int
) -> float:
    """The place of the first change along the steps of one axis, the other coordinate fixed, by
    bisection; NaN if there is none."""

    def there(value: float) -> bool:
        return bool(holds(value, fixed) if axis == 0 else holds(fixed, value))

    first = there(float(steps[0]))
    later = next((i for i, value in enumerate(steps.tolist()) if there(value) != first), None)
    if later is None:
        return np.nan
    low, high = float(steps[later - 1]), float(steps[later])
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if there(middle) == first else (low, middle)
    return 0.5 * (low + high)
