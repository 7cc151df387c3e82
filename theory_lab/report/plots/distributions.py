"""Histograms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from theory_lab.report.plots import style
from theory_lab.report.plots.beside import Mark
from theory_lab.report.plots.curves import Series, split_all
from theory_lab.report.plots.looks import Looks
from theory_lab.report.plots.material import Material
from theory_lab.report.plots.quantities import read

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D


@dataclass(frozen=True)
class Histogram:
    """How many entries of y lie in each of `bins` equal bins, a mean over runs (rows of y).

    `marks` are vertical: thresholds on the axis of the entries.
    """

    series: Sequence[Series]
    xlabel: str
    ylabel: str
    bins: int = 40
    yscale: str = "linear"
    title: str = ""
    marks: Sequence[Mark] = ()

    def table(self, material: Material) -> pd.DataFrame:
        import pandas as pd

        split = split_all(self.series, material)
        values = {
            series.label: np.vstack([np.atleast_2d(read(series.y, r)) for r in records])
            for series, records in split
        }
        largest = max(float(entries.max()) for entries in values.values())
        edges = np.linspace(0.0, largest * (1 + 1e-6), self.bins + 1)
        rows = [
            (label, float(left), float(right), count / len(entries))
            for label, entries in values.items()
            for left, right, count in zip(
                edges, edges[1:], np.histogram(entries, edges)[0].tolist(), strict=False
            )
        ]
        facts = split[0][1][0].facts
        for mark in self.marks:
            rows.append((mark.label, mark.place(facts), np.nan, np.nan))
        return pd.DataFrame(rows, columns=["series", "left", "right", "count"])

    def draw(self, axes: Axes, table: pd.DataFrame, looks: Looks) -> list[Line2D]:
        axes.set(xlabel=self.xlabel, ylabel=self.ylabel, title=self.title, yscale=self.yscale)
        handles = []
        is_mark = table["right"].isna()
        for label in table["series"][~is_mark].drop_duplicates():
            rows, look = table[table["series"] == label], looks.series(label)
            filled = rows[rows["count"] > 0]
            centres, widths = (
                0.5 * (filled["left"] + filled["right"]),
                filled["right"] - filled["left"],
            )
            axes.bar(centres, filled["count"], widths, color=(look["color"], 0.2),
                     edgecolor=look["color"], linestyle=look["linestyle"])  # fmt: skip
            axes.plot(centres, filled["count"], **look | {"linestyle": "none"})
            handles.append(looks.handle(label))
        for row in table[is_mark].itertuples():
            handles.append(axes.axvline(row.left, **looks.mark(row.series)))
        style.tidy(axes)
        return handles
