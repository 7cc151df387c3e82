"""Paths and arrows over the level lines of a function of two variables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from theory_lab.core import Experiment
from theory_lab.report.plots import style
from theory_lab.report.plots.looks import Looks
from theory_lab.report.plots.material import Material
from theory_lab.report.plots.quantities import Quantity, read

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

GRID, LEVELS, MARGIN = 41, 12, 0.12


@dataclass(frozen=True)
class Way:
    """Points (k, 2) of the first record, joined; as an arrow from the first to the last if so."""

    label: str
    points: Quantity
    arrow: bool = False


@dataclass(frozen=True)
class Plane:
    """Ways in the plane, over `height(facts, points)` for points (n, 2)."""

    experiment: Experiment
    ways: Sequence[Way]
    height: Callable[[Mapping[str, Any], np.ndarray], np.ndarray]
    xlabel: str
    ylabel: str
    zlabel: str
    where: Mapping[str, Any] = field(default_factory=dict)
    title: str = ""

    def table(self, material: Material) -> pd.DataFrame:
        import pandas as pd

        record = material.of(self.experiment, self.where)[0]
        ways = {way.label: np.asarray(read(way.points, record), dtype=float) for way in self.ways}
        rows = [(label, "measured", *point, np.nan) for label, at in ways.items() for point in at]
        every = np.vstack([*ways.values(), np.zeros((1, 2))])
        low, high = every.min(axis=0), every.max(axis=0)
        axes = np.linspace(low - MARGIN * (high - low), high + MARGIN * (high - low), GRID)
        grid = np.stack(np.meshgrid(*axes.T, indexing="ij"), axis=-1).reshape(-1, 2)
        heights = self.height(record.facts, grid)
        rows += [("", "grid", *at, z) for at, z in zip(grid, heights, strict=True)]
        return pd.DataFrame(rows, columns=["series", "shown", "x", "y", "z"])

    def draw(self, axes: Axes, table: pd.DataFrame, looks: Looks) -> list[Line2D]:
        axes.set(xlabel=self.xlabel, ylabel=self.ylabel, title=self.title)
        axes.grid(visible=False)
        grid = table[table["shown"] == "grid"].pivot(index="y", columns="x", values="z")
        levels = np.linspace(0, np.sqrt(grid.to_numpy().max()), LEVELS) ** 2
        filled = axes.contourf(
            grid.columns, grid.index, grid, levels=levels, cmap="Greys", alpha=0.6
        )
        axes.figure.colorbar(filled, ax=axes, label=self.zlabel, format="%.2g")
        for zero in (axes.axhline, axes.axvline):
            zero(0, color="0.3", linewidth=0.9, zorder=1)
        arrows = {way.label for way in self.ways if way.arrow}
        shown = table[table["shown"] == "measured"]
        handles = []
        for label in shown["series"].drop_duplicates():
            at, look = shown[shown["series"] == label][["x", "y"]].to_numpy(), looks.series(label)
            axes.plot(*at.T, **look, markevery=max(1, len(at) // 12), zorder=3)
            if label in arrows:
                axes.annotate(
                    "", at[-1], at[0], arrowprops=dict(arrowstyle="->", color=look["color"], lw=2)
                )
            handles.append(looks.handle(label))
        style.tidy(axes)
        return handles
