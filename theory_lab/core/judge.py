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
        return np.isfinite(self.predicted + self.low + self.high + self.slack)

    @property
    def reach(self) -> np.ndarray:
        """Distance of the enclosure's far end to the edge of the allowed set, positive inside."""
        below, above = self.predicted + self.slack - self.high, self.low - self.predicted + self.slack
        return _by_relation(self.relation, np.minimum(below, above), below, above)

    @property
    def inside(self) -> np.ndarray:
        return self.finite & (self.reach >= 0)

    @property
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
    return Observation(facts, reduction(records, claim.relation), label)


def _visible(claim: Claim, record: Record) -> dict[str, Any]:
    """The record's facts, and of its results only those that the claim declares as observed."""
    observed = {name: record.result(name).value for name in claim.observed}
    return {**record.facts, **observed}


def combine(facts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Facts that agree stand once, the others are stacked along a new first axis."""
    first = facts[0]
    combined = {}
    for name in first:
        values = [fact[name] for fact in facts]
        agree = all(np.array_equal(value, values[0]) for value in values[1:])
        combined[name] = values[0] if agree else np.array(values)
    return combined


def false_conditions(claim: Claim, facts: Mapping[str, Any]) -> list[Condition]:
    """The conditions that these facts break (for stacked facts: in any of the cells)."""

    def holds(condition: Condition) -> bool:
        asked = _call(claim, f"condition {condition.name!r}", condition.holds, facts)
        return bool(np.all(asked))

    return [condition for condition in claim.conditions if not holds(condition)]


def compare(claim: Claim, seen: Observation, predict: Formula | None = None) -> Comparison:
    """The prediction (the claim's, or a rival's) beside the measurement."""
    predicted = _floats(claim, "predict", _call(claim, "predict", predict or claim.predict, seen.facts))
    scale = _scale(claim, seen.facts, predicted)
    return compare_values(claim, seen.measured, predicted, scale)


def compare_values(
    claim: Claim, measured: Measurement, predicted: np.ndarray, scale: np.ndarray
) -> Comparison:
    """As `compare`, from values at hand; UsageError where shapes do not go together."""
    try:
        entries = np.broadcast_arrays(predicted, measured.low, measured.high, scale)
    except ValueError:
        raise UsageError(
            f"Claim {claim.id}: the prediction has shape {predicted.shape}, but what is measured"
            f" has shape {measured.shape}; make them equal, entry by entry."
        ) from None
    predicted, low, high, scale = entries
    return Comparison(predicted, low, high, claim.tolerance * scale, scale, claim.relation)


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
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise UsageError(f"Claim {claim.id}: {what} returned {type(value).__name__}, not numbers.")
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


def verdict(comparison: Comparison) -> Verdict:
    """The worst entry's verdict, with the least margin in units of scale."""
    if not np.all(comparison.finite):
        return Verdict("unresolved", None, "not finite")
    margin = float(np.min(comparison.reach / np.where(comparison.scale > 0, comparison.scale, 1.0)))
    if np.any(comparison.missed):
        return Verdict("fails", margin, "enclosure misses the allowed set")
    if np.all(comparison.inside):
        return Verdict("holds", margin, "enclosure inside the allowed set")
    return Verdict("unresolved", margin, "enclosure wider than the tolerance")


def outside(broken: Condition) -> Verdict:
    """The verdict on an observation that breaks a condition."""
    return Verdict("outside", None, f"condition false: {broken.name}")
