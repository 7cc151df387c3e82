"""A ledger that is locked, too new, or on a full disk: one sentence with the cure, nothing lost."""

from __future__ import annotations

import contextlib
import resource
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import toys
from tests.conftest import Lab
from tests.killing import command
from theory_lab.lab import ledger
from theory_lab.lab.ledger import Ledger


def test_a_newer_schema_is_refused(lab: Lab) -> None:
    lab.write(toys.WEIGHT)
    assert lab.run().code == 0
    with contextlib.closing(sqlite3.connect(lab.ledger)) as connection:
        connection.execute("PRAGMA user_version=7")
    before = lab.ledger.read_bytes()
    for ended in (lab.run(), lab("judge", "toy.py")):
        assert ended.code == 3
        assert "newer theory_lab (schema 7" in ended.err
    assert lab.ledger.read_bytes() == before


def test_a_locked_ledger(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "BUSY_SECONDS", 0.1)
    lab.write(toys.weight(("n=[2, 5]", "n=[2, 5, 6]")))
    lab.write(toys.WEIGHT, "smaller.py")
    lab.run(study="smaller.py")
    before = lab.contents()
    with contextlib.closing(sqlite3.connect(lab.ledger, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        ended = lab.run()
        assert ended.code == 3
        assert "is locked by another program" in ended.err
        assert lab("judge", "smaller.py").code == 0, "reading needs no lock"
        other.execute("ROLLBACK")
    assert lab.contents() == before
    assert lab.run().code == 0


def test_a_full_disk(lab: Lab, is_one_sentence: Callable[[str], bool]) -> None:
    """A limit on the size of files stands for it: the write fails in the middle of the run."""
    lab.write(toys.sleepy(0.0, groups=50))
    assert lab.run("--out", "undisturbed").code == 0
    with Ledger(Path("undisturbed") / "ledger.sqlite", readonly=True) as opened:
        expected = opened.contents()

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))

    for jobs in ("0", "2", "0"):
        ended = subprocess.run(
            command("run", "toy.py", "--jobs", jobs),
            preexec_fn=limited,
            capture_output=True,
            text=True,
        )
        assert ended.returncode == 3, ended
        assert is_one_sentence(ended.stderr)
        assert "free some space and run again" in ended.stderr
        assert 0 < len(lab.contents()) < 200
        assert lab.contents().items() <= expected.items()
    assert lab.run().code == 0
    assert lab.contents() == expected
