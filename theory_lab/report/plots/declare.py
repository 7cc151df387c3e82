"""A figure: an id, a caption, the claims it serves, and its panels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from theory_lab.core import Claim
from theory_lab.report.plots.looks import Looks
from theory_lab.report.plots.material import Material, NothingToDraw

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas
    from matplotlib.lines import Line2D


class Panel(Protocol):
    """One pair of axes. What is drawn is the table, and nothing else."""

    def table(self, material: Material) -> pd.DataFrame: ...

    def draw(self, axes: Axes, table: pd.DataFrame, looks: Looks) -> list[Line2D]:
        """Draw the table; returns the entries of the legend."""


@dataclass(frozen=True)
class Figure:
    """What a study declares under `figures`. `plot`: one panel, or several side by side.

    `note` stands above the legend; `columns` is the number of panels in a row.
    """

    id: str
    caption: str
    claims: Sequence[Claim | str]
    plot: Panel | Sequence[Panel]
    note: str = ""
    columns: int = 3

    @property
    def claim_ids(self) -> tuple[str, ...]:
        return tuple(claim if isinstance(claim, str) else claim.id for claim in self.claims)

    @property
    def panels(self) -> Sequence[Panel]:
        return self.plot if isinstance(self.plot, Sequence) else [self.plot]

    def draw(self, material: Material) -> tuple[Canvas, pd.DataFrame]:
        """The drawing, and the table of what it shows. NothingToDraw if records are missing."""
        from theory_lab.report.plots import style

        tables = [rounded(panel.table(material)) for panel in self.panels]
        if not any(len(table) for table in tables):
            raise NothingToDraw("None of its claims has a case inside the conditions.")
        with style.settings():
            canvas, axes = style.canvas(len(tables), self.columns)
            handles: dict[str, Line2D] = {}
            looks = Looks()
            for panel, pair, table in zip(self.panels, axes, tables, strict=True):
                handles |= {str(h.get_label()): h for h in panel.draw(pair, table, looks)}
            style.legend(canvas, list(handles.values()), self.note)
        return canvas, _joined(tables)


def _joined(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    if len(tables) == 1:
        return tables[0]
    return pd.concat([t.assign(panel=i) for i, t in enumerate(tables, 1)], ignore_index=True)


def rounded(table: pd.DataFrame) -> pd.DataFrame:
    """Numbers with 4 significant digits, so that the figure and its CSV are the same."""
    return table.map(_rounded)


def _rounded(value: Any) -> Any:
    if isinstance(value, float | np.floating) and np.isfinite(value):
        # By way of 12 digits, so that rounding noise does not decide ties such as 0.015625.
        return float(f"{float(f'{value:.12g}'):.4g}")
    return value
