"""A figure: an id, a caption, the claims it serves, and its panels."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from theory_lab.core import Claim, Record
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

    `note` stands above the legend; `columns` is the number of panels in a row;
    a single panel that is `wide` takes the room of two.

    `each` makes a version of the figure for every combination of values of these parameters in the
    cases of its claims, from those cases alone, without the series and panels that have no record
    there; the values join the id. `setting` says from the facts of a version what it was measured
    on, and by how much work; it stands above the panels and before the caption.
    """

    id: str
    caption: str
    claims: Sequence[Claim | str]
    plot: Panel | Sequence[Panel]
    note: str = ""
    columns: int = 3
    wide: bool = False
    each: Sequence[str] = ()
    setting: Callable[[Mapping[str, Any]], str] | None = None
    heading: str = ""

    @property
    def claim_ids(self) -> tuple[str, ...]:
        return tuple(claim if isinstance(claim, str) else claim.id for claim in self.claims)

    @property
    def panels(self) -> Sequence[Panel]:
        return self.plot if isinstance(self.plot, Sequence) else [self.plot]

    def versions(self, material: Material) -> list[tuple[Figure, Material]]:
        """The figure with what it is drawn from; several with `each`, if there are records."""
        if not self.each:
            return [(self, material)]
        parts = material.split(self.each, self.claim_ids)
        versions = [(self._version(part.records[0]), part) for part in parts]
        return versions or [(self, replace(material, records=(), partial=True))]

    def _version(self, record: Record) -> Figure:
        values = [re.sub(r"[^\w.-]+", "_", str(record.params[name])) for name in self.each]
        setting = self.setting(record.facts) if self.setting else ", ".join(values)
        return replace(
            self,
            id=".".join([self.id, *values]),
            caption=f"{setting}. {self.caption}",
            heading=setting,
            each=(),
        )

    def measured_at(self, place: str, device: str) -> Figure:
        """The figure of records of another machine; `place` joins the id."""
        where = f"Measured on {device}"
        return replace(
            self,
            id=f"{self.id}.{place}",
            caption=f"{self.caption} {where}.",
            heading=f"{self.heading}. {where}" if self.heading else where,
        )

    def draw(self, material: Material) -> tuple[Canvas, pd.DataFrame]:
        """The drawing, and the table of what it shows. NothingToDraw if records are missing."""
        from theory_lab.report.plots import style

        panels = list(self._tables(material))
        if not panels:
            raise NothingToDraw("There is no record of its cases.")
        if not any(len(table) for _, table in panels):
            raise NothingToDraw("None of its claims has a case inside the conditions.")
        with style.settings():
            canvas, axes = style.canvas(len(panels), self.columns, self.wide)
            handles: dict[str, Line2D] = {}
            looks = Looks()
            for (panel, table), pair in zip(panels, axes, strict=True):
                handles |= {str(h.get_label()): h for h in panel.draw(pair, table, looks)}
            style.heading(canvas, self.heading)
            style.legend(canvas, list(handles.values()), self.note)
        return canvas, _joined([table for _, table in panels])

    def _tables(self, material: Material) -> Iterator[tuple[Panel, pd.DataFrame]]:
        """What each panel shows; of a partial material without the panels that have no record."""
        for panel in self.panels:
            try:
                yield panel, rounded(panel.table(material))
            except NothingToDraw:
                if not material.partial:
                    raise


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
