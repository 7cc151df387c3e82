"""What tells series apart: each has a colour, a marker and a line style of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.lines import Line2D

COLOURS = ("#10243e", "#cc4a10", "#1c5f86", "#a88400", "#6a1f7a", "#4a9a4a", "#a3324f", "#777777")
"""Neighbours differ in grey too."""

MARKERS = ("o", "s", "^", "D", "v", "X", "P", "*", "<", "p", ">", "h", "d")
"""More than colours, so that a colour comes back with another marker."""
DASHES: tuple[Any, ...] = (
    "-", "--", "-.", ":", (0, (7, 1.5)), (0, (3, 1, 1, 1)), (0, (5, 1, 1, 1, 1, 1)), (0, (1, 2.5)),
)  # fmt: skip
MARK_DASHES: tuple[Any, ...] = ((0, (9, 3)), (0, (2, 2)), (0, (9, 2, 2, 2)), (0, (4, 4)))
MARK_COLOUR = "0.25"
PUBLISHED_MARKERS = ("o", "s", "^", "D", "v", "p", "h", "<", ">")
PUBLISHED_COLOUR = "0.45"


class Looks:
    """Looks by label, in the order in which labels come: the same label looks the same in every
    panel of a figure, and no two labels look alike."""

    def __init__(self) -> None:
        self._series: dict[str, int] = {}
        self._marks: dict[str, int] = {}
        self._published: dict[str, int] = {}

    def series(self, label: str) -> dict[str, Any]:
        """Colour, marker and line style of a series."""
        number = self._series.setdefault(label, len(self._series))
        place = number % len(COLOURS)
        dash = DASHES[(place + number // len(COLOURS)) % len(DASHES)]
        return dict(
            color=COLOURS[place],
            marker=MARKERS[number % len(MARKERS)],
            linestyle=dash,
            markerfacecolor="white" if place % 2 else COLOURS[place],
            markeredgewidth=1.1,
        )

    def mark(self, label: str) -> dict[str, Any]:
        """Colour and line style of a line that is no series: a level, an edge, a boundary."""
        number = self._marks.setdefault(label, len(self._marks))
        dash = MARK_DASHES[number % len(MARK_DASHES)]
        return dict(label=label, color=MARK_COLOUR, linestyle=dash, linewidth=1.3)

    def published(self, label: str) -> dict[str, Any]:
        """Large hollow grey markers without a line: what others published."""
        number = self._published.setdefault(label, len(self._published))
        return dict(
            label=label, color=PUBLISHED_COLOUR, linestyle="none", markersize=8.5,
            marker=PUBLISHED_MARKERS[number % len(PUBLISHED_MARKERS)],
            markerfacecolor="none", markeredgewidth=1.0,
        )  # fmt: skip

    def handle(self, label: str, *, line: bool = True) -> Line2D:
        """The legend's entry of a series."""
        from matplotlib.lines import Line2D

        return Line2D(
            [], [], label=label, **self.series(label) | ({} if line else {"linestyle": "none"})
        )
