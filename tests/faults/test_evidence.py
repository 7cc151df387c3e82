"""A damaged evidence file, or one that the study has outgrown, is named with what is wrong."""

from __future__ import annotations

import json
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import toys
from tests.conftest import Lab

FILE = Path("studies") / "evidence" / "there.jsonl.xz"


@pytest.fixture
def lines(lab: Lab) -> list[str]:
    """Those of an evidence file of the toy, whose records are in the ledger as well."""
    lab.write(toys.WEIGHT)
    assert lab.run().code == 0
    assert lab("export", "toy.py", str(FILE)).code == 0
    assert lab("judge", "toy.py").code == 0
    return lzma.decompress(FILE.read_bytes()).decode().splitlines()


def changed(lines: list[str], **head: object) -> list[str]:
    return [json.dumps(json.loads(lines[0]) | head), *lines[1:]]


FAULTS: dict[str, tuple[Callable[[list[str]], list[str]], str]] = {
    "empty": (lambda lines: [], "is damaged"),
    "no first line": (lambda lines: lines[1:], "does not name study, preset and origin"),
    "first line a list": (lambda lines: ["[]", *lines[1:]], "does not name study"),
    "a record a list": (lambda lines: [*lines, "[]"], "is damaged"),
    "a number changed": (
        lambda lines: [lines[0], lines[1].replace("1", "2", 1), *lines[2:]], "is damaged",
    ),
    "another preset": (lambda lines: changed(lines, preset="huge"), "has no preset 'huge'"),
    "another option": (lambda lines: changed(lines, flags=["--n"]), "has no option '--n'"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_named_with_the_file(
    fault: str, lines: list[str], lab: Lab, is_one_sentence: Callable[[str], bool]
) -> None:
    damage, words = FAULTS[fault]
    FILE.write_bytes(lzma.compress("\n".join(damage(lines)).encode()))
    ended = lab("judge", "toy.py")
    assert ended.code == 3, ended
    assert is_one_sentence(ended.err), ended.err
    assert str(FILE) in ended.err
    assert words in ended.err


def test_a_truncated_file(lines: list[str], lab: Lab) -> None:
    FILE.write_bytes(FILE.read_bytes()[:-20])
    assert "is damaged" in lab("judge", "toy.py").err
    examined = lab("doctor")
    assert examined.code == 3
    assert f"BAD  {FILE} is damaged" in examined.out


def test_doctor_counts_the_records(lines: list[str], lab: Lab) -> None:
    assert f"{FILE} holds {len(lines) - 1} intact records" in lab("doctor").out


def test_evidence_of_another_study_is_left_alone(lines: list[str], lab: Lab) -> None:
    text = "\n".join(changed(lines, study="other", preset="huge"))
    FILE.write_bytes(lzma.compress(text.encode()))
    assert lab("judge", "toy.py").code == 0
