"""Commands before everything is measured: nothing is judged that was not, and the cure works."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable

import pytest

from tests import toys
from tests.conftest import Lab

OPTIONS = (
    ("cases=grid(n=[2, 5], a=[0.5, 2.0], replicates=3)",
     "cases=lambda preset, o: grid(n=o.n, a=1.0, replicates=12), options=Options"),
    ("    WEIGHT = Claim(",
     "    from dataclasses import dataclass\n    @dataclass\n    class Options:\n"
     "        n: int = 3\n\n    WEIGHT = Claim("),
)  # fmt: skip


@pytest.mark.parametrize("asked", [[], ["--out", "else where"], ["--smoke"], ["-k", "*weight"]])
def test_the_command_that_is_named_measures_what_is_missing(asked: list[str], lab: Lab) -> None:
    """A study of one's own in a folder, with options of its own."""
    lab.write(toys.weight(*OPTIONS), "my studies/toy.py")
    request = ["judge", "my studies/toy.py", *asked, "--n", "4"]
    before = lab(*request)
    assert before.code == 4
    cure = shlex.split(before.err.split("`")[1])
    assert cure[0] == "theory-lab"
    assert lab(*cure[1:], "--jobs", "0").code == 0
    assert lab(*request).code == 0


def test_what_is_not_measured_is_not_blamed_on_the_claim(lab: Lab) -> None:
    lab.write(
        toys.weight(
            ("tolerance=1e-9,", 'tolerance=1e-9, rivals={"more": lambda f: 2 * weight(f)},')
        )
    )
    judged = lab("judge", "toy.py")
    assert "not shown necessary" not in judged.out
    assert "give it more cases" not in judged.out
    assert "breaks nothing" not in judged.out
    assert lab.run().code == 0
    assert "not shown necessary" in lab("judge", "toy.py").out


def test_a_claim_without_records_survives_nothing(lab: Lab) -> None:
    lab.write(toys.weight())
    challenged = lab("challenge", "toy.py", "--json")
    assert (challenged.code, json.loads(challenged.out)) == (4, [])
    lab.run()
    challenged = lab("challenge", "toy.py", "--json")
    assert challenged.code == 0
    assert json.loads(challenged.out)


def test_no_evidence_file_is_written_without_records(
    lab: Lab, is_one_sentence: Callable[[str], bool]
) -> None:
    lab.write(toys.weight())
    ended = lab("export", "toy.py", "there.jsonl.xz")
    *_, error = ended.err.splitlines()
    assert ended.code == 2
    assert is_one_sentence(error)
    assert "No record of toy.py is there" in error
    assert not (lab.folder / "there.jsonl.xz").exists()
