"""From records to enclosures: slopes, means, frequencies, distances, against independent ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tests.tolerances import rtol
from theory_lab import Measurement, Record, UsageError
from theory_lab.core import reduce
from theory_lab.core.reduce import LEVEL


def records(values: Any, name: str = "v") -> list[Record]:
    return [
        Record("toy.e", {"n": 1}, number, {}, {name: Measurement.exact(value)})
        for number, value in enumerate(values)
    ]


def ladder(steps: Any, values: Any) -> list[Record]:
    """values: (replicates, rungs, …)."""
    return [
        Record("toy.e", {"step": step}, replicate, {}, {"v": Measurement.exact(value)})
        for replicate, row in enumerate(values)
        for step, value in zip(steps, row, strict=True)
    ]


STEPS = [0.5**k for k in range(7)]


@given(st.floats(-4, 4), st.floats(1e-3, 1e3), st.permutations(STEPS))
def test_slopes_of_power_laws_are_exact(p: float, factor: float, steps: list[float]) -> None:
    values = [[factor * step**p for step in steps]]
    found = reduce.slope("v", over="step")(ladder(steps, values), "=")
    assert found.kind == "estimated"
    assert np.allclose([found.low, found.high], p, rtol=0, atol=1e-10)  # logarithms of 1e3


@given(st.lists(st.floats(-3, 3), min_size=2, max_size=5))
def test_slopes_of_replicates_span_their_interval(powers: list[float]) -> None:
    values = [[step**p for step in STEPS] for p in powers]
    found = reduce.slope("v", over="step")(ladder(STEPS, values), "=")
    assert np.allclose([found.low, found.high], [min(powers), max(powers)], atol=1e-10)


def test_a_slope_without_replicates_shows_its_curvature() -> None:
    """The enclosure is what becomes of the slope without its coarsest or finest rung."""
    x = np.log(STEPS)
    values = np.exp(x + 0.05 * x**2)
    fits = [np.polyfit(x[part], np.log(values[part]), 1)[0] for part in
            (slice(None), slice(1, None), slice(None, -1))]  # fmt: skip
    found = reduce.slope("v", over="step")(ladder(STEPS, [values]), "=")
    assert np.allclose([found.low, found.high], [min(fits), max(fits)], rtol=1e-9)
    assert found.low < found.high


def test_slopes_of_vectors_are_taken_entry_by_entry() -> None:
    values = [[np.array([step, step**2]) for step in STEPS]]
    found = reduce.slope("v", over="step")(ladder(STEPS, values), "=")
    assert np.allclose(found.value, [1, 2])


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan])
def test_a_value_that_has_no_logarithm_gives_no_slope(bad: float) -> None:
    found = reduce.slope("v", over="step")(ladder(STEPS, [[bad, *STEPS[1:]]]), "=")
    assert np.isnan(found.value)


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        (STEPS[:5], "at least 6 rungs"),
        ([1.0, 1.0, *STEPS[:5]], "one cell each"),
        ([0.0, *STEPS], "rungs above 0"),
    ],
)
def test_ladders_that_show_nothing(steps: list[float], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        reduce.slope("v", over="step")(ladder(steps, [np.ones(len(steps))]), "=")


def test_a_slope_over_what_is_no_parameter() -> None:
    with pytest.raises(UsageError, match="a parameter of that name"):
        reduce.slope("v", over="eta")(ladder(STEPS, [STEPS]), "=")


@given(st.integers(1, 400), st.data())
def test_frequencies_are_clopper_pearson(n: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, n))
    runs = records([np.arange(n) < hits])
    exact = stats.binomtest(hits, n)
    both = reduce.frequency("v")(runs, "=")
    interval = exact.proportion_ci(1 - LEVEL, "exact")
    assert np.allclose([both.low, both.high], interval, rtol=1e-7, atol=1e-12)
    one_sided = 1 - 2 * LEVEL
    for relation in ("<=", ">="):
        found = reduce.frequency("v")(runs, relation)
        interval = exact.proportion_ci(one_sided, "exact")
        assert np.allclose([found.low, found.high], interval, rtol=1e-7, atol=1e-12)
        assert both.low <= found.low
        assert found.high <= both.high
    assert (both.kind, both.level) == ("statistical", LEVEL)


@pytest.mark.parametrize(("relation", "p"), [("<=", 0.1), (">=", 0.9)])
def test_one_sided_intervals_miss_as_rarely_as_they_say(relation: str, p: float) -> None:
    """A true frequency beyond the end that decides has probability at most the level, exactly."""
    n = 60
    misses = 0.0
    for hits in range(n + 1):
        found = reduce.frequency("v", level=0.05)(records([np.arange(n) < hits]), relation)
        beyond = found.high < p if relation == "<=" else found.low > p
        misses += stats.binom.pmf(hits, n, p) * beyond
    assert 0.005 < misses <= 0.05


def test_frequencies_are_pooled_over_records_and_entries() -> None:
    runs = records([np.array([[1, 0], [1, 1]]), np.array([[0, 0]])])
    found = reduce.frequency("v")(runs, "=")
    alone = [
        reduce.frequency("v")(records([[1, 1, 0]]), "="),
        reduce.frequency("v")(records([[0, 1, 0]]), "="),
    ]
    assert found.shape == (2,)
    assert found.low[0] < alone[0].low, "two entries share one level"
    with pytest.raises(UsageError, match="0 or 1"):
        reduce.frequency("v")(records([0.5]), "=")


@given(
    st.lists(st.floats(-10, 10), min_size=2, max_size=50, unique=True),
    st.sampled_from(["=", "<=", ">="]),
)
def test_means_are_students(values: list[float], relation: str) -> None:
    found = reduce.mean("v")(records(values), relation)
    level = LEVEL if relation == "=" else 2 * LEVEL
    low, high = stats.t.interval(1 - level, len(values) - 1, np.mean(values), stats.sem(values))
    assert np.allclose([found.low, found.high], [low, high], rtol=1e-7)
    assert (found.kind, found.level) == ("statistical", LEVEL)


def test_means_of_one_run_are_refused() -> None:
    with pytest.raises(UsageError, match="raise replicates"):
        reduce.mean("v")(records([1.0]), "=")


def test_paired_differences() -> None:
    rng = np.random.default_rng(1)
    first = rng.standard_normal(40)
    second = first + 0.1 + 0.01 * rng.standard_normal(40)
    runs = [
        Record("toy.e", {}, i, {}, {"a": Measurement.exact(a), "b": Measurement.exact(b)})
        for i, (a, b) in enumerate(zip(first, second, strict=True))
    ]
    found = reduce.paired_difference("a", "b")(runs, "=")
    direct = reduce.mean("v")(records(first - second), "=")
    assert np.allclose([found.low, found.high], [direct.low, direct.high], rtol=rtol())
    assert found.high < 0


def test_contrasts_pair_the_rungs_of_a_replicate() -> None:
    rng = np.random.default_rng(2)
    base, gain = rng.standard_normal(6), 0.5 + 0.01 * rng.standard_normal(6)
    cells = [
        Record("toy.e", {"method": method}, i, {}, {"v": Measurement.exact(value)})
        for i in range(6)
        for method, value in (("old", base[i]), ("new", base[i] + gain[i]), ("other", 9.0))
    ]
    contrast = reduce.paired_contrast("v", "method", "new", "old", level=0.05)
    found = contrast(cells[::-1], ">=")
    direct = reduce.mean("v", level=0.05)(records(gain), ">=")
    assert np.allclose([found.low, found.high], [direct.low, direct.high], rtol=rtol())
    assert found.level == 0.05
    assert found.low > 0.45
    with pytest.raises(UsageError, match="same replicates"):
        contrast(cells[1:], ">=")


@pytest.mark.parametrize("shift", [-0.3, 0.0, 0.3])
def test_distances_are_kolmogorovs(shift: float) -> None:
    sample = np.random.default_rng(2).standard_normal(3000) + shift
    runs = records([sample[:1000], sample[1000:]])
    for law in ("norm", stats.norm.cdf):
        found = reduce.distance_to_law("v", law)(runs, "<=")
        distance = stats.kstest(sample, "norm").statistic
        reach = math.sqrt(math.log(2 / LEVEL) / (2 * 3000))
        ends = [max(0, distance - reach), distance + reach]
        assert np.allclose([found.low, found.high], ends, rtol=1e-9)
        assert (found.low > 0.03) == (shift != 0)


def test_distances_of_nothing() -> None:
    assert math.isnan(reduce.distance_to_law("v", "norm")(records([[1.0, math.nan]]), "<=").value)
    with pytest.raises(UsageError, match="at least one run"):
        reduce.distance_to_law("v", "norm")(records([[]]), "<=")


def test_a_quantity_may_be_a_function_of_the_record() -> None:
    found = reduce.each(lambda record: record.results["v"].value ** 2)(records([3.0]), "=")
    assert found.value == 9.0


@given(st.floats(-1e308, 1e308), st.floats(0, 1e308))
def test_the_middle_lies_in_the_enclosure(low: float, width: float) -> None:
    high = min(low + width, 1.7e308)
    assert low <= Measurement.certified(low, high).value <= high


@pytest.mark.parametrize(
    ("low", "high", "more"),
    [
        (2.0, 1.0, {}),
        (1j, 1j, {}),
        (None, None, {}),
        (0.0, 1.0, {"kind": "sure"}),
        (0.0, 1.0, {"level": 1.0}),
    ],
)
def test_enclosures_that_are_none(low: Any, high: Any, more: dict) -> None:
    with pytest.raises(ValueError, match=r"low end|real numbers|kind|level"):
        Measurement(np.asarray(low), np.asarray(high), **more)
