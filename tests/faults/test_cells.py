"""Cells that crash, hang or exhaust their machine: noted, tried twice, never taken for results."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import toys
from tests.conftest import Lab
from theory_lab.lab import desk, runner
from theory_lab.lab.ledger import Ledger

WAYS = {
    "raise": ('raise RuntimeError("the pump broke")', "crashed", "the pump broke"),
    "odd exception": ("raise Odd(1, 2)", "crashed", "Odd"),
    "memory": ("raise MemoryError", "crashed", "MemoryError"),
    "exit": ("os._exit(3)", "crashed", "exit code 3"),
    "system exit": ("raise SystemExit(5)", "crashed", "SystemExit"),
    "segfault": ("os.kill(os.getpid(), 11)", "crashed", "exit code -11"),
    "hang": ("time.sleep(60)", "timed out", "longer than 2 s (--timeout)"),
}


def study(ways: str) -> str:
    """The study of the weight, whose cells with n = 7 end in another way, after noting that they
    were tried; unless there is a file `repaired`."""
    return toys.weight(
        ("    def draw(", "    class Odd(Exception):\n        def __init__(self, one, two):\n"
         "            super().__init__(one)\n\n\n    def draw("),
        ("        total = 0.0", "        if len(at['x']) == 7 and not os.path.exists('repaired'):\n"
         "            with open('tried', 'a') as file:\n                file.write('x')\n"
         f"            {ways}\n        total = 0.0"),
        ("grid(n=[2, 5], a=[0.5, 2.0]", "grid(n=[2, 7, 5], a=[0.5, 2.0]"),
        ("replicates=3", "replicates=1"),
    )  # fmt: skip


@pytest.mark.parametrize("name", WAYS)
def test_a_cell_that_does_not_end_well(name: str, lab: Lab) -> None:
    way, kind, words = WAYS[name]
    lab.write(study(way))
    ended = lab("run", "toy.py", "--jobs", "2", "--timeout", "2")
    assert ended.code == 1
    assert "4 measured" in ended.err
    assert words in ended.err
    assert Path("tried").read_text() == "xxxx", "each of the two cells is tried twice"
    require_noted(kind, words)
    assert {record.params["n"] for record in lab.records()} == {2, 5}
    Path("repaired").touch()
    assert "2 measured, 4 already there" in lab.run().err
    assert {record.params["n"] for record in lab.records()} == {2, 5, 7}


def require_noted(kind: str, words: str) -> None:
    """The ledger knows how the two cells failed."""
    laid_out = desk.lay_out("toy.py", "quick")
    with Ledger(Path("results") / "ledger.sqlite", readonly=True) as opened:
        keys = [runner.key(cell, laid_out.code) for cell in laid_out.cells]
        failures = [failure for key in keys if (failure := opened.failure(key))]
    assert len(failures) == 2
    for failure in failures:
        assert failure.kind == kind
        assert words in failure.detail


def test_in_this_process_a_crash_is_noted_as_well(lab: Lab) -> None:
    lab.write(study(WAYS["raise"][0]))
    assert lab.run().code == 1
    require_noted("crashed", "the pump broke")


def test_a_missing_record_is_not_judged(lab: Lab) -> None:
    lab.write(study(WAYS["raise"][0]))
    (row,) = json.loads(lab.run("--json").out)
    assert row["holds"] == 4
    assert row["missing"] == 2


def test_one_bad_cell_among_many_loses_no_other(lab: Lab) -> None:
    """A worker that dies takes nothing of the other one's work along."""
    lab.write(study(WAYS["exit"][0]).replace("replicates=1", "replicates=3"))
    ended = lab("run", "toy.py", "--jobs", "2")
    assert ended.code == 1
    assert len(lab.records()) == 12
    Path("repaired").touch()
    lab.write(study(WAYS["exit"][0]).replace("replicates=1", "replicates=3"))
    assert lab.run().code == 0
    before = lab.contents()
    assert lab.run("--out", "again").code == 0
    with Ledger(Path("again") / "ledger.sqlite", readonly=True) as opened:
        assert opened.contents() == before
