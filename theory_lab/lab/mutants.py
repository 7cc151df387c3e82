"""Challenge a claim: change its prediction, and see whether the stored records notice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from theory_lab.core import Claim
from theory_lab.core.evidence import Evidence, Judged, unit
from theory_lab.core.judge import Comparison, compare, compare_values, raw_prediction, verdict
from theory_lab.core.reduce import Reduction
from theory_lab.core.types import Formula
from theory_lab.lab.assess import Assessment

Change = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(prediction, scale) -> changed prediction."""

EXCUSED = {"exact": 1e-6, "certified": 1e-6, "statistical": 0.2, "estimated": 0.2}
EXCUSED_RATE = 0.1
"""Relative changes up to these are below resolution, by the kind of the evidence."""


@dataclass(frozen=True)
class Challenge:
    """One mutant of one claim and what became of it.

    verdict: refuted, equivalent, one-sided, slack, below resolution or survivor.
    """

    claim: str
    mutant: str
    verdict: str


def _times(factor: float) -> Change:
    """The prediction times a factor; where it is 0, 1 % of scale in the factor's direction."""
    shift = 0.01 if factor > 1 else -0.01
    return lambda p, scale: np.where(p != 0, p * factor, shift * scale)


_SCALE_MUTANTS: dict[str, Change] = {
    "x2": _times(2.0),
    "x1/2": _times(0.5),
    "x1.01": _times(1.01),
    "x0.99": _times(0.99),
}
_ZERO_MUTANTS: dict[str, Change] = {
    "+1 % of scale": lambda p, scale: p + 0.01 * scale,
    "-1 % of scale": lambda p, scale: p - 0.01 * scale,
}
_INTEGER_MUTANTS: dict[str, Change] = {"+1": lambda p, _: p + 1, "-1": lambda p, _: p - 1}

DECISIVE = ("x2", "x1/2", *_ZERO_MUTANTS, *_INTEGER_MUTANTS)
"""Each claim must refute at least one of those that apply to it."""


def challenge(assessment: Assessment) -> list[Challenge]:
    """Every mutant of a claim. Empirical claims are challenged by their rivals only."""
    claim, evidence = assessment.claim, assessment.evidence
    rivals = [_rival(evidence, name, predict) for name, predict in claim.rivals.items()]
    if claim.basis == "empirical":
        return rivals
    changes = _changes(claim, evidence)
    found = [_mutant(evidence, name, change) for name, change in changes.items()]
    return _decided(found) + rivals


def _decided(found: list[Challenge]) -> list[Challenge]:
    """A claim so loose that no large change of it is refuted shows nothing."""
    decisive = [c for c in found if c.mutant in DECISIVE]
    if any(c.verdict == "refuted" for c in decisive):
        return found
    return [Challenge(c.claim, c.mutant, "survivor") if c in decisive else c for c in found]


def _changes(claim: Claim, evidence: Evidence) -> dict[str, Change]:
    """The mutants that apply: by factors, or what replaces them at 0 and for integers."""
    raw = [np.asarray(raw_prediction(claim, one.observation)) for one in evidence.inside]
    if raw and all(value.dtype.kind in "biu" for value in raw):
        return _INTEGER_MUTANTS
    if raw and all(not np.any(value) for value in raw):
        return _ZERO_MUTANTS
    return _SCALE_MUTANTS


def _mutant(evidence: Evidence, name: str, change: Change) -> Challenge:
    pairs = [
        (one.comparison, _changed(evidence.claim, one, change))
        for one in evidence.inside
        if one.comparison is not None
    ]
    return Challenge(evidence.claim.id, name, _verdict(evidence, pairs))


def _changed(claim: Claim, one: Judged, change: Change) -> Comparison:
    """The comparison with a changed prediction; a tolerance relative to it changes with it."""
    before = one.comparison
    assert before is not None
    predicted = change(before.predicted, before.scale)
    scale = before.scale if claim.scale is not None else np.abs(predicted)
    return compare_values(claim, one.observation.measured, predicted, scale)


def _rival(evidence: Evidence, name: str, predict: Formula) -> Challenge:
    """A rival is refuted, or at most equivalent on these cases; nothing excuses it otherwise."""
    pairs = [
        (one.comparison, compare(evidence.claim, one.observation, predict))
        for one in evidence.inside
        if one.comparison is not None
    ]
    if any(verdict(mutated).status == "fails" for _, mutated in pairs):
        return Challenge(evidence.claim.id, name, "refuted")
    same = bool(pairs) and _are_same(pairs)
    return Challenge(evidence.claim.id, name, "equivalent" if same else "survivor")


Pairs = Sequence[tuple[Comparison, Comparison]]


def _verdict(evidence: Evidence, pairs: Pairs) -> str:
    """The class of a mutant, from (comparison, mutated comparison) of every inside case."""
    statuses = [verdict(mutated).status for _, mutated in pairs]
    if "fails" in statuses:
        return "refuted"
    if not pairs:
        return "survivor"
    if _are_same(pairs):
        return "equivalent"
    if evidence.claim.relation != "=":
        if all(_is_loosened(*pair) for pair in pairs):
            return "one-sided"
        if all(status == "holds" for status in statuses):
            return "slack"  # tightened by less than the least slack over the cases
    change = max(_relative_change(*pair) for pair in pairs)
    return "below resolution" if change <= _excused(evidence) + 1e-12 else "survivor"


def _are_same(pairs: Pairs) -> bool:
    return all(np.array_equal(before.predicted, mutated.predicted) for before, mutated in pairs)


def _is_loosened(before: Comparison, mutated: Comparison) -> bool:
    gain = mutated.predicted - before.predicted
    return bool(np.all(gain >= 0 if before.relation == "<=" else gain <= 0))


def _relative_change(before: Comparison, mutated: Comparison) -> float:
    change = np.abs(mutated.predicted - before.predicted) / unit(before)
    return float(np.max(np.where(np.isfinite(change), change, np.inf)))


def _excused(evidence: Evidence) -> float:
    """By the sharpest kind of evidence that the claim has."""
    measure: Any = evidence.claim.measure
    if isinstance(measure, Reduction) and measure.is_rate:
        return EXCUSED_RATE
    return min((EXCUSED[kind] for kind in evidence.kinds), default=0.0)
