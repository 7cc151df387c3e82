"""How figures look: readable in grey, the same bytes on every run."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure as Canvas
    from matplotlib.lines import Line2D

Limits = tuple[float | None, float | None]

DPI = 160
COLOURS_KEPT = 96
"""Colours of the palette that a PNG keeps, anti-aliasing included."""

SHORT = 150
"""Ratio of the ends up to which a logarithmic axis is short."""

LETTERS_PER_INCH, HEADING_LETTERS_PER_INCH = 10.5, 12
"""About how many letters of a legend, with its gaps, and of a heading stand in an inch."""

ROOM = 0.04
"""Share of an axis beyond the data at the end that a panel leaves open."""

SHARES = (0.01, 0.1, 0.2, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999)
"""Ticks of an axis of shares."""

_SETTINGS: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.labelsize": 10.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "0.9",
    "grid.linewidth": 0.7,
    "lines.linewidth": 1.5,
    "lines.markersize": 5.0,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "legend.handlelength": 3.2,
    "mathtext.fontset": "dejavusans",
    "axes.formatter.use_mathtext": True,
}


@contextmanager
def settings() -> Iterator[None]:
    """matplotlib's own defaults and ours, whatever the user's matplotlibrc says."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)
        yield


def canvas(panels: int, columns: int = 3, height: float = 3.4) -> tuple[Canvas, list[Axes]]:
    """An empty figure with that many axes, in rows of at most `columns`."""
    from matplotlib.figure import Figure as Canvas

    columns = min(columns, panels)
    rows = -(-panels // columns)
    width = {1: 6.2, 2: 8.6}.get(columns, 10.4)
    figure = Canvas(figsize=(width, height * rows), dpi=DPI, layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for spare in axes[panels:]:
        spare.set_visible(False)
    return figure, list(axes[:panels])


def limit(axes: Axes, x: Limits, y: Limits) -> None:
    """Limits of both axes; beyond an end that is not given there is room for its markers."""
    for (low, high), scale, ends, data, place in (
        (x, axes.get_xscale(), axes.get_xlim(), axes.dataLim.intervalx, axes.set_xlim),
        (y, axes.get_yscale(), axes.get_ylim(), axes.dataLim.intervaly, axes.set_ylim),
    ):
        bottom = ends[0] if low is None else low
        top = ends[1] if high is None else high
        room = ROOM * (top - bottom) if scale == "linear" else 0.0
        if low is None and high is not None:
            bottom = min(bottom, data[0] - room)
        if high is None and low is not None:
            top = max(top, data[1] + room)
        place(bottom, top)


def tidy(axes: Axes, counts: bool = False) -> None:
    """Ticks at 1, 2, 5: on linear axes, at whole numbers where x `counts`; on logarithmic ones, over
    short ranges, with labels that do not run into each other."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    for axis, limits in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
        if axis.get_scale() == "linear":
            whole = counts and axis is axes.xaxis
            axis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10], integer=whole))
        elif axis.get_scale() == "logit":
            _tidy_shares(axis)
        elif axis.get_scale() == "log":
            axis.set_minor_formatter(NullFormatter())
            if max(limits) < SHORT * min(limits):
                axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
                axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _tidy_shares(axis: Axis) -> None:
    """Ticks of an axis of shares between 0 and 1, both ends stretched."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    axis.set_minor_locator(NullLocator())
    axis.set_major_locator(FixedLocator(SHARES))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def heading(figure: Canvas, text: str) -> None:
    """A line above all panels, broken where the figure ends."""
    if text:
        letters = int(figure.get_figwidth() * HEADING_LETTERS_PER_INCH)
        figure.suptitle("\n".join(textwrap.wrap(text, letters)), fontsize=10.5, parse_math=False)


def legend(figure: Canvas, handles: Sequence[Line2D], note: str = "") -> None:
    """One legend below all axes, outside of the data."""
    if not handles:
        return
    longest = max(_letters(str(handle.get_label())) for handle in handles)
    room = figure.get_figwidth() * LETTERS_PER_INCH
    columns = max(1, min(len(handles), 4, int(room // (longest + 9))))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, title=note or None,
                  title_fontsize=9.5)  # fmt: skip


def _letters(label: str) -> int:
    """About how many letters wide a label is once its TeX is set."""
    return len(re.sub(r"[${}^_\\\s]", "", re.sub(r"\\[A-Za-z]+|\\,", "x", label)))


def png(figure: Canvas) -> bytes:
    """The figure as a PNG with a small palette and no metadata: same figure, same bytes."""
    from PIL import Image

    raw, small = io.BytesIO(), io.BytesIO()
    with settings():
        figure.savefig(raw, format="png", dpi=DPI, metadata={"Software": None})
    raw.seek(0)
    with Image.open(raw) as image:
        palette = image.convert("RGB").quantize(COLOURS_KEPT, dither=Image.Dither.NONE)
    palette.save(small, format="PNG", optimize=True)
    return small.getvalue()
