"""Controls must break the claim, and exactly what they say."""

from __future__ import annotations

import json
from typing import Any

from tests import toys
from tests.conftest import Lab

CASES = "cases=grid(n=[2, 5], a=[0.5, 2.0], replicates=3)"


def judged(lab: Lab, controls: str, *changes: tuple[str, str]) -> tuple[dict[str, Any], str]:
    lab.write(toys.weight((CASES, f"{CASES}, controls={controls}"), *changes))
    ended = lab.run("--json")
    (row,) = json.loads(ended.out)
    return row, lab("judge", "toy.py").out


BREAKS_ABOVE_2 = ('total += at["a"] * entry', 'total += min(at["a"], 2.0) * entry')
"""The toy's law is true for a <= 2 only."""


def test_a_dropped_condition_that_breaks_the_claim(lab: Lab) -> None:
    row, told = judged(lab, '[drops("a at most 2", n=3, a=4.0, replicates=2)]', BREAKS_ABOVE_2)
    assert row["holds"] == 12
    assert row["controls"] == [
        {"kind": "dropped condition", "name": "a at most 2", "cases": 2, "broken": 2}
    ]
    assert row["not_shown_necessary"] == []
    assert "not shown necessary" not in told


def test_a_dropped_condition_that_breaks_nothing_is_labelled(lab: Lab) -> None:
    row, told = judged(lab, '[drops("a at most 2", n=3, a=4.0, replicates=2)]')
    assert row["controls"][0]["broken"] == 0
    assert row["not_shown_necessary"] == ["a at most 2"]
    assert "not shown necessary" in told


def test_controls_that_drop_something_else_do_not_count(lab: Lab) -> None:
    """None of the conditions is false, or one more than the one that is named."""
    second = (
        'conditions=[Condition("a at most 2"',
        'conditions=[Condition("n at most 10", lambda f: f["n"] <= 10), Condition("a at most 2"',
    )
    both = '[drops("a at most 2", n=[3, 11], a=[1.0, 4.0])]'
    row, told = judged(lab, both, BREAKS_ABOVE_2, second)
    assert (row["controls"][0]["cases"], row["controls"][0]["broken"]) == (1, 1)
    assert "3 cases of dropped condition 'a at most 2' do not break exactly" in told
    assert row["not_shown_necessary"] == ["n at most 10"]


def test_a_rival_computation(lab: Lab) -> None:
    """By another result, another method, another experiment; on the claim's own cases or others."""
    changes = (
        ("def run(at, *, rng):", "def run(at, *, method: str = 'square', rng):"),
        (
            "return dict(weight=total)",
            "return dict(weight=total * (1 + (method != 'square')), norm=1.0)",
        ),
        (
            "    WEIGHT = Claim(",
            "    from theory_lab import Experiment\n"
            "    def light(at, *, rng):\n        return dict(weight=1.0)\n\n    WEIGHT = Claim(",
        ),
    )
    controls = (
        '[instead("the norm", measure="norm"), instead("a method", n=3, method="other"),'
        ' instead("the same", n=3, method="square"),'
        ' instead("an experiment", experiment=Experiment("toy.light", draw, light))]'
    )
    row, told = judged(lab, controls, *changes)
    broken = {control["name"]: (control["cases"], control["broken"]) for control in row["controls"]}
    assert broken == {
        "the norm": (12, 12), "a method": (1, 1), "the same": (1, 0), "an experiment": (12, 12)
    }  # fmt: skip
    assert "rival computation 'the same' breaks nothing in 1 cases" in told


def test_a_rival_measure_that_looks_at_all_records(lab: Lab) -> None:
    """The claim is judged record by record, its rival case by case."""
    mean = "measure=lambda records: 1e6 * len(records)"
    row, _ = judged(lab, f'[instead("the number of records", {mean})]')
    assert row["controls"][0]["cases"] == row["controls"][0]["broken"] == 4


def test_a_rival_formula_is_judged_inside_only(lab: Lab) -> None:
    rivals = 'tolerance=1e-9, rivals={"without n": lambda f: f["a"] * np.sum(f["x"] ** 2)},'
    lab.write(toys.weight(("tolerance=1e-9,", rivals), ("a=[0.5, 2.0]", "a=[0.5, 3.0]")))
    (row,) = json.loads(lab.run("--json").out)
    assert row["outside"] == 6
    assert row["controls"] == [
        {"kind": "rival formula", "name": "without n", "cases": 6, "broken": 6}
    ]
