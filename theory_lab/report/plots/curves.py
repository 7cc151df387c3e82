"""Curves against a swept parameter or along a path, with the theory's lines through them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from theory_lab.core import Experiment, Record
from theory_lab.report.plots import style
from theory_lab.report.plots.beside import Beside, Facts, Panorama
from theory_lab.report.plots.looks import Looks
from theory_lab.report.plots.material import Material, NothingToDraw
from theory_lab.report.plots.quantities import Quantity, ends, is_there, read

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

Formula = Callable[[Facts, float], Any]

LINE_POINTS, MARKERS_ON_PATH, POINTS_ON_PATH = 121, 14, 120

COLUMNS = ["series", "shown", "x", "y", "low", "high"]
OWN = ("measured", "predicted")
"""What a series shows; the rest stands beside them."""


@dataclass(frozen=True)
class Geometric:
    """y falls by the factor `rate(facts)` at each step, from the first point below `below`."""

    rate: Callable[[Facts], float]
    below: float = np.inf

    def __call__(self, facts: Facts, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        anchor = int(np.argmax(y < self.below))
        line = y[anchor] * np.asarray(self.rate(facts), dtype=float) ** (x - x[anchor])
        return np.where(x >= x[anchor], line, np.nan)


@dataclass(frozen=True)
class Series:
    """Measured points, and the theory's `line(facts, x)`, one x at a time, through them.

    With a scalar `x` (a parameter) every value of x is one point: the mean of y over runs and
    replicates, with a bar of two standard errors, or with the enclosure of a single result. Where x
    is measured, records with the same value of the parameter `point` are one point, at their mean
    x. Where y is a path, x is one of the same length, or, if left out, the number of the entry;
    paths are averaged over runs and replicates. `by` makes one series for each value of a
    parameter, which stands for {} in the label; several parameters have a {} each.
    """

    label: str
    experiment: Experiment
    y: Quantity
    x: Quantity | None = None
    where: Mapping[str, Any] = field(default_factory=dict)
    by: str | Sequence[str] = ""
    line: Formula | Geometric | None = None
    point: str = ""

    def split(self, material: Material) -> Iterator[tuple[Series, list[Record]]]:
        """The series with its records; several with `by`, none where nothing in a partial material
        has what it shows."""
        if material.partial:
            records = [r for r in material.some(self.experiment, self.where) if self._is_in(r)]
        else:
            records = material.of(self.experiment, self.where)
        groups: dict[tuple[Any, ...], list[Record]] = {}
        for record in records:
            groups.setdefault(tuple(record.params[name] for name in self._names), []).append(record)
        for values in sorted(groups):
            label = self.label.format(*map(_text, values)) if values else self.label
            yield replace(self, label=label, by=""), groups[values]

    def _is_in(self, record: Record) -> bool:
        return is_there(self.y, record) and (self.x is None or is_there(self.x, record))

    @property
    def _names(self) -> Sequence[str]:
        return [self.by] * bool(self.by) if isinstance(self.by, str) else self.by


def split_all(declared: Sequence[Series], material: Material) -> list[tuple[Series, list[Record]]]:
    """All series of a panel with their records; NothingToDraw if there is none."""
    found = [one for series in declared for one in series.split(material)]
    if not found:
        names = ", ".join(dict.fromkeys(series.experiment.id for series in declared))
        raise NothingToDraw(f"There is no record of {names} among its cases.")
    return found


@dataclass(frozen=True)
class Curves:
    """Series over common axes. What lies outside of `xlim` and `ylim` is left out of the table as
    well: the place to cut off rounding noise. Markers without a theory's line are joined by one,
    unless `joined` is False (where their order means nothing). `marks`: what stands beside them."""

    series: Sequence[Series]
    xlabel: str
    ylabel: str
    xscale: str = "linear"
    yscale: str = "linear"
    xlim: tuple[float | None, float | None] = (None, None)
    ylim: tuple[float | None, float | None] = (None, None)
    marks: Sequence[Beside] = ()
    title: str = ""
    joined: bool = True

    def table(self, material: Material) -> pd.DataFrame:
        import pandas as pd

        rows: list[tuple[Any, ...]] = []
        found = split_all(self.series, material)
        for series, records in found:
            rows += self._series_rows(series, records)
        x = np.array([row[2] for row in rows])
        seen = Panorama(material, found[0][1][0].facts, x, self.xscale)
        for mark in self.marks if rows else ():
            rows += [(*row, np.nan, np.nan) for row in mark.rows(seen)]
        return pd.DataFrame(rows, columns=COLUMNS)

    def _series_rows(self, series: Series, records: list[Record]) -> Iterator[tuple[Any, ...]]:
        is_path = np.ndim(read(series.y, records[0])) > 0 and (
            series.x is None or np.ndim(read(series.x, records[0])) > 0
        )
        points = self._path(series, records) if is_path else _swept(series, records)
        for x, y, low, high in points:
            if self._shown(x, y):
                yield series.label, "measured", x, y, low, high
        for x, y in self._line(series, records, points, is_path):
            if self._shown(x, y):
                yield series.label, "predicted", x, y, np.nan, np.nan

    def _path(self, series: Series, records: list[Record]) -> np.ndarray:
        """Points (n, 4) of the mean path, thinned for the eye; shorter paths keep their end."""
        paths = [_path(series, record) for record in records]
        x = max((x for x, _ in paths), key=len)
        y = np.mean([np.interp(x, own, values) for own, values in paths], axis=0)
        shown = [i for i, (a, b) in enumerate(zip(x, y, strict=True)) if self._shown(a, b)]
        keep = np.array(shown, dtype=int)[self._thinned(x[shown])]
        none = np.full(len(keep), np.nan)
        return np.column_stack([x[keep], y[keep], none, none])

    def _thinned(self, x: np.ndarray) -> np.ndarray:
        """Indices of at most POINTS_ON_PATH points, evenly on the axis."""
        if len(x) <= POINTS_ON_PATH:
            return np.arange(len(x))
        if self.xscale == "log":
            targets = np.geomspace(x[0], x[-1], POINTS_ON_PATH)
            return np.unique(np.searchsorted(x, targets).clip(0, len(x) - 1))
        return np.unique(np.linspace(0, len(x) - 1, POINTS_ON_PATH).astype(int))

    def _line(
        self, series: Series, records: list[Record], points: np.ndarray, is_path: bool
    ) -> Iterator[tuple[float, float]]:
        if series.line is None:
            return
        facts, x = records[0].facts, points[:, 0]
        if isinstance(series.line, Geometric):
            y = series.line(facts, x, points[:, 1])
        else:
            x = x if is_path else self._between(x)
            with np.errstate(all="ignore"):
                y = np.array([float(np.squeeze(series.line(facts, at))) for at in x.tolist()])
        yield from zip(x.tolist(), y.tolist(), strict=True)

    def _between(self, x: np.ndarray) -> np.ndarray:
        """Places for the line: all whole numbers of a short count, else a dense grid."""
        if np.array_equal(x, np.round(x)) and np.ptp(x) < LINE_POINTS:
            return np.arange(x.min(), x.max() + 1)
        space = np.geomspace if self.xscale == "log" else np.linspace
        return np.unique([*space(x.min(), x.max(), LINE_POINTS), *x])

    def _shown(self, x: float, y: float) -> bool:
        shown = _within(x, self.xlim) and _within(y, self.ylim)
        shown &= _on_scale(x, self.xscale) and _on_scale(y, self.yscale)
        return bool(shown and np.isfinite(y))

    def draw(self, axes: Axes, table: pd.DataFrame, looks: Looks) -> list[Line2D]:
        axes.set(xlabel=self.xlabel, ylabel=self.ylabel, title=self.title)
        style.scale(axes, self.xscale, self.yscale)
        handles = []
        for label in table["series"][table["shown"].isin(OWN)].drop_duplicates():
            rows = table[table["series"] == label]
            is_line = self.joined or bool((rows["shown"] == "predicted").any())
            _draw_series(axes, rows, looks.series(label), self.joined)
            handles.append(looks.handle(label, line=is_line))
        handles += _draw_marks(axes, table[~table["shown"].isin(OWN)], looks)
        axes.margins(x=0.04)
        axes.autoscale_view()
        style.widen(axes)
        style.limit(axes, self.xlim, self.ylim)
        measured = table["x"][table["shown"] == "measured"]
        style.tidy(axes, counts=bool((measured == measured.round()).all()))
        return handles


def _draw_series(axes: Axes, rows: pd.DataFrame, look: dict[str, Any], joined: bool) -> None:
    """Markers where it was measured, a line where it was predicted (or, `joined`, through them)."""
    measured, predicted = (rows[rows["shown"] == shown] for shown in ("measured", "predicted"))
    markers = look if joined and predicted.empty else look | {"linestyle": "none"}
    step = max(1, len(measured) // MARKERS_ON_PATH)
    if step > 1:
        axes.plot(measured["x"], measured["y"], **markers, markevery=step, zorder=3)
    else:
        reach = [measured["y"] - measured["low"], measured["high"] - measured["y"]]
        bars = None if measured["low"].isna().all() else np.maximum(np.nan_to_num(reach), 0)
        axes.errorbar(measured["x"], measured["y"], yerr=bars, capsize=2.5, elinewidth=1.1,
                      **markers, zorder=3)  # fmt: skip
    if not predicted.empty:
        axes.plot(predicted["x"], predicted["y"], **look | {"marker": ""}, zorder=2)


def _draw_marks(axes: Axes, table: pd.DataFrame, looks: Looks) -> list[Line2D]:
    """What stands beside the series; returns the entries of the legend."""
    handles = []
    for (label, shown), rows in table.groupby(["series", "shown"], sort=False):
        x, y = rows["x"].to_numpy(), rows["y"].to_numpy()
        if shown == "published":
            handles += axes.plot(x, y, **looks.published(label), zorder=2.5)
        elif shown == "reference":
            handles += axes.plot(x, y, **looks.mark(label), zorder=1)
        else:
            handles.append(
                axes.axhline(y[0], **looks.mark(label))
                if np.isnan(x[0])
                else axes.axvline(x[0], **looks.mark(label))
            )
    return handles


def _on_scale(value: float, scale: str) -> bool:
    """Whether an axis of this scale has a place for the value."""
    return value > 0 if scale == "log" else value < 1 or scale != "sparsity"


def _within(value: float, limits: tuple[float | None, float | None]) -> bool:
    low, high = limits
    return (low is None or value >= low) and (high is None or value <= high)


def _swept(series: Series, records: list[Record]) -> np.ndarray:
    """Points (n, 4): x, mean y and its bar, for each value of the parameter x (or of `point`)."""
    assert series.x is not None
    groups: dict[Any, list[tuple[float, Record]]] = {}
    for record in records:
        x = float(read(series.x, record))
        groups.setdefault(record.params[series.point] if series.point else x, []).append(
            (x, record)
        )
    points = [
        (float(np.mean([x for x, _ in group])), *_pooled(series.y, [record for _, record in group]))
        for group in groups.values()
    ]
    return np.array(sorted(points))


def _pooled(quantity: Quantity, records: list[Record]) -> tuple[float, float, float]:
    values = np.concatenate([np.ravel(read(quantity, record)) for record in records])
    mean = float(values.mean())
    if len(values) > 1:
        reach = 2 * float(values.std(ddof=1)) / np.sqrt(len(values))
        return mean, mean - reach, mean + reach
    return mean, *ends(quantity, records[0])


def _path(series: Series, record: Record) -> tuple[np.ndarray, np.ndarray]:
    """x and y of a path (n,), or of the mean of paths (runs, n)."""
    y = np.asarray(read(series.y, record), dtype=float)
    y = y if y.ndim == 1 else y.mean(axis=0)
    x = np.arange(len(y)) if series.x is None else read(series.x, record)
    return np.asarray(x, dtype=float), y


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
