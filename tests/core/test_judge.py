"""Laws of the one rule: an enclosure inside, outside or across the allowed set."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from theory_lab import Claim, Condition, Measurement, Record, Source, UsageError
from theory_lab.core import evidence, judge, reduce
from theory_lab.core.evidence import Evidence, judge_one
from theory_lab.core.judge import Observation

RELATIONS = ("=", "<=", ">=")

sizes = st.floats(1e-3, 1e3) | st.floats(-1e3, -1e-3)
numbers = sizes | st.just(0.0)
widths = st.floats(0.0, 10.0) | st.just(0.0)
tolerances = st.sampled_from([1e-12, 1e-7, 1e-3, 0.1])
relations = st.sampled_from(RELATIONS)


def claim(relation: str = "=", predict: Any = lambda f: f["p"], **more: Any) -> Claim:
    given: dict[str, Any] = {"measure": "v", "draw": _none, "run": _none, **more}
    return Claim("toy.claim", Source("a toy", "here"), "says", relation, predict, **given)


def _none(*_: Any, rng: Any) -> dict:
    return {}


def seen(p: Any, low: Any, high: Any = None, **facts: Any) -> Observation:
    ends = (np.asarray(low), np.asarray(low if high is None else high))
    return Observation({"p": p, **facts}, Measurement.certified(*ends))


def status(asked: Claim, observation: Observation) -> str:
    return judge_one(asked, observation).verdict.status


def allowed(relation: str, p: float, s: float) -> tuple[float, float]:
    return (-math.inf if relation == "<=" else p - s, math.inf if relation == ">=" else p + s)


@given(relations, numbers, numbers, widths, tolerances, st.floats(0.01, 100.0))
def test_the_rule(
    relation: str, p: float, low: float, width: float, tolerance: float, scale: float
) -> None:
    high = low + width
    bottom, top = allowed(relation, p, tolerance * scale)
    expected = (
        "holds" if bottom <= low and high <= top
        else "fails" if high < bottom or low > top
        else "unresolved"
    )  # fmt: skip
    # Where an end touches the edge to the last digit, rounding decides.
    near = 1e-12 * (abs(p) + abs(low) + abs(high) + scale)
    assume(min(abs(end - edge) for end in (low, high) for edge in (bottom, top)) > near)
    asked = claim(relation, tolerance=tolerance, scale=scale)
    verdict = judge_one(asked, seen(p, low, high)).verdict
    assert verdict.status == expected
    assert verdict.margin is not None
    assert (verdict.margin >= 0) == (expected == "holds")


@given(relations, sizes, widths, tolerances)
def test_without_a_scale_the_tolerance_is_relative(
    relation: str, p: float, width: float, tolerance: float
) -> None:
    observation = seen(p, p - width, p + width)
    bare = judge_one(claim(relation, tolerance=tolerance), observation).verdict
    declared = judge_one(
        claim(relation, tolerance=tolerance, scale=lambda f: abs(f["p"])), observation
    )
    assert bare == declared.verdict


@given(sizes, widths, tolerances)
def test_equality_is_both_inequalities(p: float, width: float, tolerance: float) -> None:
    for low, high in ((p - width, p + width), (p, p + width), (p + 2 * width, p + 3 * width)):
        observation = seen(p, low, high)
        equal, below, above = (
            status(claim(r, tolerance=tolerance), observation) for r in ("=", "<=", ">=")
        )
        assert (equal == "holds") == (below == above == "holds")
        assert (equal == "fails") == ("fails" in (below, above))


@given(sizes, st.floats(0, 5), tolerances)
def test_an_inequality_read_backwards(p: float, width: float, tolerance: float) -> None:
    at_most = status(claim("<=", tolerance=tolerance), seen(p, p - 1, p - 1 + width))
    at_least = status(claim(">=", tolerance=tolerance), seen(-p, 1 - p - width, 1 - p))
    assert at_most == at_least


@pytest.mark.parametrize("relation", RELATIONS)
@pytest.mark.parametrize(
    ("p", "low", "high"),
    [
        (math.nan, 1.0, 1.0), (math.inf, 1.0, 1.0), (-math.inf, 1.0, 1.0),
        (1.0, math.nan, math.nan), (1.0, math.inf, math.inf), (1.0, -math.inf, 1.0),
        (1.0, -math.inf, math.inf), ([1.0, 1.0], [1.0, math.nan], [1.0, math.nan]),
        ([1.0, math.inf], [9.0, 1.0], [9.0, 1.0]),
    ],
)  # fmt: skip
def test_what_is_not_finite_is_unresolved(relation: str, p: Any, low: Any, high: Any) -> None:
    verdict = judge_one(claim(relation), seen(np.asarray(p), low, high)).verdict
    assert (verdict.status, verdict.margin, verdict.reason) == ("unresolved", None, "not finite")


def test_a_formula_that_divides_by_zero_is_unresolved() -> None:
    asked = claim(predict=lambda f: 1 / (f["p"] - f["p"]))
    assert judge_one(asked, seen(1.0, 1.0)).verdict.reason == "not finite"


@given(st.lists(st.sampled_from(["holds", "fails", "unresolved"]), min_size=1, max_size=6))
def test_the_worst_entry_decides(entries: list[str]) -> None:
    ends = {"holds": (1.0, 1.0), "fails": (2.0, 3.0), "unresolved": (0.5, 1.5)}
    low, high = np.array([ends[entry] for entry in entries]).T
    worst = next(s for s in ("fails", "unresolved", "holds") if s in entries)
    assert status(claim(), seen(np.ones(len(entries)), low, high)) == worst
    assert status(claim(), seen(1.0, low, high)) == worst, "one prediction for all entries"


def test_outside_is_said_with_its_condition() -> None:
    asked = claim(conditions=[Condition("p positive", lambda f: f["p"] > 0)])
    judged = judge_one(asked, seen(-1.0, 5.0))
    assert judged.verdict.status == "outside"
    assert judged.verdict.reason == "condition false: p positive"
    assert judge_one(asked, seen(-1.0, 5.0), ignore_conditions=True).verdict.status == "fails"
    assert judge_one(asked, seen(1.0, 1.0)).verdict.status == "holds"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, True), (np.bool_(False), False), (1, True), (np.array([True, True]), True),
        (np.array([True, False]), False), (math.nan, False), (np.array([1.0, math.nan]), False),
    ],
)  # fmt: skip
def test_truth_of_conditions(value: Any, expected: bool) -> None:
    asked = claim(conditions=[Condition("c", lambda f: value)])
    assert (not judge.false_conditions(asked, {"p": 1.0})) == expected


def test_an_undefined_condition_does_not_hold() -> None:
    asked = claim(conditions=[Condition("c", lambda f: 1 / f["zero"] > 0)])
    assert status(asked, seen(1.0, 1.0, zero=0.0)) == "outside"


def test_a_prediction_of_0_needs_a_scale() -> None:
    for p in (0.0, 0, np.array([1.0, 0.0])):
        with pytest.raises(UsageError, match="declare scale"):
            judge_one(claim(), seen(p, np.zeros(np.shape(p))))
        assert status(claim(scale=1.0), seen(p, np.asarray(p, dtype=float))) == "holds"


def test_a_scale_of_0_resolves_nothing() -> None:
    asked = claim(scale=lambda f: 0.0)
    verdict = judge_one(asked, seen(0.0, 0.0)).verdict
    assert (verdict.status, verdict.reason) == ("unresolved", "scale is 0")
    told = Evidence(asked, [judge_one(asked, seen(0.0, 0.0))])
    assert told.resolution_up is None


def test_an_empty_measurement_resolves_nothing() -> None:
    asked = claim("<=", scale=1.0)
    judged = judge_one(asked, seen(np.ones(0), np.ones(0)))
    assert (judged.verdict.status, judged.verdict.reason) == ("unresolved", "nothing was measured")
    told = Evidence(asked, [judged])
    assert (told.resolution_down, told.tightness, told.entries) == (None, None, 0)


@pytest.mark.parametrize(
    ("p", "measured"), [((2,), (3,)), ((2,), ()), ((3, 1), (3,)), ((2, 3), (3,))]
)
def test_shapes_that_do_not_go_together(p: tuple, measured: tuple) -> None:
    for asked in (claim(), claim(scale=1.0)):
        with pytest.raises(UsageError) as raised:
            judge_one(asked, seen(np.ones(p), np.ones(measured)))
        assert str(p) in str(raised.value)
        assert str(measured) in str(raised.value)


@given(relations, sizes, st.floats(-0.5, 0.5), st.floats(0, 0.2), tolerances, st.booleans())
def test_resolution_is_where_refutation_begins(
    relation: str, p: float, offset: float, width: float, tolerance: float, declared: bool
) -> None:
    """A relative change of the prediction just beyond it is refuted, one just below it is not."""
    low = p * (1 + offset)
    more = {"scale": 2.0} if declared else {}
    asked = claim(relation, tolerance=tolerance, **more)
    observation = seen(p, low, low + width)
    told = Evidence(asked, [judge_one(asked, observation)])
    for change, sign in ((told.resolution_up, 1), (told.resolution_down, -1)):
        if change is None:
            assert relation == ("<=" if sign == 1 else ">=")
            continue
        for factor, refuted in ((1 + 1e-6, True), (1 - 1e-6, False)):
            moved = p + sign * abs(p) * (change * factor + (1e-13 if refuted else -1e-13))
            if change == 0 and not refuted:
                continue
            changed = claim(relation, lambda f, moved=moved: moved, tolerance=tolerance, **more)
            assert (status(changed, observation) == "fails") == refuted


@given(st.sampled_from(["<=", ">="]), st.floats(1e-3, 1e3), st.floats(0, 2), st.booleans())
def test_tightness(relation: str, p: float, slack: float, negative: bool) -> None:
    """1 for a bound that is attained, and 1 - slack/size otherwise; the best case counts."""
    p = -p if negative else p
    sign = -1 if relation == "<=" else 1
    values = [p + sign * slack, p + sign * (slack + 5)]
    judged = [judge_one(claim(relation), seen(p, v)) for v in values]
    told = Evidence(claim(relation), judged)
    best = max(1 - abs(p - v) / max(abs(p), abs(v)) for v in values)
    assert told.tightness == pytest.approx(best, abs=1e-8)
    if slack == 0:
        assert told.tightness == 1
    assert Evidence(claim("="), judged).tightness is None


@pytest.mark.parametrize(
    ("cases", "size", "vacuous"), [(9, 1, True), (10, 1, False), (1, 10, False), (3, 3, True)]
)
def test_fewer_than_ten_entries_are_vacuous(cases: int, size: int, vacuous: bool) -> None:
    one = seen(1.0, np.ones(size) if size > 1 else 1.0)
    told = Evidence(claim(), [judge_one(claim(), one)] * cases)
    assert told.vacuous == vacuous
    assert told.status == ("unresolved" if vacuous else "holds")
    assert evidence.LEAST_INSIDE == 10


@given(st.integers(0, 12), st.integers(0, 2), st.integers(0, 15), st.integers(0, 3))
def test_what_the_observations_say_together(holds: int, fails: int, wide: int, away: int) -> None:
    asked = claim(conditions=[Condition("c", lambda f: f["p"] > 0)])
    observations = (
        [seen(1.0, 1.0)] * holds + [seen(1.0, 2.0)] * fails + [seen(1.0, 0.5, 1.5)] * wide
        + [seen(-1.0, 1.0)] * away
    )  # fmt: skip
    told = Evidence(asked, [judge_one(asked, one) for one in observations])
    assert told.counts == {"holds": holds, "fails": fails, "unresolved": wide, "outside": away}
    expected = (
        "fails" if fails
        else "holds" if holds + wide >= 10 and holds >= wide and holds
        else "unresolved"
    )  # fmt: skip
    assert told.status == expected


def record(facts: dict, replicate: int = 0, **results: Any) -> Record:
    measured = {name: Measurement.exact(value) for name, value in results.items()}
    return Record("toy.e", facts, replicate, facts, measured)


def test_predict_sees_facts_and_what_is_observed() -> None:
    """Nothing else that was measured is visible to it."""
    measured = record({"p": 2.0}, v=2.0, w=7.0)
    assert judge.observe(claim(), [measured]).facts == {"p": 2.0}
    assert judge.observe(claim(observed=["w"]), [measured]).facts == {"p": 2.0, "w": 7.0}
    with pytest.raises(UsageError, match="measures no 'x'; its run returns v, w"):
        judge.observe(claim(observed=["x"]), [measured])


def test_facts_of_a_group() -> None:
    """Equal facts stand once, arrays among them stay arrays; others are stacked on a new axis."""
    mu = np.array([3.0, 1.0])
    group = [
        {"mu": mu, "step": step, "name": "a", "x": np.ones(2) * step, "ragged": np.ones(int(step))}
        for step in (1.0, 2.0, 3.0)
    ]
    facts = judge.combine(group)
    assert facts["mu"] is mu
    assert facts["name"] == "a"
    assert facts["step"].tolist() == [1.0, 2.0, 3.0]
    assert facts["x"].shape == (3, 2)
    assert [len(part) for part in facts["ragged"]] == [1, 2, 3]


def test_a_measure_of_all_records() -> None:
    asked = claim(
        measure=lambda records: sum(r.results["v"].value for r in records), tolerance=1e-9
    )
    observation = judge.observe(asked, [record({"p": 3.0}, v=1.0), record({"p": 3.0}, v=2.0)])
    assert status(asked, observation) == "holds"
    with pytest.raises(UsageError, match="ZeroDivisionError"):
        judge.observe(claim(measure=reduce.each(lambda r: 1 / 0)), [record({"p": 3.0}, v=1.0)])
