"""What all observations of a claim say together: counts, resolution, tightness."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from theory_lab.core import judge
from theory_lab.core.judge import Comparison, Observation
from theory_lab.core.types import Claim, Formula, Status, Verdict

LEAST_INSIDE = 10
"""A claim with fewer inside cases, or entries of them, is vacuous."""


@dataclass(frozen=True, eq=False)
class Judged:
    """One observation with its verdict; `comparison` is None outside the conditions."""

    observation: Observation
    verdict: Verdict
    comparison: Comparison | None


def judge_one(
    claim: Claim, seen: Observation, predict: Formula | None = None, ignore_conditions: bool = False
) -> Judged:
    """Judge one observation, keeping the numbers; a control judges as if its condition held."""
    broken = [] if ignore_conditions else judge.false_conditions(claim, seen.facts)
    if broken:
        return Judged(seen, judge.outside(broken[0]), None)
    comparison = judge.compare(claim, seen, predict)
    return Judged(seen, judge.verdict(comparison), comparison)


@dataclass(frozen=True, eq=False)
class Evidence:
    """All judged observations of one claim."""

    claim: Claim
    judged: Sequence[Judged]

    @cached_property
    def inside(self) -> list[Judged]:
        return [one for one in self.judged if one.comparison is not None]

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many observations hold, fail, are unresolved, lie outside the conditions."""
        seen = Counter(one.verdict.status for one in self.judged)
        return {status: seen[status] for status in ("holds", "fails", "unresolved", "outside")}

    @cached_property
    def reasons(self) -> dict[str, int]:
        """How often each reason was given for anything but `holds`."""
        given = (one.verdict for one in self.judged if one.verdict.status != "holds")
        return dict(sorted(Counter(verdict.reason for verdict in given).items()))

    @cached_property
    def entries(self) -> int:
        """Compared entries over the inside observations."""
        return sum(c.predicted.size for c in (j.comparison for j in self.inside) if c is not None)

    @property
    def vacuous(self) -> bool:
        return self.entries < LEAST_INSIDE

    @property
    def status(self) -> Status:
        """fails if anything fails; holds if it is not vacuous and most of it holds."""
        if self.counts["fails"]:
            return "fails"
        resolved = not self.vacuous and self.counts["holds"] >= self.counts["unresolved"]
        return "holds" if resolved else "unresolved"

    @cached_property
    def margin(self) -> float | None:
        """The least margin over the inside observations."""
        margins = [j.verdict.margin for j in self.inside if j.verdict.margin is not None]
        return min(margins, default=None)

    @cached_property
    def kinds(self) -> dict[str, int]:
        """How many inside observations rest on each kind of enclosure."""
        return dict(sorted(Counter(one.observation.measured.kind for one in self.inside).items()))

    @cached_property
    def level(self) -> float:
        """The expected number of false alarms among the inside observations."""
        return sum(one.observation.measured.level for one in self.inside)

    @property
    def _comparisons(self) -> list[Comparison]:
        found = (one.comparison for one in self.inside)
        return [comparison for comparison in found if comparison and comparison.comparable]

    @cached_property
    def resolution_up(self) -> float | None:
        """The least relative increase of the prediction that an inside case refutes."""
        return self._least([_refuting_increase(self.claim, c) for c in self._comparisons])

    @cached_property
    def resolution_down(self) -> float | None:
        """The least relative decrease of the prediction that an inside case refutes."""
        return self._least([_refuting_decrease(self.claim, c) for c in self._comparisons])

    @staticmethod
    def _least(changes: list[np.ndarray | None]) -> float | None:
        finite = [float(np.min(c)) for c in changes if c is not None and np.all(np.isfinite(c))]
        return max(0.0, min(finite)) if finite else None

    @cached_property
    def tightest(self) -> tuple[float, str] | None:
        """For a bound: 1 - the least relative slack, and the first case in which it is reached.

        Rounded, so that of equally tight cases rounding noise does not choose one.
        """
        if self.claim.relation == "=":
            return None
        found = [
            (round(float(np.max(_tightness(one.comparison))), 9), one.observation.label)
            for one in self.inside
            if one.comparison is not None and one.comparison.comparable
        ]
        return max(found, key=lambda pair: pair[0], default=None)

    @property
    def tightness(self) -> float | None:
        return self.tightest[0] if self.tightest else None


def unit(comparison: Comparison) -> np.ndarray:
    """What a relative change of the prediction is relative to: |prediction|, or scale at 0."""
    predicted = np.abs(comparison.predicted)
    return np.where(predicted > 0, predicted, comparison.scale)


def _refuting_increase(claim: Claim, seen: Comparison) -> np.ndarray | None:
    """Relative increase beyond which the allowed set lies wholly above the enclosure."""
    if claim.relation == "<=":
        return None
    return (_beyond(claim, seen, seen.high, 1.0) - seen.predicted) / unit(seen)


def _refuting_decrease(claim: Claim, seen: Comparison) -> np.ndarray | None:
    """Relative decrease beyond which the allowed set lies wholly below the enclosure."""
    if claim.relation == ">=":
        return None
    return (seen.predicted - _beyond(claim, seen, seen.low, -1.0)) / unit(seen)


def _beyond(claim: Claim, seen: Comparison, end: np.ndarray, sign: float) -> np.ndarray:
    """The prediction at which the allowed set just touches this end of the enclosure."""
    if claim.scale is not None:
        return end + sign * seen.slack
    # The tolerance is relative to the changed prediction itself.
    with np.errstate(divide="ignore", invalid="ignore"):
        touching = end / (1 - sign * claim.tolerance * np.sign(end))
    return np.where(touching * end >= 0, touching, np.nan)  # a tolerance of 1 or more allows all


def _tightness(comparison: Comparison | None) -> np.ndarray:
    assert comparison is not None
    p = comparison.predicted
    v = comparison.high if comparison.relation == "<=" else comparison.low
    slack = p - v if comparison.relation == "<=" else v - p
    size = np.maximum(np.abs(p), np.abs(v))
    relative = np.divide(slack, size, out=np.zeros_like(slack), where=size > 0)
    return 1 - np.maximum(relative, 0)
