"""Does challenge notice a changed formula? Each class of mutant from a toy claim that has it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tests.conftest import Lab
from theory_lab import Claim, Measurement, Source
from theory_lab.core import reduce
from theory_lab.core.evidence import Evidence, judge_one
from theory_lab.core.judge import Observation
from theory_lab.lab.assess import Assessment
from theory_lab.lab.mutants import challenge

SCALED = ("x2", "x1/2", "x1.01", "x0.99")


def classes(predict: Any, cases: list[Measurement], **more: Any) -> dict[str, str]:
    """The class of every mutant of a claim; the facts of a case are its number `i` and truth `t`."""

    def nothing(*_: Any, rng: Any) -> dict:
        return {}

    given: dict[str, Any] = {"measure": "v", "draw": nothing, "run": nothing, **more}
    claim = Claim("toy.claim", Source("a toy", "here"), "says", predict=predict, **given)
    seen = [Observation({"i": i, "t": case.value}, case) for i, case in enumerate(cases)]
    evidence = Evidence(claim, [judge_one(claim, one) for one in seen])
    return {c.mutant: c.verdict for c in challenge(Assessment(claim, evidence, [], 0))}


def exactly(values: Any) -> list[Measurement]:
    return [Measurement.exact(value) for value in values]


VALUES = [1.0, 2.0, -3.0, 5.0] * 3
POSITIVE = [1.0, 2.0, 3.0, 5.0] * 3


def truth(f: Any) -> float:
    return f["t"]


def test_a_sharp_equality_refutes_all() -> None:
    assert classes(truth, exactly(VALUES)) == dict.fromkeys(SCALED, "refuted")


def test_a_tight_bound_is_one_sided() -> None:
    found = classes(truth, exactly(POSITIVE), relation="<=")
    assert found == {"x2": "one-sided", "x1.01": "one-sided", "x1/2": "refuted", "x0.99": "refuted"}
    found = classes(truth, exactly(POSITIVE), relation=">=")
    assert found == {"x2": "refuted", "x1.01": "refuted", "x1/2": "one-sided", "x0.99": "one-sided"}


def test_a_bound_of_negative_numbers_is_loosened_the_other_way() -> None:
    found = classes(truth, exactly([-v for v in POSITIVE]), relation="<=")
    assert found == {"x2": "refuted", "x1.01": "refuted", "x1/2": "one-sided", "x0.99": "one-sided"}


def test_a_bound_with_room_is_slack_and_no_more() -> None:
    found = classes(lambda f: f["t"] * 1.2, exactly(POSITIVE), relation="<=")
    assert found == {"x2": "one-sided", "x1.01": "one-sided", "x1/2": "refuted", "x0.99": "slack"}


def test_a_bound_that_no_large_change_breaks_shows_nothing() -> None:
    found = classes(lambda f: f["t"] * 100, exactly(POSITIVE), relation="<=")
    assert found["x2"] == found["x1/2"] == "survivor"


STATISTICAL = [Measurement.statistical(v * 0.95, v * 1.05, 1e-6) for v in POSITIVE]


def test_what_an_interval_cannot_see_is_below_resolution() -> None:
    found = classes(truth, STATISTICAL, tolerance=0.02)
    assert found == {
        "x2": "refuted", "x1/2": "refuted", "x1.01": "below resolution", "x0.99": "below resolution"
    }  # fmt: skip


def test_exact_claims_are_not_excused() -> None:
    """A wide tolerance on exact numbers, or a wide certified interval, lets 1 % survive."""
    for cases in (exactly(POSITIVE), [Measurement.certified(v * 0.95, v * 1.05) for v in POSITIVE]):
        found = classes(truth, cases, tolerance=0.05)
        assert (found["x1.01"], found["x0.99"], found["x2"]) == ("survivor", "survivor", "refuted")


def test_the_tolerance_moves_with_the_prediction() -> None:
    """Where no scale is declared it is relative to the changed formula, as if it were the claim's."""
    assert classes(truth, exactly(POSITIVE), tolerance=0.6)["x2"] == "survivor"
    declared = classes(truth, exactly(POSITIVE), tolerance=0.6, scale=lambda f: abs(f["t"]))
    assert declared["x2"] == "refuted"


def test_one_sharp_kind_excuses_nothing() -> None:
    """If any case is exact, the claim as a whole must resolve what exact claims resolve."""
    found = classes(truth, [*STATISTICAL, Measurement.exact(1.0)], tolerance=0.05)
    assert found["x1.01"] == "survivor"


def test_a_wide_interval_is_excused_up_to_its_kind() -> None:
    wide = [Measurement.statistical(v * 0.1, v * 1.9, 1e-6) for v in POSITIVE]
    found = classes(truth, wide, tolerance=0.1)
    assert found["x2"] == found["x1/2"] == "survivor", "20 % is excused, a factor of 2 is not"
    assert found["x1.01"] == "below resolution"


def test_rates_are_excused_10_percent() -> None:
    wide = [Measurement.estimated(v * 0.95, v * 1.05) for v in POSITIVE]
    rate = reduce.slope("v", over="step")
    found = classes(truth, wide, tolerance=0.01, measure=rate)
    assert found["x1.01"] == "below resolution"
    assert found["x2"] == "refuted"


def test_predictions_of_0_move_by_a_part_of_the_scale() -> None:
    found = classes(lambda f: 0.0, exactly([0.0] * 12), scale=3.0)
    assert found == {"+1 % of scale": "refuted", "-1 % of scale": "refuted"}
    found = classes(lambda f: 0.0, exactly([0.0] * 12), scale=3.0, relation="<=")
    assert found == {"+1 % of scale": "one-sided", "-1 % of scale": "refuted"}
    found = classes(lambda f: 0.0, exactly([0.0] * 12), scale=3.0, tolerance=0.1)
    assert set(found.values()) == {"survivor"}


def test_some_predictions_of_0_among_others() -> None:
    """At the zeros, too, the mutant differs; where only they could refute it, it survives."""
    found = classes(truth, exactly([0.0, 1.0] * 6), scale=1.0)
    assert found == dict.fromkeys(SCALED, "refuted")


@pytest.mark.parametrize("whole", [3, np.int64(3), np.array([3, 4]), True, 0])
def test_whole_numbers_move_by_1(whole: Any) -> None:
    cases = exactly([np.asarray(whole, dtype=float)] * 12)
    found = classes(lambda f: whole, cases, scale=1.0)
    assert found == {"+1": "refuted", "-1": "refuted"}
    found = classes(lambda f: whole, cases, scale=1.0, relation="<=")
    assert found == {"+1": "one-sided", "-1": "refuted"}


def test_rivals() -> None:
    rivals = {
        "wrong": lambda f: f["t"] * 1.001,
        "the same": lambda f: f["t"] * 1.0,
        "undefined": lambda f: np.nan,
        "wrong once": lambda f: f["t"] + (f["i"] == 7),
    }
    found = classes(truth, exactly(POSITIVE), rivals=rivals)
    assert {name: found[name] for name in rivals} == {
        "wrong": "refuted", "the same": "equivalent", "undefined": "survivor", "wrong once": "refuted"
    }  # fmt: skip


def test_a_claim_without_evidence_survives_everything() -> None:
    assert set(classes(truth, []).values()) == {"survivor"}


def test_empirical_claims_are_challenged_by_their_rivals_only() -> None:
    found = classes(
        truth, exactly(POSITIVE), basis="empirical", rivals={"r": lambda f: 0.0}, scale=1.0
    )
    assert found == {"r": "refuted"}


def test_a_formula_that_is_undefined_somewhere_does_not_stop_the_challenge() -> None:
    found = classes(lambda f: f["t"] / (f["i"] != 3), exactly(POSITIVE))
    assert found["x2"] == "refuted"


STUDY = """
    import numpy as np

    from theory_lab import Claim, Source, Study, grid
    from theory_lab.core import reduce


    def draw(n: int, *, rng):
        return dict(n=n, x=rng.uniform(1.0, 3.0, n))


    def run(at, *, step: float = 1.0, rng):
        square = 0.0
        for entry in at["x"]:
            square += entry * entry
        noisy = rng.normal(at["n"], 1.0, 2000)
        return dict(square=square + at["n"], decay=step**2, noisy=noisy, above=noisy > at["n"])


    def claim(name, predict, **more):
        return Claim(f"toy.{name}", Source("a toy", "made up"), "says", draw=None, run=None,
                     experiment=EXPERIMENT, predict=predict, **more)


    from theory_lab import Experiment
    EXPERIMENT = Experiment("toy.e", draw, run)
    TRUE = dict(
        square=lambda f: np.sum(f["x"] ** 2) + f["n"],
        rate=lambda f: 2.0,
        mean=lambda f: float(f["n"]),
        frequency=lambda f: 0.5,
    )
    FALSE = dict(
        square=dict(
            constant=lambda f: 1.01 * np.sum(f["x"] ** 2) + f["n"],
            exponent=lambda f: np.sum(f["x"] ** 2) ** 0.99 + f["n"],
            dropped_term=lambda f: np.sum(f["x"] ** 2),
            norm=lambda f: np.sum(np.abs(f["x"])) ** 2 + f["n"],
        ),
        rate=dict(exponent=lambda f: 1.8, constant=lambda f: 2.05),
        mean=dict(constant=lambda f: 1.2 * f["n"], dropped_term=lambda f: f["n"] - 0.3),
        frequency=dict(constant=lambda f: 0.6),
    )
    HOW = dict(
        square=dict(measure="square"),
        rate=dict(measure=reduce.slope("decay", over="step"), tolerance=1e-3),
        mean=dict(measure=reduce.mean("noisy"), tolerance=0.1),
        frequency=dict(measure=reduce.frequency("above"), tolerance=0.13),
    )
    LADDER = grid(n=list(range(2, 13)), over=dict(step=[0.5**k for k in range(6)]), replicates=2)
"""

PLANTED = [
    "square constant", "square exponent", "square dropped_term", "square norm", "rate exponent",
    "rate constant", "mean constant", "mean dropped_term", "frequency constant",
]  # fmt: skip


@pytest.mark.parametrize("planted", PLANTED)
def test_planted_false_theorems_are_refuted(planted: str, lab: Lab) -> None:
    """As the claim itself, and as a rival of the true one."""
    name, wrong = planted.split()
    lab.write(STUDY, "base.py")
    head = "from base import *\n"
    false = f'FALSE["{name}"]["{wrong}"], **HOW["{name}"]'
    lab.write(
        f'{head}STUDY = Study("toy", claims=[claim("{name}", {false})], cases=LADDER)\n', "false.py"
    )
    lab.write(
        f'{head}RIVALS = dict(rivals={{"planted": FALSE["{name}"]["{wrong}"]}}, **HOW["{name}"])\n'
        f'STUDY = Study("toy", claims=[claim("{name}", TRUE["{name}"], **RIVALS)], cases=LADDER)\n',
        "true.py",
    )
    assert lab.run(study="true.py").code == 0
    (true,) = json.loads(lab("judge", "true.py", "--json").out)
    assert (true["status"], true["fails"]) == ("holds", 0)
    judged = lab("judge", "false.py", "--json")
    (false_row,) = json.loads(judged.out)
    assert false_row["status"] == "fails"
    assert judged.code == 1
    assert "0 measured" in lab.run(study="false.py").err, "another formula costs no run"
    challenged = json.loads(lab("challenge", "true.py", "--json").out)
    assert {"claim": f"toy.{name}", "mutant": "planted", "class": "refuted"} in challenged
    assert "survivor" not in {row["class"] for row in challenged}
