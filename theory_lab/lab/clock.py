"""The deadline of a run: no cell begins that would hardly end in time."""

from __future__ import annotations

import time

from theory_lab.lab.plan import Cell

RESERVE = 1.3
"""A cell is expected to take this many times as long as the last one of its experiment."""


class Clock:
    """Runs until the monotonic time `end`, and remembers how long the cells took."""

    def __init__(self, end: float) -> None:
        self.end = end
        self._last: dict[str, float] = {}

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self.end

    def note(self, cell: Cell, seconds: float) -> None:
        """A cell has ended after so many seconds."""
        self._last[cell.experiment] = seconds

    def allows(self, cell: Cell) -> bool:
        """Whether this cell may begin now."""
        return time.monotonic() + RESERVE * self._last.get(cell.experiment, 0.0) < self.end
