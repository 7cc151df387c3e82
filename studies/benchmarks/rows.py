"""The lines of a calibration."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """One line: the figure in `unit`, and what stands beside it."""

    section: str
    what: str
    value: float | None
    unit: str
    beside: str = ""

    @property
    def figure(self) -> str:
        return "not measured" if self.value is None else f"{self.value:.4g} {self.unit}".rstrip()
