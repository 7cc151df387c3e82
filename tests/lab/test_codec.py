"""Records as bytes and back, exactly; evidence files of other machines."""

from __future__ import annotations

import lzma
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from tests import toys
from tests.conftest import Lab
from theory_lab import Measurement, Record, StorageError
from theory_lab.lab import codec, evidence_file
from theory_lab.lab.ledger import Key

floats = st.floats(allow_nan=True, allow_infinity=True)
scalars = st.integers() | floats | st.text(max_size=8) | st.booleans()
arrays = npst.arrays(
    st.sampled_from(["<f8", "<f4", "<i8", "|b1", "<c16", "<U3"]),
    npst.array_shapes(min_dims=0, min_side=0),
)
facts = st.dictionaries(
    st.text(max_size=5), scalars | arrays | st.tuples(scalars, scalars), max_size=4
)
ends = npst.arrays("<f8", npst.array_shapes(min_dims=0, max_side=3), elements=st.floats(-1e9, 1e9))
kinds = st.sampled_from(
    [("exact", 0.0), ("certified", 0.0), ("statistical", 1e-6), ("estimated", 0.0)]
)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, np.ndarray):
        return (
            one.dtype == other.dtype
            and one.shape == other.shape
            and one.tobytes() == other.tobytes()
        )
    return type(one) is type(other) and (one == other or (one != one and other != other))


@given(facts, ends, st.floats(0, 10), kinds)
def test_records_come_back_as_they_went(
    facts: dict, low: np.ndarray, width: float, kind: tuple[Any, float]
) -> None:
    measured = Measurement(low, low if kind[0] == "exact" else low + width, *kind)
    trace = {"curve": np.arange(4, dtype=np.float32)}
    written = Record("toy.e", {"n": 1, "mu": (2.0, 1.0)}, 3, facts, {"v": measured}, trace)
    payload, packed = codec.encode(written)
    read = codec.decode("toy.e", payload, packed)
    assert codec.encode(read) == (payload, packed)
    assert read.params == {"n": 1, "mu": (2.0, 1.0)}
    assert read.replicate == 3
    assert read.facts.keys() == facts.keys()
    assert all(same(read.facts[name], facts[name]) for name in facts)
    back = read.results["v"]
    assert (back.kind, back.level) == kind
    assert same(back.low, measured.low)
    assert same(back.high, measured.high)
    assert same(read.trace["curve"], trace["curve"])


@pytest.fixture
def exported(lab: Lab) -> Path:
    lab.write(toys.WEIGHT)
    assert lab.run().code == 0
    assert lab("export", "toy.py", "studies/evidence/here.jsonl.xz").code == 0
    return lab.folder / "studies" / "evidence" / "here.jsonl.xz"


def test_evidence_files_hold_the_records(exported: Path, lab: Lab) -> None:
    (read,) = evidence_file.of_study("toy")
    local = {
        (record.params["n"], record.params["a"], record.replicate): record
        for record in lab.records()
    }
    assert len(read.records) == len(local) == 12
    for record in read.records.values():
        twin = local[record.params["n"], record.params["a"], record.replicate]
        assert same(record.facts["x"], twin.facts["x"])
        assert same(record.results["weight"].low, twin.results["weight"].low)
    assert evidence_file.of_study("another") == []


def test_short_traces_go_along_and_long_ones_stay(tmp_path: Path) -> None:
    chance = np.random.default_rng(3)
    short = {"norms": chance.random(1000).astype(np.float32)}
    long = {"states": chance.random(evidence_file.TRACE_KEPT).astype(np.float32)}
    records = [
        Record("toy.e", {"n": n}, 0, {"n": n}, {"v": Measurement.exact(1.0)}, trace)
        for n, trace in enumerate((short, long))
    ]
    file = tmp_path / "here.jsonl.xz"
    keys = [Key("toy.e", f"{n}", "digest") for n in range(2)]
    assert evidence_file.write("toy", "quick", [], zip(keys, records, strict=True), file) == 2
    first, second = evidence_file.read(file).records.values()
    assert same(first.trace["norms"], short["norms"])
    assert second.trace == {}
    changed = lzma.decompress(file.read_bytes()).decode().replace('"trace":"U', '"trace":"V', 1)
    file.write_bytes(lzma.compress(changed.encode()))
    with pytest.raises(StorageError):
        evidence_file.read(file)


def test_damaged_evidence_is_noticed(exported: Path, lab: Lab) -> None:
    chance = random.Random(1)
    whole = exported.read_bytes()
    for _ in range(100):
        data = bytearray(whole)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        exported.write_bytes(data)
        with pytest.raises(StorageError, match="restore it from version control"):
            evidence_file.read(exported)
    ended = lab("judge", "toy.py")
    assert ended.code == 3
    assert "here.jsonl.xz is damaged" in ended.err


@pytest.mark.parametrize(
    ("old", "new"), [('"replicate":2', '"replicate":1'), ('"study"', '"stvdy"'), ("\n", "\n{}\n")]
)
def test_edited_evidence_is_noticed(old: str, new: str, exported: Path) -> None:
    text = lzma.decompress(exported.read_bytes()).decode()
    assert old in text
    exported.write_bytes(lzma.compress(text.replace(old, new, 1).encode()))
    with pytest.raises(StorageError):
        evidence_file.read(exported)


def test_evidence_is_judged_with_the_options_it_was_measured_with(lab: Lab) -> None:
    lab.write(
        toys.weight(
            ("cases=grid(n=[2, 5], a=[0.5, 2.0], replicates=3))",
             "cases=lambda preset, o: grid(n=o.n, a=1.0, replicates=12), options=Options)"),
            ("    def draw(", "    from dataclasses import dataclass\n\n    @dataclass(frozen=True)\n"
                             "    class Options:\n        n: int = 3\n\n    def draw("),
        )
    )  # fmt: skip
    assert lab.run("--n", "7").code == 0
    assert lab("export", "toy.py", "studies/evidence/seven.jsonl.xz", "--n", "7").code == 0
    assert lab.run().code == 0
    assert lab("report", "toy.py").code == 0
    (read,) = evidence_file.of_study("toy")
    assert (list(read.flags), len(read.records)) == (["--n", "7"], 12)
    checks = (lab.folder / "paper_checks.md").read_text(encoding="utf-8")
    assert checks.count("12 / 0 / 0 / 0") >= 2, "here and there, each with its own options"
