"""What runs in a worker process: one cell, from its address to the bytes of its record.

Only addresses travel to workers (the study's file, the experiment's id, parameters, replicate);
code is imported here.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from threadpoolctl import threadpool_limits

from theory_lab.core import Experiment, Record, StorageError, UsageError
from theory_lab.core.seeds import Stream
from theory_lab.lab import backends, catalogue, codec
from theory_lab.lab.plan import Cell

ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)

CHECKPOINTS = "THEORY_LAB_CHECKPOINTS"
"""The environment variable that tells long experiments where they may keep files: a cache beside the
ledger, never a record."""

_PR_SET_PDEATHSIG = 1


class Measured(NamedTuple):
    """The bytes of a record and how long it took."""

    payload: bytes
    trace: bytes
    seconds: float


NO_DATA = "no data"
"""The kind of trouble in which a file that the user has to provide is missing or damaged."""


class Trouble(NamedTuple):
    """How a cell ended that gave no record: crashed, timed out, or without the data it needs."""

    kind: str
    detail: str


class Refused(NamedTuple):
    """The study itself is wrong: no other cell would fare better."""

    reason: str


Result = Measured | Trouble | Refused


def serve(pipe: Connection, coordinator: int) -> None:
    """A worker's life: say that it is ready, then one cell after the other."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with_parent()
    threading.Thread(target=_follow, args=(coordinator,), daemon=True).start()
    _limit_threads()
    pipe.send(None)
    with contextlib.suppress(EOFError):
        while True:
            pipe.send(attempt(*pipe.recv()))


def _die_with_parent() -> None:
    """On Linux the kernel ends us, even inside a long call that holds the interpreter's lock."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _follow(coordinator: int) -> None:
    while os.getppid() == coordinator:
        time.sleep(0.25)
    os._exit(1)


@functools.lru_cache(maxsize=1)
def _limit_threads() -> None:
    threadpool_limits(1)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@functools.cache
def experiments(file: Path) -> dict[str, Experiment]:
    return catalogue.experiments(catalogue.load(file))


def attempt(file: Path, cell: Cell, device: str = "cpu") -> Result:
    """Measure a cell, with any error in it as text; what it prints is no result."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            return measure(file, cell, device)
    except UsageError as error:
        return Refused(str(error))
    except StorageError as error:
        return Trouble(NO_DATA, str(error))
    except (Exception, SystemExit):
        return Trouble("crashed", traceback.format_exc())


def measure(file: Path, cell: Cell, device: str = "cpu") -> Measured:
    """Run one cell on one thread and encode its record."""
    _limit_threads()
    begin = time.perf_counter()
    record = run_cell(experiments(file)[cell.experiment], cell, device)
    payload, trace = codec.encode(record)
    return Measured(payload, trace, time.perf_counter() - begin)


def run_cell(experiment: Experiment, cell: Cell, device: str = "cpu") -> Record:
    """Draw the problem, run on it, and put facts and results side by side."""
    params = dict(cell.params)
    problem_params, asked = experiment.split(params)
    drawn = experiment.draw(**problem_params, rng=Stream(problem_params, cell.replicate))
    problem = _named_values(experiment, "draw", drawn)
    facts = codec.facts_of(experiment.id, problem, params)
    results = _run_on(device, experiment, problem, asked, (problem_params, cell.replicate, "noise"))
    trace = results.pop("trace", {})
    enclosed = codec.enclosures(experiment.id, results)
    return Record(experiment.id, params, cell.replicate, facts, enclosed, trace)


def _named_values(experiment: Experiment, function: str, returned: Any) -> dict[str, Any]:
    if not isinstance(returned, Mapping) or not all(isinstance(name, str) for name in returned):
        raise UsageError(
            f"{experiment.id}: {function} returned {type(returned).__name__}; it must return a dict"
            " of named values."
        )
    return dict(returned)


def _run_on(
    device: str,
    experiment: Experiment,
    problem: dict[str, Any],
    asked: dict[str, Any],
    stream: tuple[dict[str, Any], int, str],
) -> dict[str, Any]:
    if device == "cpu":
        returned = experiment.run(problem, **asked, rng=Stream(*stream))
        return _named_values(experiment, "run", returned)
    moved = backends.to_device(problem, device)
    noise = backends.DeviceStream(*stream, device)
    returned = experiment.run(moved, **asked, rng=noise)
    return backends.to_numpy(_named_values(experiment, "run", returned))
