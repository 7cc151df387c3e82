"""Measure the cells that the ledger does not have, on several processes, one thread each."""

from __future__ import annotations

import multiprocessing
import os
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from dataclasses import dataclass, field
from pathlib import Path

from pebble import ProcessExpired, ProcessPool

from theory_lab.core import Study, UsageError
from theory_lab.lab import catalogue, keys, worker
from theory_lab.lab.ledger import Failure, Key, Ledger
from theory_lab.lab.plan import Cell

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


@dataclass(frozen=True)
class Settings:
    """How a run is carried out; nothing but the device changes a record."""

    jobs: int
    deadline: float | None = None
    timeout: float | None = None
    keep_stale: bool = False
    device: str = "cpu"


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
) -> Outcome:
    """Measure what is missing. `progress` is called with cells done and cells in all.

    Each record is written as it arrives, so that a run that is killed loses only the cells it was
    working on. A cell that crashes or exceeds `settings.timeout` is noted with its traceback.
    """
    code = digests(catalogue.load(file))
    outcome = Outcome()
    waiting = deque(cell for cell in cells if _is_missing(cell, code, ledger, settings, outcome))
    total = len(waiting)
    progress(0, total)
    attempts: dict[Cell, int] = {}
    for cell, result in _results(file, waiting, attempts, settings):
        if isinstance(result, worker.Measured):
            ledger.put(key(cell, code), *result)
            outcome.measured += 1
        else:
            failure = Failure(key(cell, code), *result)
            ledger.put_failure(failure)
            if attempts[cell] < ATTEMPTS:
                waiting.append(cell)
            else:
                outcome.failures.append((cell, failure))
        progress(outcome.measured + len(outcome.failures), total)
    outcome.left = total - outcome.measured - len(outcome.failures)
    return outcome


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


Result = worker.Measured | tuple[str, str]


def _results(
    file: Path, waiting: deque[Cell], attempts: dict[Cell, int], settings: Settings
) -> Iterator[tuple[Cell, Result]]:
    """Results as they arrive, until nothing waits or the deadline has passed."""
    end = time.monotonic() + settings.deadline if settings.deadline is not None else None
    if settings.jobs == 0:
        yield from _results_here(file, waiting, attempts, settings, end)
    elif waiting:
        yield from _results_of_workers(file, waiting, attempts, settings, end)


def _results_here(
    file: Path,
    waiting: deque[Cell],
    attempts: dict[Cell, int],
    settings: Settings,
    end: float | None,
) -> Iterator[tuple[Cell, Result]]:
    """In this process, for debuggers."""
    while waiting and not _is_over(end):
        cell = waiting.popleft()
        attempts[cell] = attempts.get(cell, 0) + 1
        try:
            yield cell, worker.measure(file, cell, settings.device)
        except Exception:
            yield cell, ("crashed", traceback.format_exc())


def _results_of_workers(
    file: Path,
    waiting: deque[Cell],
    attempts: dict[Cell, int],
    settings: Settings,
    end: float | None,
) -> Iterator[tuple[Cell, Result]]:
    os.environ.update(worker.ONE_THREAD)
    pool = ProcessPool(
        max_workers=settings.jobs,
        initializer=worker.start,
        initargs=(os.getpid(),),
        context=multiprocessing.get_context("spawn"),
    )
    running: dict[Future, Cell] = {}
    try:
        while (waiting or running) and not _is_over(end):
            while waiting and len(running) < 2 * settings.jobs:
                cell = waiting.popleft()
                attempts[cell] = attempts.get(cell, 0) + 1
                job = pool.schedule(worker.measure, args=(file, cell, settings.device), timeout=settings.timeout)
                running[job] = cell
            finished, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
            for job in finished:
                yield running.pop(job), _result(job, settings)
    finally:
        pool.stop()
        pool.join()


def _is_over(end: float | None) -> bool:
    return end is not None and time.monotonic() >= end


def _result(job: Future, settings: Settings) -> Result:
    try:
        return job.result()
    except TimeoutError:
        return "timed out", f"The cell took longer than {settings.timeout:g} s (--timeout)."
    except ProcessExpired as error:
        return "crashed", f"The worker process ended with exit code {error.exitcode}."
    except CancelledError:
        return "crashed", "The worker was stopped."
    except UsageError as error:
        return "crashed", str(error)
    except Exception as error:
        return "crashed", getattr(error, "traceback", None) or repr(error)
