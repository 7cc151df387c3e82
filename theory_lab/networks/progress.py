"""The progress bar of a training run, on stderr."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

PATIENCE = 2.0
"""Seconds before a bar is worth showing."""

Show = Callable[[int, Callable[[], str]], None]
"""(steps done, what to say beside the bar)."""


@contextlib.contextmanager
def bar(total: int, shown: bool) -> Iterator[Show]:
    """A bar over `total` steps that appears once two seconds have passed."""
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    display = Progress(*columns, console=Console(stderr=True, highlight=False), transient=True)
    task = display.add_task("", total=total)
    begin, started = time.monotonic(), False

    def show(done: int, describe: Callable[[], str]) -> None:
        nonlocal started
        if started:
            display.update(task, completed=done, description=describe())
        elif shown and time.monotonic() - begin > PATIENCE:
            display.start()
            started = True

    try:
        yield show
    finally:
        if started:
            display.stop()
