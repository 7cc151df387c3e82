"""Measure the cells that the ledger does not have, on several processes, one thread each."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from theory_lab.core import Study, UsageError
from theory_lab.lab import catalogue, keys, worker
from theory_lab.lab.clock import Clock
from theory_lab.lab.ledger import Failure, Key, Ledger
from theory_lab.lab.plan import Cell
from theory_lab.lab.workers import Crew, crew, measure_all

ATTEMPTS = 2
"""A cell that fails is tried once more in the same run."""


@dataclass
class Outcome:
    """What a run did with the cells it was asked for."""

    measured: int = 0
    kept: int = 0
    stale: int = 0
    left: int = 0
    failures: list[tuple[Cell, Failure]] = field(default_factory=list)

    @property
    def lacks_data(self) -> bool:
        """Whether a cell could not be measured for want of a data file."""
        return any(failure.kind == worker.NO_DATA for _, failure in self.failures)


@dataclass(frozen=True)
class Settings:
    """How a run is carried out; nothing but the device changes a record.

    The deadline counts from here, for all studies that are run with these settings.
    """

    jobs: int
    deadline: float | None = None
    timeout: float | None = None
    keep_stale: bool = False
    device: str = "cpu"
    begun: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        for name, seconds in (("deadline", self.deadline), ("timeout", self.timeout)):
            if seconds is not None and math.isnan(seconds):
                raise UsageError(f"--{name} is nan, but it must be a number of seconds.")


def default_jobs() -> int:
    """The number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def digests(study: Study) -> dict[str, str]:
    """The digest of each experiment's code by id."""
    return {name: keys.digest(e) for name, e in catalogue.experiments(study).items()}


def key(cell: Cell, code: dict[str, str]) -> Key:
    """The ledger's key of a cell, given the digests of the experiments' code."""
    return Key(cell.experiment, cell.name, code[cell.experiment])


def run(
    file: Path,
    cells: Sequence[Cell],
    ledger: Ledger,
    settings: Settings,
    progress: Callable[[int, int], None] = lambda done, total: None,
    members: Crew | None = None,
) -> Outcome:
    """Measure what is missing. `progress` is called with cells done and cells in all. `members`: of
    a `workers.crew()` that goes on to other studies; by default they come and go.

    Each record is written as it arrives, so that a run that is killed loses only the cells it was
    working on. A cell that crashes or exceeds `settings.timeout` is noted with its traceback.
    UsageError: the study returns something that is no record; what was measured is kept.
    """
    os.environ.update(worker.ONE_THREAD)  # for BLAS libraries that are loaded from here on
    code = digests(catalogue.load(file))
    outcome = Outcome()
    waiting = deque(cell for cell in cells if _is_missing(cell, code, ledger, settings, outcome))
    total = len(waiting)
    progress(0, total)
    tried: Counter[Cell] = Counter()
    with (
        _files_beside(ledger),
        contextlib.nullcontext(members) if members is not None else crew() as there,
        contextlib.closing(_results(there, file, waiting, settings)) as results,
    ):
        for cell, result in results:
            tried[cell] += 1
            if isinstance(result, worker.Refused):
                raise UsageError(result.reason)
            if isinstance(result, worker.Measured):
                ledger.put(key(cell, code), *result)
                outcome.measured += 1
            else:
                failure = Failure(key(cell, code), *result)
                ledger.put_failure(failure)
                if tried[cell] < ATTEMPTS:
                    waiting.append(cell)
                else:
                    outcome.failures.append((cell, failure))
            progress(outcome.measured + len(outcome.failures), total)
    outcome.left = total - outcome.measured - len(outcome.failures)
    return outcome


@contextlib.contextmanager
def _files_beside(ledger: Ledger) -> Iterator[None]:
    """While this lasts, long experiments may keep files beside the ledger, here and in workers."""
    before = os.environ.get(worker.CHECKPOINTS)
    os.environ[worker.CHECKPOINTS] = str(ledger.path.parent.resolve() / "checkpoints")
    try:
        yield
    finally:
        del os.environ[worker.CHECKPOINTS]
        if before is not None:
            os.environ[worker.CHECKPOINTS] = before


def _is_missing(
    cell: Cell, code: dict[str, str], ledger: Ledger, settings: Settings, outcome: Outcome
) -> bool:
    place = key(cell, code)
    if ledger.has(place):
        outcome.kept += 1
        return False
    if settings.keep_stale and ledger.is_stale(place):
        outcome.stale += 1
        return False
    return True


def _results(
    members: Crew, file: Path, waiting: deque[Cell], settings: Settings
) -> Generator[tuple[Cell, worker.Result]]:
    """Results as they arrive, until nothing waits or the deadline has passed."""
    end = math.inf if settings.deadline is None else settings.begun + settings.deadline
    clock = Clock(end)
    if settings.jobs == 0:
        return _results_here(file, waiting, settings.device, clock)
    timeout = math.inf if settings.timeout is None else settings.timeout
    return measure_all(members, file, waiting, settings.jobs, settings.device, timeout, clock)


def _results_here(
    file: Path, waiting: deque[Cell], device: str, clock: Clock
) -> Generator[tuple[Cell, worker.Result]]:
    """In this process: for debuggers, and for a device that several processes would not share."""
    while waiting and clock.allows(waiting[0]):
        cell, begun = waiting.popleft(), time.monotonic()
        result = worker.attempt(file, cell, device)
        clock.note(cell, time.monotonic() - begun)
        yield cell, result
