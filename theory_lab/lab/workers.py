"""Worker processes, each with a pipe of its own: one that dies or hangs takes nothing along."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Generator, Iterator
from multiprocessing import connection, resource_tracker
from pathlib import Path

from theory_lab.core import TheoryLabError
from theory_lab.lab import worker
from theory_lab.lab.clock import Clock
from theory_lab.lab.plan import Cell

_SPAWN = multiprocessing.get_context("spawn")
_PATIENCE = 0.25
"""Seconds between two looks at the clock."""


Crew = list["_Worker"]


@contextlib.contextmanager
def crew() -> Iterator[Crew]:
    """Room for workers, who are gone when this ends, however it ends. They serve one study after the
    other, so that what they have imported is imported once."""
    members: Crew = []
    try:
        yield members
    finally:
        for one in members:
            one.stop()


def measure_all(
    members: Crew,
    file: Path,
    waiting: deque[Cell],
    jobs: int,
    device: str,
    timeout: float,
    clock: Clock,
) -> Generator[tuple[Cell, worker.Result]]:
    """Results as they arrive, until nothing waits or the clock has run out."""
    _dismiss(members, [one for one in members if one.folder != file.parent])
    try:
        while not clock.is_over and (_are_busy(members) or _may_begin(waiting, clock)):
            busy = sum(one.cell is not None for one in members)
            while len(members) < min(jobs, busy + len(waiting)):
                members.append(_Worker(file.parent))
            for one in members:
                if one.is_idle and _may_begin(waiting, clock):
                    one.give(file, waiting.popleft(), device)
            _wait(members, clock.end)
            for one in list(members):
                cell, result = one.cell, one.listen(timeout)
                if one.is_gone:
                    members.remove(one)
                if cell is not None and result is not None:
                    clock.note(cell, one.seconds)
                    yield cell, result
    finally:  # nobody waits for the cells that are not done
        _dismiss(members, [one for one in members if one.cell is not None])


def _dismiss(members: Crew, some: Crew) -> None:
    for one in some:
        one.stop()
        members.remove(one)


def _are_busy(members: Crew) -> bool:
    return any(one.cell is not None for one in members)


def _may_begin(waiting: deque[Cell], clock: Clock) -> bool:
    return bool(waiting) and clock.allows(waiting[0])


def _wait(members: Crew, end: float) -> None:
    """Until a worker has something to say or has ended, but not for long."""
    pipes = [one.pipe for one in members]
    ends = [one.process.sentinel for one in members]
    connection.wait([*pipes, *ends], timeout=max(0.0, min(_PATIENCE, end - time.monotonic())))


class _Worker:
    """A process that measures one cell at a time; `cell` is the one it has.

    It serves the studies of one `folder`: what they import by name lies beside them.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cell: Cell | None = None
        self.is_gone = False
        self._is_ready = False
        self._begun = 0.0
        self.pipe, theirs = _SPAWN.Pipe()
        self.process = _SPAWN.Process(target=worker.serve, args=(theirs, os.getpid()))
        with _interrupts_held():
            self.process.start()
        theirs.close()

    @property
    def is_idle(self) -> bool:
        return self._is_ready and self.cell is None

    @property
    def seconds(self) -> float:
        """Since it was given its last cell."""
        return time.monotonic() - self._begun

    def give(self, file: Path, cell: Cell, device: str) -> None:
        self.cell, self._begun = cell, time.monotonic()
        with contextlib.suppress(OSError):  # if it has just died, listen() says so
            self.pipe.send((file, cell, device))

    def listen(self, timeout: float) -> worker.Result | None:
        """How its cell ended, if it did."""
        if self.pipe.poll() or not self.process.is_alive():
            return self._answer()
        if self.cell is not None and self.seconds > timeout:
            self.stop()
            detail = f"The cell took longer than {timeout:g} s (--timeout)."
            return worker.Trouble("timed out", detail)
        return None

    def _answer(self) -> worker.Result | None:
        try:
            message = self.pipe.recv()
        except (EOFError, OSError):
            return self._ended()
        if message is None:
            self._is_ready = True
        else:
            self.cell = None
        return message

    def _ended(self) -> worker.Result | None:
        self.process.join()
        detail = f"The worker process ended with exit code {self.process.exitcode}."
        self.stop()
        if not self._is_ready:
            raise TheoryLabError(f"{detail[:-1]} before it began; try --jobs 0.")
        return worker.Trouble("crashed", detail)

    def stop(self) -> None:
        if not self.is_gone:
            self.is_gone = True
            self.process.kill()
            self.process.join()
            self.process.close()
            self.pipe.close()


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C is for this process: what starts meanwhile inherits that it is held back."""
    resource_tracker.ensure_running()  # its start would let go of the signals held here
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
