"""Medians of alternating runs, ratios with their spread, and the lines of the table."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """One line of the table: what was timed, the figure, and what it should be."""

    what: str
    figure: str
    target: str = ""


def timed(work: Callable[[], object], times: int) -> Callable[[], float]:
    """Wall time of one of `times` calls in a row, as a descent makes them: caches are warm."""

    def call() -> float:
        begin = time.perf_counter()
        for _ in range(times):
            work()
        return (time.perf_counter() - begin) / times

    return call


def alternate(
    ours: Callable[[], object], theirs: Callable[[], object], rounds: int, times: int = 1
) -> list[tuple[float, float]]:
    """Pairs (our seconds, their seconds) of alternating runs of `times` calls, after a warm-up."""
    first, second = timed(ours, times), timed(theirs, times)
    first(), second()
    return [(first(), second()) for _ in range(rounds)]


def median(times: list[float], unit: float = 1e-3, name: str = "ms") -> str:
    """A median with its unit."""
    return f"{statistics.median(times) / unit:.3g} {name}"


def ratio(quotients: list[float]) -> str:
    """The median of quotients of paired runs, and their range."""
    return f"{statistics.median(quotients):.3g} ({min(quotients):.3g} to {max(quotients):.3g})"


Benchmarks = list[tuple[str, Callable[[], list[Line]]]]
"""Titles, and the functions that time and return their lines."""
