"""Commands that are killed at random moments until their work is done, and who is left behind."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from theory_lab.core import StorageError
from theory_lab.lab import desk, runner, worker
from theory_lab.lab.ledger import Key, Ledger


def command(*arguments: str) -> list[str]:
    """The command line as a fresh process."""
    start = "from theory_lab.cli import main; main()"
    return [sys.executable, "-c", start, *arguments]


def contents(ledger: Path) -> dict[Key, bytes]:
    with Ledger(ledger, readonly=True) as opened:
        return opened.contents()


def descendants(ancestor: int) -> set[int]:
    """Live processes below `ancestor`, from /proc."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            status = _stat(folder)
            if status is not None and status[0] not in "ZX":
                parents[int(folder.name)] = status[1]
    found: set[int] = set()
    fresh = {ancestor}
    while fresh:
        fresh = {child for child, parent in parents.items() if parent in fresh}
        found |= fresh
    return found


def _stat(process: Path) -> tuple[str, int] | None:
    """(state, parent) of a process, None if it has ended."""
    try:
        state, parent = (process / "stat").read_text().rpartition(")")[2].split()[:2]
    except OSError:
        return None
    return state, int(parent)


def still_alive(processes: set[int], patience: float) -> set[int]:
    """Those of `processes` that have not ended after `patience` seconds."""
    end = time.monotonic() + patience
    while True:
        states = {pid: _stat(Path("/proc") / str(pid)) for pid in processes}
        alive = {pid for pid, state in states.items() if state and state[0] not in "ZX"}
        if not alive or time.monotonic() > end:
            return alive
        time.sleep(0.02)


def kill_commands(
    arguments: Sequence[str], folder: Path, kills: int, longest: float, seed: int
) -> tuple[int, set[int]]:
    """Start a command again and again and kill it within `longest` seconds.

    Returns how many of the kills hit it alive, and which of its workers outlived it by 2 s.
    """
    chance = random.Random(seed)
    hits, orphans = 0, set()
    for _ in range(kills):
        started = subprocess.Popen(
            command(*arguments), cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(chance.uniform(0.2, longest))
        workers = descendants(started.pid)
        hits += started.poll() is None
        started.kill()
        started.wait()
        orphans |= still_alive(workers, patience=2.0)
    return hits, orphans


def kill_forks(study: Path, ledger: Path, kills: int, longest: float, seed: int) -> int:
    """As `kill_commands`, with forks of this process, which start in no time.

    For a process of its own with one thread. Returns how many kills hit a run at work.
    """
    chance = random.Random(seed)
    laid_out = desk.lay_out(str(study), "quick")
    settings = runner.Settings(jobs=0)
    runner.digests(laid_out.study)  # here and not in each fork: what a run does only once
    worker.measure(study, laid_out.cells[0])
    hits = 0
    for _ in range(kills):
        child = os.fork()
        if child == 0:
            with Ledger(ledger) as opened:
                runner.run(study, laid_out.cells, opened, settings)
            os._exit(0)
        time.sleep(chance.uniform(0.0, longest))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        hits += os.WIFSIGNALED(status)
    return hits


def outcome_of_forks(study: Path, ledger: Path, kills: int, longest: float, seed: int) -> int:
    """`kill_forks` in a fresh process."""
    asked = f"kill_forks(Path({str(study)!r}), Path({str(ledger)!r}), {kills}, {longest}, {seed})"
    script = f"from pathlib import Path; from tests.killing import *; print({asked})"
    root = Path(__file__).resolve().parents[1]
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True
    )
    return int(ran.stdout)


def finish(arguments: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Let a command end by itself."""
    return subprocess.run(command(*arguments), cwd=folder, capture_output=True, text=True)


def is_readable(ledger: Path) -> bool:
    """Whether the ledger opens and every record in it is intact."""
    try:
        contents(ledger)
    except StorageError:
        return False
    return True
