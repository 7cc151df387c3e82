"""Predicted against measured: every claim can be shown so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from theory_lab.core import Claim
from theory_lab.core.evidence import Evidence
from theory_lab.report.plots import style
from theory_lab.report.plots.looks import Looks
from theory_lab.report.plots.material import Material

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

MOST_POINTS = 150
"""Points of one claim; more are thinned evenly."""

SPAN = 30
"""Ratio of largest to smallest value from which on the axes are logarithmic."""

DIAGONAL = {"=": "measured = predicted", "<=": "measured ≤ predicted: points below the line",
            ">=": "measured ≥ predicted: points above the line"}  # fmt: skip


@dataclass(frozen=True)
class PredictedMeasured:
    """Every compared entry of the inside cases, against the line measured = predicted."""

    claims: Sequence[Claim]
    xlabel: str = "predicted"
    ylabel: str = "measured"
    title: str = ""

    def table(self, material: Material) -> pd.DataFrame:
        import pandas as pd

        rows = [
            (claim.id, *point)
            for claim in self.claims
            if claim.id in material.evidence
            for point in _points(material.evidence[claim.id])
        ]
        return pd.DataFrame(rows, columns=["series", "predicted", "measured", "low", "high"])

    def draw(self, axes: Axes, table: pd.DataFrame, looks: Looks) -> list[Line2D]:
        scale = _scale(table)
        axes.set(
            xlabel=self.xlabel, ylabel=self.ylabel, title=self.title, xscale=scale, yscale=scale
        )
        handles = []
        for label in table["series"].drop_duplicates():
            rows = table[table["series"] == label]
            # A panel of one claim says in its title what its markers are.
            look = looks.series("" if len(self.claims) == 1 else label) | {"linestyle": "none"}
            bars = [rows["measured"] - rows["low"], rows["high"] - rows["measured"]]
            wide = bool((rows["high"] > rows["low"]).any())
            axes.errorbar(rows["predicted"], rows["measured"], yerr=np.maximum(bars, 0) if wide else None,
                          capsize=2, elinewidth=0.9, **look)  # fmt: skip
            if len(self.claims) > 1:
                handles.append(looks.handle(label, line=False))
        if len(table):
            handles.append(self._diagonal(axes, table, looks))
        if scale == "log":
            axes.set_ylim(bottom=_bottom(table))
        style.tidy(axes)
        return handles

    def _diagonal(self, axes: Axes, table: pd.DataFrame, looks: Looks) -> Line2D:
        relations = {claim.relation for claim in self.claims}
        text = DIAGONAL[relations.pop()] if len(relations) == 1 else DIAGONAL["="]
        at = table[["predicted", "measured"]].to_numpy(float)
        ends = [np.nanmin(at), np.nanmax(at)]
        (line,) = axes.plot(ends, ends, **looks.mark(text), zorder=1)
        return line


def _points(evidence: Evidence) -> list[tuple[float, float, float, float]]:
    """predicted, measured, low, high of all finite entries, thinned."""
    found: list[Any] = []
    for one in evidence.inside:
        assert one.comparison is not None
        c = one.comparison
        entries = np.column_stack(
            [v.ravel() for v in (c.predicted, 0.5 * (c.low + c.high), c.low, c.high)]
        )
        size = np.abs(c.scale).ravel()
        near_zero = np.abs(entries) < 1e-9 * size[:, None]
        found.append(np.where(near_zero, 0.0, entries)[c.finite.ravel()])
    points = np.vstack(found) if found else np.empty((0, 4))
    if len(points) > MOST_POINTS:
        points = points[np.linspace(0, len(points) - 1, MOST_POINTS).round().astype(int)]
    return [(p, m, low, high) for p, m, low, high in points.tolist()]


def _scale(table: pd.DataFrame) -> str:
    predicted = table["predicted"].to_numpy(float)
    wide = bool(predicted.size) and predicted.max() > SPAN * predicted.min()
    return "log" if wide and predicted.min() > 0 and table["measured"].min() >= 0 else "linear"


def _bottom(table: pd.DataFrame) -> float:
    """Below a thousandth of the least prediction nothing is to be seen."""
    least = 1e-3 * float(table["predicted"].min())
    return max(least, 0.7 * float(table["measured"][table["measured"] > 0].min()))
