"""How figures look: readable in grey, the same bytes on every run."""

from __future__ import annotations

import io
import math
import re
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure as Canvas
    from matplotlib.lines import Line2D
    from PIL.Image import Image

Limits = tuple[float | None, float | None]

DPI = 160
COLOURS_KEPT = 96
"""Colours of the palette that a PNG keeps, anti-aliasing included."""

CLOSE = 1.1
"""Within this factor, values on a logarithmic axis stand at one place."""
SHORT = 150
"""Ratio of the ends up to which a logarithmic axis is short."""

NARROW = 4
"""Ratio of the ends up to which it has too few places at 1, 2, 5."""

ROW, LINE = 3.4, 0.2
"""Inches of a row of panels with its share of the legend, and of a line of text."""

LEGEND_ROWS = 2
"""Rows of a legend that a figure has room for."""

LETTERS_PER_INCH, HEADING_LETTERS_PER_INCH = 10.5, 12
"""About how many letters of a legend, with its gaps, and of a heading stand in an inch."""

ROOM = 0.04
"""Share of an axis beyond the data at the end that a panel leaves open."""

SPARSITIES = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999)
"""Ticks of an axis of sparsities."""

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


def canvas(panels: int, columns: int = 3, wide: bool = False) -> tuple[Canvas, list[Axes]]:
    """An empty figure with that many axes, in rows of at most `columns`; a `wide` one has the width
    of two panels at least."""
    from matplotlib.figure import Figure as Canvas

    columns = min(columns, panels)
    rows = -(-panels // columns)
    width = {1: 8.6 if wide else 6.2, 2: 8.6}.get(columns, 10.4)
    figure = Canvas(figsize=(width, ROW * rows), dpi=DPI, layout="constrained")
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


def widen(axes: Axes) -> None:
    """Room on both sides where all points stand at one x: on scales that are not linear hardly any
    is left of itself, and no tick falls into it."""
    low, high = axes.dataLim.intervalx
    if axes.get_xscale() == "log" and high < CLOSE * low:
        axes.set_xlim(low / CLOSE**3, high * CLOSE**3)
    elif axes.get_xscale() == "function":
        left = _log_left(np.array([low, high]))
        if left[1] - left[0] < math.log(CLOSE):
            axes.set_xlim(*_sparsity(left + np.array([-3, 3]) * math.log(CLOSE)))


def tidy(axes: Axes, counts: bool = False) -> None:
    """Ticks at 1, 2, 5: on linear axes, at whole numbers where x `counts`; on logarithmic ones, over
    short ranges, with labels that do not run into each other."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    for axis, limits in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
        if axis.get_scale() == "linear":
            whole = counts and axis is axes.xaxis
            axis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10], integer=whole))
        elif axis.get_scale() == "log":
            axis.set_minor_formatter(NullFormatter())
            if max(limits) < NARROW * min(limits):
                axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
                axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            elif max(limits) < SHORT * min(limits):
                axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
                axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def scale(axes: Axes, x: str, y: str) -> None:
    """Scales of both axes: linear, log, or "sparsity", on which equal steps multiply the share of the
    weights that is left."""
    for axis, name, place in ((axes.xaxis, x, axes.set_xscale), (axes.yaxis, y, axes.set_yscale)):
        if name == "sparsity":
            place("function", functions=(_log_left, _sparsity))
            _tidy_sparsities(axis)
        else:
            place(name)


def _log_left(sparsity: np.ndarray) -> np.ndarray:
    """-log of the share that is left; finite, so that an axis may end anywhere."""
    return -np.log(np.maximum(1 - np.asarray(sparsity, dtype=float), 1e-12))


def _sparsity(log_left: np.ndarray) -> np.ndarray:
    return 1 - np.exp(-np.asarray(log_left, dtype=float))


def _tidy_sparsities(axis: Axis) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter

    axis.set_major_locator(FixedLocator(SPARSITIES))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def heading(figure: Canvas, text: str) -> None:
    """A line above all panels, broken where the figure ends."""
    if text:
        letters = int(figure.get_figwidth() * HEADING_LETTERS_PER_INCH)
        lines = textwrap.wrap(text, letters)
        figure.suptitle("\n".join(lines), fontsize=10.5, parse_math=False)
        _heighten(figure, len(lines))


def legend(figure: Canvas, handles: Sequence[Line2D], note: str = "") -> None:
    """One legend below all axes, outside of the data."""
    if not handles:
        return
    longest = max(_letters(str(handle.get_label())) for handle in handles)
    room = figure.get_figwidth() * LETTERS_PER_INCH
    columns = max(1, min(len(handles), 4, int(room // (longest + 9))))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, title=note or None,
                  title_fontsize=9.5)  # fmt: skip
    _heighten(figure, max(0, -(-len(handles) // columns) - LEGEND_ROWS))


def _heighten(figure: Canvas, lines: int) -> None:
    """Room for more lines of text, so that the panels keep theirs."""
    figure.set_figheight(figure.get_figheight() + lines * LINE)


def _letters(label: str) -> int:
    """About how many letters wide a label is once its TeX is set."""
    return len(re.sub(r"[${}^_\\\s]", "", re.sub(r"\\[A-Za-z]+|\\,", "x", label)))


def png(figure: Canvas) -> bytes:
    """The figure as a PNG with a small palette and no metadata: same figure, same bytes."""
    from PIL import Image as images

    raw, small = io.BytesIO(), io.BytesIO()
    with settings():
        figure.savefig(raw, format="png", dpi=DPI, metadata={"Software": None})
    raw.seek(0)
    with images.open(raw) as image:
        few = _few_colours(image.convert("RGB"))
    few.save(small, format="PNG", optimize=True)
    return small.getvalue()


def _few_colours(image: Image) -> Image:
    """The image with COLOURS_KEPT colours. Those that cover most keep the colour of a single marker;
    the mean of the pixels that each stands for then makes greys grey again."""
    from PIL.Image import Dither, Quantize

    few = image.quantize(COLOURS_KEPT, method=Quantize.MAXCOVERAGE, dither=Dither.NONE)
    place = np.asarray(few).ravel()
    count = np.maximum(np.bincount(place, minlength=COLOURS_KEPT), 1)
    sums = [
        np.bincount(place, weights=colour.ravel(), minlength=COLOURS_KEPT)
        for colour in np.moveaxis(np.asarray(image), -1, 0)
    ]
    few.putpalette(np.round(np.stack(sums, axis=1) / count[:, None]).astype(np.uint8).tobytes())
    return few
