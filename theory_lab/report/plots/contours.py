"""Contours of a function of two variables from one record, with its minima."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from theory_lab.core import Experiment
from theory_lab.report.plots import style
from theory_lab.report.plots.looks import Looks
from theory_lab.report.plots.maps import COLOURS
from theory_lab.report.plots.material import Material
from theory_lab.report.plots.quantities import Quantity, read

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

GLOBAL, LOCAL = "global minimum", "other local minimum"


@dataclass(frozen=True)
class Contours:
    """Level lines of z (n, n) over a common axis (n,), the lowest `share` of its range.

    `minima` gives points (k, 3) of x, y and value; those within `tie` of the least are global.
    """

    experiment: Experiment
    axis: Quantity
    z: Quantity
    minima: Quantity
    xlabel: str
    ylabel: str
    where: Mapping[str, Any] = field(default_factory=dict)
    share: float = 0.25
    levels: int = 14
    tie: float = 1e-6
    title: str = ""

    def table(self, material: Material) -> pd.DataFrame:
        import pandas as pd

        record = material.of(self.experiment, self.where)[0]
        axis = np.asarray(read(self.axis, record), dtype=float)
        z = np.asarray(read(self.z, record), dtype=float)
        rows = [
            ("", "measured", x, y, z[i, j])
            for i, x in enumerate(axis.tolist())
            for j, y in enumerate(axis.tolist())
        ]
        points = np.asarray(read(self.minima, record), dtype=float)
        least = float(points[:, 2].min())
        rows += [
            (GLOBAL if value <= least + self.tie else LOCAL, "minimum", x, y, value)
            for x, y, value in points.tolist()
        ]
        return pd.DataFrame(rows, columns=["series", "shown", "x", "y", "z"])

    def draw(self, axes: Axes, table: pd.DataFrame, looks: Looks) -> list[Line2D]:
        cells = table[table["shown"] == "measured"].pivot(index="y", columns="x", values="z")
        x, y, z = cells.columns.to_numpy(float), cells.index.to_numpy(float), cells.to_numpy(float)
        low = float(z.min())
        # Squares of equal steps: the lines lie close where the bottom is.
        levels = low + self.share * np.ptp(z) * np.linspace(0, 1, self.levels) ** 2
        axes.contour(x, y, z, levels=levels, cmap=f"{COLOURS}_r", linewidths=0.9)
        axes.axhline(0, color="0.8", linewidth=0.8, zorder=0)
        axes.axvline(0, color="0.8", linewidth=0.8, zorder=0)
        handles = []
        for label in (GLOBAL, LOCAL):
            look = looks.series(label) | {"linestyle": "none"}
            rows = table[table["series"] == label]
            axes.plot(rows["x"], rows["y"], **look, zorder=3)
            handles.append(looks.handle(label, line=False))
        axes.set(xlabel=self.xlabel, ylabel=self.ylabel, title=self.title)
        style.tidy(axes)
        return handles
