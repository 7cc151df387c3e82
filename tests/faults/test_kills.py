"""Killed, interrupted, run twice: the records are those of a run that nobody disturbed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests import toys
from tests.conftest import Lab
from tests.killing import (
    command,
    contents,
    descendants,
    finish,
    is_readable,
    kill_commands,
    outcome_of_forks,
    still_alive,
)

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")

STOPPED = "Stopped; finished cells are kept, and the next run goes on from there."


def undisturbed(lab: Lab, name: str = "toy.py") -> dict:
    """Records of the study, measured in one go in a folder of their own."""
    ended = finish(["run", name, "--jobs", "2", "--out", "undisturbed"], lab.folder)
    assert ended.returncode == 0, ended.stderr
    return contents(lab.folder / "undisturbed" / "ledger.sqlite")


def test_a_hundred_kills(lab: Lab) -> None:
    """88 kills of a single process and 12 of a coordinator with two workers, cells of 50 ms."""
    study = lab.write(toys.sleepy(0.05, groups=75))
    expected = undisturbed(lab)
    hits = outcome_of_forks(study, lab.ledger, kills=88, longest=0.12, seed=1)
    after_forks = len(contents(lab.ledger))
    more, orphans = kill_commands(
        ["run", "toy.py", "--jobs", "2"], lab.folder, kills=12, longest=1.0, seed=2
    )
    assert hits >= 80
    assert more >= 8
    assert 0 < after_forks < len(expected)
    assert is_readable(lab.ledger)
    assert not orphans
    assert finish(["run", "toy.py", "--jobs", "2"], lab.folder).returncode == 0
    assert contents(lab.ledger) == expected


def test_kills_in_the_middle_of_writing(lab: Lab) -> None:
    """Cells that take no time: most of these kills strike while the ledger is written."""
    study = lab.write(toys.sleepy(0.0, groups=250))
    hits = outcome_of_forks(study, lab.ledger, kills=60, longest=0.08, seed=3)
    part = contents(lab.ledger)
    assert finish(["run", "toy.py", "--jobs", "0"], lab.folder).returncode == 0
    whole = contents(lab.ledger)
    assert hits >= 20
    assert 0 < len(part) <= len(whole) == 1000
    assert part.items() <= whole.items()


@pytest.mark.parametrize("work", ["time.sleep(30)", "sum(range(10**11))"])
def test_workers_end_with_their_coordinator(work: str, lab: Lab) -> None:
    """Also where a worker is inside a long call that never lets another thread run."""
    begin = "open(f'begun-{__import__(\"os\").getpid()}', 'w').close()"
    lab.write(toys.sleepy(30, groups=2).replace("time.sleep(30)", f"{begin}; {work}"))
    started = subprocess.Popen(command("run", "toy.py", "--jobs", "2"), cwd=lab.folder)
    while len(begun := list(lab.folder.glob("begun-*"))) < 2:
        time.sleep(0.02)
    workers = descendants(started.pid)
    started.kill()
    started.wait()
    assert workers >= {int(file.name.partition("-")[2]) for file in begun}
    assert not still_alive(workers, patience=2.0)


def test_interrupted_by_hand(lab: Lab) -> None:
    """Ctrl-C goes to the whole process group: one sentence, exit code 130, nothing left running."""
    lab.write(toys.sleepy(0.05, groups=10))
    started = subprocess.Popen(
        command("run", "toy.py", "--jobs", "2"),
        cwd=lab.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    while not lab.ledger.exists() or not lab.contents():
        time.sleep(0.02)
    workers = descendants(started.pid)
    os.killpg(started.pid, signal.SIGINT)
    out, err = started.communicate(timeout=10)
    assert started.returncode == 130
    assert err.strip() == STOPPED
    assert out == ""
    assert not still_alive(workers, patience=2.0)
    assert 0 < len(lab.contents()) < 40
    assert finish(["run", "toy.py", "--jobs", "2"], lab.folder).returncode == 0
    assert lab.contents() == undisturbed(lab)


def test_interrupted_while_the_workers_start(lab: Lab) -> None:
    lab.write(toys.sleepy(0.05, groups=10))
    for pause in (0.0, 0.1, 0.2, 0.3):
        shutil.rmtree("results", ignore_errors=True)
        started = subprocess.Popen(
            command("run", "toy.py", "--jobs", "2"),
            cwd=lab.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip
        while not lab.ledger.exists():
            time.sleep(0.01)
        time.sleep(pause)
        os.killpg(started.pid, signal.SIGINT)
        _, err = started.communicate(timeout=10)
        assert (started.returncode, err.strip()) == (130, STOPPED)


def test_deadline_leaves_work_and_says_so(lab: Lab) -> None:
    lab.write(toys.sleepy(0.05, groups=10))
    for jobs in ("0", "2"):
        ended = lab("run", "toy.py", "--jobs", jobs, "--deadline", "0.6", "--out", jobs)
        assert ended.code == 4
        assert "left for the next run" in ended.err
    assert lab("run", "toy.py", "--jobs", "0", "--out", "0").code == 0
    assert contents(Path("0") / "ledger.sqlite") == undisturbed(lab)


def test_two_runs_at_once(lab: Lab) -> None:
    lab.write(toys.sleepy(0.05, groups=8))
    both = [
        subprocess.Popen(command("run", "toy.py", "--jobs", "1"), cwd=lab.folder) for _ in range(2)
    ]
    assert [run.wait(timeout=60) for run in both] == [0, 0]
    assert lab.contents() == undisturbed(lab)
