"""Deadlines and the order of work."""

from __future__ import annotations

import math
import os
import time

import pytest

from tests import toys
from tests.conftest import Lab
from theory_lab.lab import clock
from theory_lab.lab.plan import Cell

SHORT, LONG = Cell("toy.short", (), 0), Cell("toy.long", (), 0)


def test_no_cell_begins_that_would_hardly_end(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    watch = clock.Clock(end=110.0)
    assert watch.allows(LONG), "nothing is known of it yet"
    watch.note(LONG, 6.0)
    assert watch.allows(LONG)
    now[0] = 103.0
    assert not watch.allows(LONG)
    assert watch.allows(SHORT)
    now[0] = 110.0
    assert watch.is_over
    assert not watch.allows(SHORT)


def test_without_a_deadline_everything_begins() -> None:
    watch = clock.Clock(math.inf)
    watch.note(LONG, 1e9)
    assert watch.allows(LONG)


ORDERED = toys.weight(
    (
        "cases=grid(n=[2, 5], a=[0.5, 2.0], replicates=3))",
        "cases=grid(n=[2, 5], a=[0.5, 2.0], replicates=3),\n"
        "                  order=lambda params, replicate: (replicate, -params['a']))",
    ),
    ("def run(at, *, rng):", "def run(at, *, rng):\n        print('began', at['a'], len(at['x']))"),
)


def test_cells_are_measured_in_the_order_of_the_study(lab: Lab) -> None:
    lab.write(ORDERED)
    ended = lab.run()
    begun = [line.split()[1:] for line in ended.err.splitlines() if line.startswith("began")]
    assert begun == [["2.0", "2"], ["2.0", "5"], ["0.5", "2"], ["0.5", "5"]] * 3


TRIAL = """
    from theory_lab import Claim, Source, Study, grid
    from theory_lab.core import reduce
    from theory_lab.core.types import ENOUGH_SEEDS


    def draw(size: int, *, rng):
        return dict(seed=int(rng.integers(2**31)), base=float(rng.standard_normal()))


    def run(at, *, method: str, rng):
        return dict(accuracy=at["base"] + (method == "new"))


    ORDER = Claim(
        "trial.order",
        Source("a toy", "made up"),
        "The new method is at least as good.",
        relation=">=",
        draw=draw,
        run=run,
        predict=lambda f: 0.0,
        scale=1.0,
        measure=reduce.paired_contrast("accuracy", "method", "new", "old", level=0.05),
        conditions=[ENOUGH_SEEDS],
        basis="empirical",
    )
    STUDY = Study("trial", claims=[ORDER],
                  cases=grid(size=[1], over=dict(method=["old", "new"]), replicates=COUNT))
"""


@pytest.mark.parametrize(("seeds", "verdict"), [(3, "too few seeds"), (5, "seen")])
def test_an_order_needs_five_paired_seeds(lab: Lab, seeds: int, verdict: str) -> None:
    lab.write(TRIAL.replace("COUNT", str(seeds)))
    ended = lab.run()
    assert ended.code == 0
    assert verdict in ended.out
    assert lab("report", "toy.py").code == 0
    assert verdict in (lab.folder / "paper_checks.md").read_text(encoding="utf-8")


NOT_FINITE = """
    from theory_lab.core import Claim, Source, Study, grid


    def draw(size: int, *, rng):
        return dict(size=size)


    def run(at, *, rng):
        return dict(loss=float("nan") if at["size"] == BAD else 0.0)


    CLAIM = Claim(
        "trial.loss",
        Source("a toy", "made up"),
        "The loss is at most 1.",
        relation="<=",
        draw=draw,
        run=run,
        predict=lambda f: 1.0,
        measure="loss",
        basis="empirical",
    )
    STUDY = Study("trial", claims=[CLAIM], cases=grid(size=[1, 2, 3]))
"""


@pytest.mark.parametrize(("bad", "verdict"), [(0, "seen"), (2, "not seen")])
def test_a_training_that_diverged_is_not_overlooked(lab: Lab, bad: int, verdict: str) -> None:
    lab.write(NOT_FINITE.replace("BAD", str(bad)), "trial.py")
    lines = lab("run", "trial.py", "--jobs", "0").out.splitlines()
    row = next(line for line in lines if "trial.loss" in line)
    assert row.split("trial.loss")[0].strip() == verdict


def test_long_experiments_are_told_where_files_may_lie(lab: Lab) -> None:
    lab.write(
        toys.weight(
            ("        return dict(weight=total)",
             "        print('files', os.environ['THEORY_LAB_CHECKPOINTS'])\n        return dict(weight=total)")
        )
    )  # fmt: skip
    for jobs, out in (("0", "here"), ("1", "there")):
        ended = lab("run", "toy.py", "--jobs", jobs, "--out", out)
        assert ended.code == 0
        if jobs == "0":  # what a worker prints is not ours to see
            assert f"files {lab.folder.resolve() / out / 'checkpoints'}" in ended.err
    assert "THEORY_LAB_CHECKPOINTS" not in os.environ
