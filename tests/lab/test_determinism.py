"""Same machine, same versions: records are equal to the bit, whatever the order and the jobs."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest

from tests import toys
from tests.conftest import Lab
from theory_lab.core.seeds import Stream
from theory_lab.lab import desk, runner, worker
from theory_lab.lab.ledger import Ledger

HEAVY = toys.weight(
    ('return dict(a=a, x=rng.uniform(1.0, 2.0, n))', 'return dict(a=a, x=rng.uniform(1.0, 2.0, n))'),
    (
        "return dict(weight=total)",
        "from scipy.linalg import svdvals\n"
        "        matrix = rng.standard_normal((160, 160)) + rng.named('start').random((160, 160))\n"
        "        parts = np.stack([svdvals(matrix @ matrix.T), np.linalg.eigvalsh(matrix + matrix.T)])\n"
        "        return dict(weight=total, parts=parts, trace=dict(parts=parts))",
    ),
)  # fmt: skip


def measured(lab: Lab, out: str, *arguments: str) -> dict:
    assert lab("run", "toy.py", "--out", out, *arguments).code == 0
    with Ledger(Path(out) / "ledger.sqlite", readonly=True) as opened:
        return opened.contents()


def test_records_do_not_depend_on_jobs(lab: Lab) -> None:
    lab.write(HEAVY)
    here, one, two = (measured(lab, f"jobs{n}", "--jobs", str(n)) for n in (0, 1, 2))
    assert len(here) == 12
    assert here == one == two


def test_records_do_not_depend_on_order_and_interruptions(lab: Lab) -> None:
    file = lab.write(HEAVY)
    expected = measured(lab, "straight", "--jobs", "0")
    cells = desk.lay_out(str(file), "quick").cells
    random.Random(1).shuffle(cells)
    with Ledger(Path("shuffled.sqlite")) as opened:
        for part in (cells[:5], cells[:2], cells):
            runner.run(file, part, opened, runner.Settings(jobs=0))
        assert opened.contents() == expected


def test_a_run_that_works_in_place_leaves_the_facts_alone(lab: Lab) -> None:
    lab.write(toys.weight(("        total = 0.0", '        at["x"] *= 3.0\n        total = 0.0')))
    assert lab.run().code == 1
    for record in lab.records():
        assert np.all((record.facts["x"] >= 1) & (record.facts["x"] <= 2))


RIVALS = toys.weight(
    ("    def run(at, *, rng):", "    def run(at, *, method: str = 'sum', rng):"),
    (
        "return dict(weight=total)",
        "return dict(weight=total, noise=rng.random(3), start=rng.named('start').random(3))",
    ),
    ("a=[0.5, 2.0]", "a=[0.5, 2.0], method=['sum', 'dot']"),
)


def test_rivals_and_rungs_meet_the_same_problem(lab: Lab) -> None:
    """Keywords of run are not in the problem's streams; parameters and replicates are."""
    lab.write(RIVALS)
    assert lab.run().code == 0
    seen: dict[tuple, list] = {}
    for record in lab.records():
        params = record.params
        streams = (record.facts["x"], *(record.results[name].low for name in ("noise", "start")))
        problem = (params["n"], params["a"], record.replicate)
        seen.setdefault(problem, []).append(np.concatenate(streams))
    assert len(seen) == 12
    for streams in seen.values():
        assert len(streams) == 2
        assert np.array_equal(*streams)
    different = {streams[0].tobytes() for streams in seen.values()}
    assert len(different) == 12


def test_streams_by_name() -> None:
    problem = {"n": 3, "a": 1.0}
    draws = {
        name: Stream(problem, 0, name).random(4).tobytes()
        for name in ("problem", "noise", "start", "search")
    }
    draws["replicate"] = Stream(problem, 1, "problem").random(4).tobytes()
    draws["other"] = Stream(problem | {"n": 4}, 0, "problem").random(4).tobytes()
    assert len(set(draws.values())) == len(draws)
    assert Stream(problem, 0).named("start").random(4).tobytes() == draws["start"]
    reordered = Stream({"a": 1.0, "n": 3}, 0).random(4).tobytes()
    assert reordered == draws["problem"]


def test_a_stream_is_a_generator() -> None:
    stream = Stream({}, 0)
    like = np.zeros(2, dtype=np.float32)
    assert stream.normal((3, 2), like=like).dtype == np.float32
    assert stream.normal(5.0, 0.0, 2).tolist() == [5.0, 5.0]
    first, second = stream.spawn(2)
    assert first.random() != second.random()


EDITS = {
    "a comment": ("total = 0.0", "total = 0.0  # from nothing", False),
    "a docstring": ("        total = 0.0", '        """Add up."""\n        total = 0.0', False),
    "an annotation": ("def run(at, *, rng):", "def run(at: dict, *, rng) -> dict:", False),
    "a type of a parameter": ("Annotated[float, positive]", "float", False),
    "spaces": ("total += at", "total  +=  at", False),
    "the formula": ('return f["a"] * np.sum', 'return 1.0 * f["a"] * np.sum', False),
    "a condition": ('f["a"] <= 2', 'f["a"] <= 2.0', False),
    "run": ("total = 0.0", "total = 1e-30", True),
    "draw": ("rng.uniform(1.0, 2.0, n)", "rng.uniform(1.0, 2.5, n)", True),
    "a default of draw": ("positive] = 1.0", "positive] = 1.5", True),
}


def digest_of(lab: Lab, text: str) -> str:
    file = lab.write(text)
    (digest,) = desk.lay_out(str(file), "quick").code.values()
    return digest


@pytest.mark.parametrize("name", EDITS)
def test_which_edits_make_a_record_stale(name: str, lab: Lab) -> None:
    old, new, changes = EDITS[name]
    before = digest_of(lab, toys.WEIGHT)
    assert (digest_of(lab, toys.weight((old, new))) != before) == changes


HELPED = toys.weight(
    ("import os\n", "from near import total_of\n"),
    ("        total = 0.0\n", "        return dict(weight=total_of(at))\n        total = 0.0\n"),
)
NEAR = """
    import far.away as distant
    from far import *
    from far.table import TABLE

    def unused():
        return 1

    def total_of(at):
        from far.inner import LOCAL

        start = distant.START + TABLE["start"] + starred(0) + LOCAL
        return start + sum(at["a"] * x * x + 1.0 for x in at["x"])
"""
FAR = {
    "far/__init__.py": "def starred(x):\n    return deeper(x)\n\ndef deeper(x):\n    return x\n",
    "far/away.py": "if True:\n    START = 0.0\nelse:\n    START = 1.0\nUNUSED = 1\n",
    "far/table.py": "from .inner import ZERO\nTABLE = {}\nfor name in ['start']:\n    TABLE[name] = ZERO\n",
    "far/inner.py": "ZERO = 0.0\nLOCAL = 0.0\nOTHER = 0.0\n",
}
FAR_EDITS = {
    "a function two modules away": ("far/__init__.py", "return x", "return x + 0.0", True),
    "a constant of a module": ("far/away.py", "START = 0.0", "START = 0.5", True),
    "the other branch": ("far/away.py", "START = 1.0", "START = 2.0", True),
    "a table's entries": ("far/table.py", "['start']", "['start', 'end']", True),
    "what a table is made of": ("far/inner.py", "ZERO = 0.0", "ZERO = 0.1", True),
    "an import inside": ("far/inner.py", "LOCAL = 0.0", "LOCAL = 0.1", True),
    "an unused constant": ("far/away.py", "UNUSED = 1", "UNUSED = 2", False),
    "an unused constant beside": ("far/inner.py", "OTHER = 0.0", "OTHER = 0.1", False),
    "an unused function": ("near.py", "return 1\n", "return 2\n", False),
    "a comment": ("far/inner.py", "ZERO = 0.0", "ZERO = 0.0  # nothing", False),
}


@pytest.mark.parametrize("name", FAR_EDITS)
def test_edits_in_helper_modules(name: str, lab: Lab) -> None:
    place, old, new, changes = FAR_EDITS[name]
    files = {"near.py": NEAR, **FAR}
    for file, text in files.items():
        lab.write(text, file)
    before = digest_of(lab, HELPED)
    assert old in files[place]
    lab.write(files[place].replace(old, new), place)
    assert (digest_of(lab, HELPED) != before) == changes


def test_the_digest_does_not_depend_on_the_place(lab: Lab) -> None:
    for folder in (".", "elsewhere/deep"):
        for file, text in {"near.py": NEAR, **FAR}.items():
            lab.write(text, f"{folder}/{file}")
    here = digest_of(lab, HELPED)
    there = lab.write(HELPED, "elsewhere/deep/other.py")
    assert list(desk.lay_out(str(there), "quick").code.values()) == [here]


def test_stale_records_are_measured_again(lab: Lab) -> None:
    lab.write(toys.WEIGHT)
    lab.run()
    old = lab.contents()
    lab.write(toys.weight(("total = 0.0", "total = 1e-30")))
    judged = lab("judge", "toy.py", "--json")
    (row,) = json.loads(judged.out)
    assert (row["holds"], row["missing"]) == (0, 12), "a stale record is never judged"
    assert "12 of them stale" in judged.err
    kept = lab.run("--keep-stale", "--json")
    assert "12 stale and kept" in kept.err
    assert json.loads(kept.out)[0]["holds"] == 0
    assert lab.contents() == old
    assert "12 measured" in lab.run().err
    assert not lab.contents().keys() & old.keys()
    assert len(lab.contents()) == 12


def test_cells_run_on_one_thread(lab: Lab) -> None:
    """In this process and in workers, for libraries loaded before and after."""
    file = lab.write(
        toys.weight(
            (
                "return dict(weight=total)",
                "import scipy.linalg\n"
                "        from threadpoolctl import threadpool_info\n"
                "        return dict(weight=total, threads=[i['num_threads'] for i in threadpool_info()])",
            )
        )
    )
    for jobs in ("0", "1"):
        assert lab("run", file.name, "--jobs", jobs, "--out", jobs).code == 0
        with Ledger(Path(jobs) / "ledger.sqlite", readonly=True) as opened:
            for key in opened.contents():
                record = opened.get(key)
                assert record is not None
                assert set(record.results["threads"].low.tolist()) == {1.0}
    assert set(worker.ONE_THREAD.values()) == {"1"}


BESIDE = """
    import os

    from common import VALUE

    from theory_lab import Claim, Source, Study, grid


    def draw(n: int, *, rng):
        return dict(x=VALUE)


    def run(at, *, rng):
        return dict(w=at["x"], process=os.getpid())


    CLAIM = Claim("toy.{name}", Source("a toy", "made up"), "w is {value}.", draw=draw, run=run,
                  measure="w", predict=lambda f: {value})
    STUDY = Study("{name}", claims=[CLAIM], cases=grid(n=[1, 2]))
"""


@pytest.mark.parametrize("jobs", ["0", "1"])
def test_studies_of_two_folders_import_what_lies_beside_each(jobs: str, lab: Lab) -> None:
    for name, value in (("first", 1), ("second", 2)):
        lab.write(f"VALUE = {value}.0", f"{name}/common.py")
        lab.write(BESIDE.format(name=name, value=value), f"{name}/{name}.py")
    assert lab("run", "first/first.py", "second/second.py", "--jobs", jobs).code == 0
    assert sorted(record.facts["x"] for record in lab.records()) == [1.0, 1.0, 2.0, 2.0]


def test_a_worker_goes_on_to_the_next_study_of_its_folder(lab: Lab) -> None:
    lab.write("VALUE = 1.0", "common.py")
    for name in ("first", "second"):
        lab.write(BESIDE.format(name=name, value=1), f"{name}.py")
    assert lab("run", "first.py", "second.py", "--jobs", "1").code == 0
    processes = {int(record.result("process").value) for record in lab.records()}
    assert len(lab.records()) == 4
    assert len(processes) == 1
