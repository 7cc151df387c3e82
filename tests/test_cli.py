"""Bad input: one sentence that says what is wrong and what would be right, and the exit code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import toys
from tests.conftest import Ended, Lab

Sentence = Callable[[str], bool]

CASES = "cases=grid(n=[2, 5], a=[0.5, 2.0], replicates=3)"
RESULT = "return dict(weight=total)"
FACTS = "return dict(a=a, x=rng.uniform(1.0, 2.0, n))"


def require_refused(ended: Ended, is_one_sentence: Sentence, words: str, code: int = 2) -> None:
    assert ended.code == code, ended
    assert is_one_sentence(ended.err), ended.err
    assert words in ended.err
    assert ended.out == ""


BAD_PARAMETERS = {
    "misspelt": ("grid(n=2, aa=1.0)", "Did you mean 'a'?"),
    "missing": ("grid(a=1.0)", "needs the parameter 'n'"),
    "negative size": ("grid(n=-3)", "n is -3, but it must be at least 1"),
    "size of 0": ("grid(n=[2, 0])", "n is 0, but it must be at least 1"),
    "size NaN": ("grid(n=float('nan'))", "its signature asks for int"),
    "size 2.0": ("grid(n=2.0)", "its signature asks for int"),
    "size True": ("grid(n=True)", "its signature asks for int"),
    "negative": ("grid(n=2, a=-1.0)", "must be a finite number greater than 0"),
    "zero": ("grid(n=2, a=0)", "must be a finite number greater than 0"),
    "NaN": ("grid(n=2, a=float('nan'))", "must be a finite number"),
    "infinite": ("grid(n=2, a=float('inf'))", "must be a finite number"),
    "text": ("grid(n=2, a='one')", "its signature asks for float"),
    "tuple": ("grid(n=2, a=(1.0, 2.0))", "its signature asks for float"),
    "array": ("grid(n=2, a=np.ones(2))", "its signature asks for float"),
    "object": ("grid(n=2, a=object())", "its signature asks for float"),
    "both": ("grid(n=2, over=dict(n=[1, 2]))", "keep one"),
    "nothing swept": ("grid(n=[])", "at least one value"),
    "nested cases": ("[grid(n=2), grid(n=3)]", "join the lists"),
    "replicates": ("grid(n=2, replicates=0)", "whole number from 1 on"),
}


@pytest.mark.parametrize("name", BAD_PARAMETERS)
def test_bad_parameters(name: str, lab: Lab, is_one_sentence: Sentence) -> None:
    cases, words = BAD_PARAMETERS[name]
    lab.write(toys.weight((CASES, f"cases={cases}")))
    require_refused(lab.run(), is_one_sentence, words)
    assert not lab.ledger.exists()


BAD_SIGNATURES = {
    "nested tuple": ("n: tuple[int, ...]", "grid(n=((1, 2), 3))", "nested tuple"),
    "untyped nested tuple": ("n", "grid(n=((1, 2), 3))", "nested tuple"),
    "wrong entry": ("n: tuple[float, ...]", "grid(n=(1.0, 'x'))", "asks for float"),
    "not finite": ("n: float", "grid(n=float('nan'))", "must be a finite number"),
    "a dict": ("n: dict", "grid(n={})", "parameters are int, float, str, bool or flat tuples"),
    "unknown type": ("n: 'Nothing'", "grid(n=2)", "cannot be read"),
    "any keywords": ("n: int, **more: int", "grid(n=2)", "name its parameters one by one"),
}


@pytest.mark.parametrize("name", BAD_SIGNATURES)
def test_bad_signatures(name: str, lab: Lab, is_one_sentence: Sentence) -> None:
    parameter, cases, words = BAD_SIGNATURES[name]
    signature = f"def draw(rng, {parameter}):"
    whole = "def draw(n: Annotated[int, at_least(1)], a: Annotated[float, positive] = 1.0, *, rng):"
    lab.write(toys.weight((whole, signature), (CASES, f"cases={cases}")))
    require_refused(lab.run(), is_one_sentence, words)


BAD_STUDIES = {
    "syntax error": ("STUDY = ", "STUDY = = ", "line 40: invalid syntax"),
    "no study": ("STUDY = ", "SOMETHING = ", "declares no study"),
    "raises": ("import os\n", "1 / 0\n", "line 3, raises ZeroDivisionError on import"),
    "unknown module": ("import os\n", "import osx\n", "No module named 'osx'"),
    "claims twice": ("claims=[WEIGHT]", "claims=[WEIGHT, WEIGHT]", "lists toy.weight twice"),
    "claim without measure": ('measure="weight",', "", "A claim's measure is"),
    "unknown result": ('measure="weight"', 'measure="height"', "its run returns weight"),
    "unknown relation": (
        'measure="weight",',
        'measure="weight", relation="<",',
        "must be '=', '<='",
    ),
    "predict raises": ('return f["a"] *', 'return [][3] + f["a"] *', "predict raised IndexError"),
    "unknown fact": ('+ f["n"]', '+ f["m"]', "asks for the fact 'm', which is not among a, n, x"),
    "predict returns text": ('return f["a"] *', 'return "x"; f["a"] *', "must return real numbers"),
    "predict returns a shape": ('return f["a"] *', 'return f["x"][:2] *', "has shape (2,)"),
    "complex predict": ('return f["a"] *', 'return 1j * f["a"] *', "must return real numbers"),
    "predicts 0": ('return f["a"] *', 'return 0 * f["n"]; f["a"] *', "declare scale"),
    "condition raises": ('f["a"] <= 2)', 'f["a"] <= f["b"])', "asks for the fact 'b'"),
    "condition is None": ('f["a"] <= 2)', "None)", "must return real numbers"),
    "rival's shape": (
        "tolerance=1e-9,",
        'tolerance=1e-9, rivals={"r": lambda f: f["x"][:2]},',
        "has shape (2,)",
    ),
    "measure raises": (
        'measure="weight"',
        "measure=reduce.each(lambda r: 1 / 0)",
        "ZeroDivisionError",
    ),
    "few rungs": (
        'measure="weight"',
        'measure=reduce.slope("weight", over="a")',
        "at least 6 rungs",
    ),
    "drops nothing known": (CASES, f'{CASES}, controls=[drops("b", n=2)]', "'a at most 2'"),
    "unknown claim in a case": (
        "grid(n=[2, 5]",
        'grid(claims=["toy.x"], n=[2, 5]',
        "no claim 'toy.x'",
    ),
    "two experiments of one id": (
        CASES,
        f'{CASES}, controls=[instead("x", experiment='
        "__import__('theory_lab').Experiment('toy.weight', draw, draw))]",
        "two experiments 'toy.weight'",
    ),
    "a made draw": (
        "    WEIGHT = Claim(",
        "    draw = (lambda inner: lambda n, a, *, rng: inner(n, a, rng=rng))(draw)\n    WEIGHT = Claim(",
        "top level of a file",
    ),
    "cases raise": (CASES, "cases=lambda preset: [][1]", "raised IndexError"),
}


@pytest.mark.parametrize("name", BAD_STUDIES)
def test_bad_studies(name: str, lab: Lab, is_one_sentence: Sentence) -> None:
    old, new, words = BAD_STUDIES[name]
    lab.write(toys.weight((old, new)))
    require_refused(lab.run(), is_one_sentence, words)


BAD_RECORDS = {
    "draw returns an object": (FACTS, "return object()", "draw returned object"),
    "a fact is an object": (
        FACTS,
        "return dict(a=a, x=rng.uniform(1.0, 2.0, n), y=object())",
        "'y' cannot be recorded",
    ),
    "a fact has no name": (FACTS, "return {3: 4}", "it must return a dict of named values"),
    "draw changes a parameter": (
        FACTS,
        "return dict(x=rng.random(n), a=a + 1)",
        "a name of its own",
    ),
    "run returns None": (RESULT, "return None", "run returned NoneType"),
    "run returns a number": (RESULT, "return total", "run returned float"),
    "complex": (RESULT, "return dict(weight=1j)", "must be real numbers"),
    "a result is None": (RESULT, "return dict(weight=None)", "must be real numbers"),
    "a result is text": (RESULT, "return dict(weight='heavy')", "must be real numbers"),
    "ragged": (RESULT, "return dict(weight=[[1], [1, 2]])", "'weight' cannot be recorded"),
    "64 KiB": (RESULT, "return dict(weight=total, big=np.ones(9000))", "more than 64 KiB"),
    "facts of 64 KiB": (
        FACTS,
        "return dict(a=a, x=np.ones(n), big=np.ones(9000))",
        "leading underscore",
    ),
    "256 KiB": (RESULT, "return dict(weight=total, trace=dict(x=rng.random(10**5)))", "256 KiB"),
    "a trace of text": (RESULT, "return dict(weight=total, trace=dict(x='text'))", "'trace'"),
    "a trace that is none": (RESULT, "return dict(weight=total, trace=3)", "'trace'"),
}


IN_A_WORKER = ("run returns None", "64 KiB")
"""The code is the same in a worker; two of them show that the sentence travels."""


@pytest.mark.parametrize(
    ("name", "jobs"),
    [*((name, "0") for name in BAD_RECORDS), *((name, "1") for name in IN_A_WORKER)],
)
def test_bad_records(name: str, jobs: str, lab: Lab, is_one_sentence: Sentence) -> None:
    old, new, words = BAD_RECORDS[name]
    lab.write(toys.weight((old, new)))
    require_refused(lab("run", "toy.py", "--jobs", jobs), is_one_sentence, words)
    assert lab.contents() == {}


BAD_COMMANDS = {
    "unknown study": (["run", "toi"], "no study 'toi'"),
    "unknown study, close": (["judge", "weigt"], "Did you mean 'weight'?"),
    "unknown file": (["run", "there/toy.py"], "no file there/toy.py"),
    "no studies": (["challenge"], "is no STUDY in it"),
    "unknown claim": (["show", "toy.weigth", "--study", "toy.py"], "Did you mean 'toy.weight'?"),
    "unknown preset": (
        ["run", "toy.py", "--preset", "quik"],
        "no preset 'quik'; it has quick, full",
    ),
    "unknown option": (["run", "toy.py", "--fast"], "no option '--fast'"),
    "negative jobs": (["run", "toy.py", "--jobs", "-1"], "-1 is not in the range"),
    "negative deadline": (["run", "toy.py", "--deadline", "-1"], "is not in the range"),
    "deadline NaN": (["run", "toy.py", "--deadline", "nan"], "nan"),
    "timeout 0": (["run", "toy.py", "--timeout", "0"], "is not in the range"),
    "no command": (["rum", "toy.py"], "No such command 'rum'"),
    "export of nothing": (["export", "toi", "e.jsonl.xz"], "no study 'toi'"),
}


@pytest.mark.parametrize("name", BAD_COMMANDS)
def test_bad_commands(name: str, lab: Lab, is_one_sentence: Sentence) -> None:
    arguments, words = BAD_COMMANDS[name]
    lab.write(toys.WEIGHT)
    lab.write(toys.WEIGHT, "studies/weight.py")
    if name == "no studies":
        (lab.folder / "studies" / "weight.py").write_text("")
        words = "no study in ./studies"
    require_refused(lab(*arguments), is_one_sentence, words)
    assert not lab.ledger.exists()


def test_a_folder_that_cannot_be(lab: Lab, is_one_sentence: Sentence) -> None:
    lab.write(toys.WEIGHT)
    (lab.folder / "file").write_text("")
    for out in ("file", "file/results"):
        ended = lab.run("--out", out)
        require_refused(ended, is_one_sentence, "choose another one with --out", code=3)


def test_evidence_that_cannot_be_written(lab: Lab, is_one_sentence: Sentence) -> None:
    lab.write(toys.WEIGHT)
    (lab.folder / "file").write_text("")
    assert lab.run().code == 0
    ended = lab("export", "toy.py", "file/e.jsonl.xz")
    require_refused(ended, is_one_sentence, "cannot be written", code=3)


def strictly(text: str) -> list[dict[str, object]]:
    """JSON without NaN and infinities."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    rows = json.loads(text, parse_constant=refuse)
    assert isinstance(rows, list)
    return rows


def test_json_is_json(lab: Lab) -> None:
    """Also where results are NaN and infinite: null, and unresolved."""
    lab.write(
        toys.weight(
            (RESULT, "return dict(weight=[np.nan, np.inf][len(at['x']) % 2])"),
            ("tolerance=1e-9,", 'tolerance=1e-9, rivals={"none": lambda f: np.nan},'),
        )
    )
    ran, judged = lab.run("--json"), lab("judge", "toy.py", "--json")
    (row,) = strictly(judged.out)
    assert strictly(ran.out) == [row]
    assert (ran.code, judged.code) == (0, 0)
    assert row["unresolved"] == 12
    assert row["margin"] is None
    (listed,) = strictly(lab("list", "toy.py", "--json").out)
    assert listed["id"] == "toy.weight"
    assert listed["conditions"] == ["a at most 2"]
    challenged = lab("challenge", "toy.py", "--json")
    assert {row["class"] for row in strictly(challenged.out)} == {"survivor"}
    assert challenged.code == 1


def test_json_has_no_infinity(lab: Lab) -> None:
    """A margin in units of a scale that is next to nothing overflows."""
    lab.write(toys.weight(("tolerance=1e-9,", "scale=1e-310,"), ("total = 0.0", "total = 1.0")))
    (row,) = strictly(lab.run("--json").out)
    assert (row["fails"], row["margin"]) == (12, None)


def test_a_failing_claim_is_exit_code_1(lab: Lab) -> None:
    lab.write(toys.weight(("total += at", "total += 1.001 * at")))
    assert lab.run().code == 1
    assert lab("judge", "toy.py").code == 1


def test_a_study_by_name_and_by_file_is_the_same(lab: Lab) -> None:
    lab.write(toys.WEIGHT, "studies/weight.py")
    assert lab.run(study="weight").code == 0
    before = lab.contents()
    assert "0 measured, 12 already there" in lab.run(study="studies/weight.py").err
    assert lab.contents() == before


def test_show_prints_the_formula_itself(lab: Lab) -> None:
    lab.write(toys.WEIGHT)
    shown = lab("show", "toy.weight", "--study", "toy.py")
    assert 'return f["a"] * np.sum(f["x"] ** 2) + f["n"]' in shown.out
    assert "a at most 2" in shown.out


def test_options_of_a_study(lab: Lab, is_one_sentence: Sentence) -> None:
    lab.write(
        toys.weight(
            (CASES, "cases=lambda preset, o: grid(n=o.n, a=1.0, replicates=12), options=Options"),
            (
                "    WEIGHT = Claim(",
                "    from dataclasses import dataclass\n    @dataclass\n    class Options:\n"
                "        n: int = 3\n\n    WEIGHT = Claim(",
            ),
        )
    )
    assert lab.run("--n", "4").code == 0
    assert {record.params["n"] for record in lab.records()} == {4}
    require_refused(lab.run("--n", "four"), is_one_sentence, "invalid int value")
    require_refused(lab.run("--m", "4"), is_one_sentence, "--m")


def test_a_file_that_is_not_text(lab: Lab, is_one_sentence: Sentence) -> None:
    (lab.folder / "toy.py").write_bytes(b"STUDY = '\xff\x00'")
    require_refused(lab.run(), is_one_sentence, "toy.py")
    (lab.folder / "studies").mkdir()
    Path("studies/bad.py").write_bytes(b"\nSTUDY = '\xff\x00'")
    require_refused(lab("run"), is_one_sentence, "bad.py")


@pytest.mark.parametrize("jobs", ["0", "2"])
def test_missing_data_stops_only_what_needs_it(jobs: str, lab: Lab) -> None:
    missing = (
        'if n == 5:\n            from theory_lab import StorageError\n\n            raise StorageError("'
        'The data file x.npz is missing: put it at .data/x.npz.")\n        return dict(a=a,'
    )
    lab.write(toys.weight(("return dict(a=a,", missing)))
    ended = lab("run", "toy.py", "--jobs", jobs)
    assert ended.code == 3
    assert "The data file x.npz is missing" in ended.err
    assert "Traceback" not in ended.err
    assert len(lab.contents()) == 6


TWO_CLAIMS = (
    'STUDY = Study("toy", claims=[WEIGHT],',
    """HEAVY = Claim(
        "toy.heavy", WEIGHT.source, "The weight is at least n.", draw=draw, run=run,
        measure="weight", relation=">=", predict=lambda f: f["n"],
    )
    STUDY = Study("toy", claims=[WEIGHT, HEAVY],""",
)


@pytest.mark.parametrize(
    ("pattern", "chosen"),
    [("heavy", {"toy.heavy"}), ("toy.w*t", {"toy.weight"}), ("toy", {"toy.heavy", "toy.weight"})],
)
def test_claims_are_chosen_by_a_part_of_their_name(
    pattern: str, chosen: set[str], lab: Lab
) -> None:
    lab.write(toys.weight(TWO_CLAIMS, (CASES, 'cases=grid(n=2, claims=["toy.weight"])'
                                       ' + grid(n=[3, 4], claims=["toy.heavy"])')))  # fmt: skip
    ended = lab.run("-k", pattern, "--json")
    assert {row["id"] for row in json.loads(ended.out)} == chosen
    cells = {"toy.weight": 1, "toy.heavy": 2}
    assert len(lab.records()) == sum(cells[name] for name in chosen)
    judged = lab("judge", "toy.py", "-k", pattern, "--json")
    assert {row["id"] for row in json.loads(judged.out)} == chosen
    assert lab("challenge", "toy.py", "-k", "nothing like it").code == 2


def test_patterns_that_no_claim_has(lab: Lab, is_one_sentence: Sentence) -> None:
    lab.write(toys.weight())
    ended = lab.run("-k", "wait", "-k", "see")
    require_refused(ended, is_one_sentence, "No claim has 'wait' or 'see' in its id")
