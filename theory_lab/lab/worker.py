"""What runs in a worker process: one cell, from its address to the bytes of its record.

Only addresses travel to workers (the study's file, the experiment's id, parameters, replicate);
code is imported here.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

from threadpoolctl import threadpool_limits

from theory_lab.core import Experiment, Record
from theory_lab.core.measurement import as_measurement
from theory_lab.core.seeds import Stream
from theory_lab.lab import backends, catalogue, codec
from theory_lab.lab.plan import Cell

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1")


class Measured(NamedTuple):
    """The bytes of a record and how long it took."""

    payload: bytes
    trace: bytes
    seconds: float


def start(coordinator: int) -> None:
    """Begin a worker: one thread each, and an end when the coordinating process ends."""
    _limit_threads()
    threading.Thread(target=_follow, args=(coordinator,), daemon=True).start()


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
def _experiments(file: Path) -> dict[str, Experiment]:
    return catalogue.experiments(catalogue.load(file))


def measure(file: Path, cell: Cell, device: str = "cpu") -> Measured:
    """Run one cell on one thread and encode its record."""
    _limit_threads()
    begin = time.perf_counter()
    record = run_cell(_experiments(file)[cell.experiment], cell, device)
    payload, trace = codec.encode(record)
    return Measured(payload, trace, time.perf_counter() - begin)


def run_cell(experiment: Experiment, cell: Cell, device: str = "cpu") -> Record:
    """Draw the problem, run on it, and put facts and results side by side."""
    params = dict(cell.params)
    problem_params, asked = experiment.split(params)
    problem = dict(experiment.draw(**problem_params, rng=Stream(problem_params, cell.replicate)))
    facts = codec.facts_of(problem, params)
    results = _run_on(device, experiment, problem, asked, (problem_params, cell.replicate, "noise"))
    trace = results.pop("trace", {})
    enclosed = {name: as_measurement(value) for name, value in results.items()}
    return Record(experiment.id, params, cell.replicate, facts, enclosed, trace)


def _run_on(
    device: str,
    experiment: Experiment,
    problem: dict[str, Any],
    asked: dict[str, Any],
    stream: tuple[dict[str, Any], int, str],
) -> dict[str, Any]:
    if device == "cpu":
        return dict(experiment.run(problem, **asked, rng=Stream(*stream)))
    moved = backends.to_device(problem, device)
    noise = backends.DeviceStream(*stream, device)
    return backends.to_numpy(experiment.run(moved, **asked, rng=noise))
