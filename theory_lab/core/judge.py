"""The one rule: an enclosure inside, outside or across the allowed set.

The allowed set is [p-s, p+s] for `=`, (-inf, p+s] for `<=`, [p-s, inf) for `>=`, with p the
prediction and s = tolerance * scale. This is the only place where a formula meets a measurement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from theory_lab.core.errors import UsageError
from theory_lab.core.measurement import Measurement, Record
from theory_lab.core.reduce import Reduction
from theory_lab.core.types import Claim, Condition, Formula, Verdict

_QUIET = np.errstate(over="ignore", invalid="ignore")
"""Infinities and NaN are answered by `unresolved`, not by warnings."""


@dataclass(frozen=True, eq=False)
class Observation:
    """What one judgement rests on: the facts, and the measured enclosure.

    Under a grouped reduction, facts that are equal in all records stand once; the rest are stacked
    over the cells.
    """

    facts: Mapping[str, Any]
    measured: Measurement
    label: str = ""


@dataclass(frozen=True, eq=False)
class Comparison:
    """A prediction beside a measurement, entry by entry, all of the measurement's shape."""

    predicted: np.ndarray
    low: np.ndarray
    high: np.ndarray
    slack: np.ndarray
    scale: np.ndarray
    relation: str

    @property
    def finite(self) -> np.ndarray:
        ends = np.isfinite(self.low) & np.isfinite(self.high)
        return ends & np.isfinite(self.predicted) & np.isfinite(self.slack)

    @property
    def comparable(self) -> bool:
        """Whether there is a verdict at all: something measured, all finite, no scale of 0."""
        return self.predicted.size > 0 and bool(np.all(self.finite & (self.scale > 0)))

    @property
    @_QUIET
    def reach(self) -> np.ndarray:
        """Distance of the enclosure's far end to the edge of the allowed set, positive inside."""
        below, above = (
            self.predicted + self.slack - self.high,
            self.low - self.predicted + self.slack,
        )
        return _by_relation(self.relation, np.minimum(below, above), below, above)

    @property
    def inside(self) -> np.ndarray:
        return self.finite & (self.reach >= 0)

    @property
    @_QUIET
    def missed(self) -> np.ndarray:
        """Entries whose whole enclosure lies outside the allowed set."""
        above = self.low > self.predicted + self.slack
        below = self.high < self.predicted - self.slack
        return self.finite & _by_relation(self.relation, above | below, above, below)


def _by_relation(relation: str, equal: Any, at_most: Any, at_least: Any) -> Any:
    return {"=": equal, "<=": at_most, ">=": at_least}[relation]


def observe(
    claim: Claim, records: Sequence[Record], measure: Reduction | None = None, label: str = ""
) -> Observation:
    """Reduce records to the observation that `claim` is judged on (`each`: give one record)."""
    reduction = measure or claim.measure
    assert isinstance(reduction, Reduction)
    visible = [_visible(claim, record) for record in records]
    facts = combine(visible) if reduction.grouped else visible[0]
    return Observation(facts, _measured(claim, reduction, records), label)


def _measured(claim: Claim, reduction: Reduction, records: Sequence[Record]) -> Measurement:
    try:
        return reduction(records, claim.relation)
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(
            f"Claim {claim.id}: measuring {reduction.name!r} raised {type(error).__name__}: {error};"
            " it must return numbers or a Measurement for all records, NaN where it is undefined."
        ) from error


def _visible(claim: Claim, record: Record) -> dict[str, Any]:
    """The record's facts, and of its results only those that the claim declares as observed."""
    observed = {name: record.result(name).value for name in claim.observed}
    return {**record.facts, **observed}


def combine(facts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Facts that agree stand once, the others are stacked along a new first axis.

    Arrays of unequal shapes become an array of objects; a fact that is not in all is left out.
    """
    combined = {}
    for name in facts[0]:
        if all(name in fact for fact in facts):
            values = [fact[name] for fact in facts]
            agree = all(np.array_equal(value, values[0]) for value in values[1:])
            combined[name] = values[0] if agree else _stacked(values)
    return combined


def _stacked(values: list[Any]) -> np.ndarray:
    if len({np.shape(value) for value in values}) == 1:
        return np.array(values)
    stacked = np.empty(len(values), dtype=object)
    stacked[:] = values
    return stacked


def false_conditions(claim: Claim, facts: Mapping[str, Any]) -> list[Condition]:
    """The conditions that these facts break (for stacked facts: in any of the cells)."""
    return [c for c in claim.conditions if not _is_true(claim, c, facts)]


def _is_true(claim: Claim, condition: Condition, facts: Mapping[str, Any]) -> bool:
    """NaN is not true: where a condition is undefined, nobody has shown that it holds."""
    name = f"condition {condition.name!r}"
    value = _floats(claim, name, _call(claim, name, condition.holds, facts))
    return bool(np.all((value != 0) & ~np.isnan(value)))


def raw_prediction(claim: Claim, seen: Observation, predict: Formula | None = None) -> Any:
    """What the formula returns, of its own type; NaN where it divides by 0."""
    return _call(claim, "predict", predict or claim.predict, seen.facts)


def compare(claim: Claim, seen: Observation, predict: Formula | None = None) -> Comparison:
    """The prediction (the claim's, or a rival's) beside the measurement."""
    predicted = _floats(claim, "predict", raw_prediction(claim, seen, predict))
    scale = _scale(claim, seen.facts, predicted)
    return compare_values(claim, seen.measured, predicted, scale)


def compare_values(
    claim: Claim, measured: Measurement, predicted: np.ndarray, scale: np.ndarray
) -> Comparison:
    """As `compare`, from values at hand; UsageError where shapes do not go together."""
    try:
        predicted = np.broadcast_to(predicted, measured.shape)
        scale = np.broadcast_to(scale, measured.shape)
    except ValueError:
        raise UsageError(
            f"Claim {claim.id}: the prediction has shape {predicted.shape} and its scale"
            f" {scale.shape}, but what is measured has shape {measured.shape}; make them equal,"
            " entry by entry."
        ) from None
    slack = claim.tolerance * scale
    return Comparison(predicted, measured.low, measured.high, slack, scale, claim.relation)


def _scale(claim: Claim, facts: Mapping[str, Any], predicted: np.ndarray) -> np.ndarray:
    if claim.scale is not None:
        given = _call(claim, "scale", claim.scale, facts) if callable(claim.scale) else claim.scale
        return np.abs(_floats(claim, "scale", given))
    if np.any(predicted == 0):
        raise UsageError(
            f"Claim {claim.id} predicts 0, so |prediction| is no scale; declare scale=…, the size"
            " against which a deviation counts."
        )
    return np.abs(predicted)


def _floats(claim: Claim, what: str, value: Any) -> np.ndarray:
    try:
        array = np.asarray(value)
    except ValueError:
        raise UsageError(
            f"Claim {claim.id}: {what} returned lists of unequal lengths; return one array."
        ) from None
    if array.dtype.kind not in "biuf":
        raise UsageError(
            f"Claim {claim.id}: {what} returned {type(value).__name__}; it must return real numbers."
        )
    return array.astype(np.float64)


def _call(claim: Claim, what: str, function: Any, facts: Mapping[str, Any]) -> Any:
    try:
        with np.errstate(all="ignore"):
            return function(facts)
    except KeyError as error:
        there = ", ".join(sorted(facts))
        raise UsageError(
            f"Claim {claim.id}: {what} asks for the fact {error}, which is not among {there}."
        ) from error
    except ArithmeticError:
        return np.nan
    except Exception as error:
        raise UsageError(
            f"Claim {claim.id}: {what} raised {type(error).__name__}: {error}; it must return"
            " numbers for all facts, NaN where it is undefined."
        ) from error


@_QUIET
def verdict(comparison: Comparison) -> Verdict:
    """The worst entry's verdict, with the least margin in units of scale."""
    if comparison.predicted.size == 0:
        return Verdict("unresolved", None, "nothing was measured")
    if not np.all(comparison.finite):
        return Verdict("unresolved", None, "not finite")
    if np.any(comparison.scale == 0):
        return Verdict("unresolved", None, "scale is 0")
    margin = float(np.min(comparison.reach / comparison.scale))
    if np.any(comparison.missed):
        return Verdict("fails", margin, "enclosure misses the allowed set")
    if np.all(comparison.inside):
        return Verdict("holds", margin, "enclosure inside the allowed set")
    return Verdict("unresolved", margin, "enclosure wider than the tolerance")


def outside(broken: Condition) -> Verdict:
    """The verdict on an observation that breaks a condition."""
    return Verdict("outside", None, f"condition false: {broken.name}")
