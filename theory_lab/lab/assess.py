"""Judge a study on the records of a ledger: every claim, and every control that must break it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from theory_lab.core import Claim, Control, Record
from theory_lab.core.evidence import Evidence, Judged, judge_one
from theory_lab.core.judge import false_conditions, observe, outside
from theory_lab.core.types import ENOUGH_SEEDS, Formula
from theory_lab.lab.plan import Cell, ClaimPlan, Plan, Unit

Find = Callable[[Cell], Record | None]


@dataclass(frozen=True)
class ControlResult:
    """How many cases a control was judged on, and how many of them it broke.

    `misplaced` cases do not count: they break another condition too, or not the one they should.
    """

    kind: str
    name: str
    cases: int
    broken: int
    misplaced: int = 0


@dataclass(frozen=True, eq=False)
class Assessment:
    """One claim with its evidence and its controls; `missing` observations lack a record."""

    claim: Claim
    evidence: Evidence
    controls: Sequence[ControlResult]
    missing: int

    @property
    def is_asked(self) -> bool:
        """Whether the preset has a case for this claim."""
        return bool(self.evidence.judged or self.missing)

    def is_shown_necessary(self, condition: str) -> bool:
        """Whether dropping this condition broke the claim at least once."""
        return any(
            c.broken > 0
            for c in self.controls
            if c.kind == "dropped condition" and c.name == condition
        )


def assess(plan: Plan, find: Find) -> list[Assessment]:
    """Judge every claim of a plan on the records that `find` knows."""
    return [_assess_claim(planned, find) for planned in plan.claims]


def _assess_claim(planned: ClaimPlan, find: Find) -> Assessment:
    claim = planned.claim
    judged, missing = _judge_units(claim, planned.units, find)
    evidence = Evidence(claim, judged)
    rivals = [_rival_formula(name, predict, evidence) for name, predict in claim.rivals.items()]
    controls = [_control(claim, control, units, find) for control, units in planned.controls]
    return Assessment(claim, evidence, _merged([*rivals, *controls]), missing)


def _judge_units(claim: Claim, units: Iterable[Unit], find: Find) -> tuple[list[Judged], int]:
    judged, missing = [], 0
    for unit in units:
        records = _records(unit, find)
        if records is None:
            missing += 1
        else:
            judged.append(judge_one(claim, observe(claim, records, label=unit.label)))
    return judged, missing


def _records(unit: Unit, find: Find) -> list[Record] | None:
    """The records of all cells of a unit, or None while one is missing."""
    records = []
    for cell in unit.cells:
        record = find(cell)
        if record is None:
            return None
        records.append(record)
    return records


def _rival_formula(name: str, predict: Formula, evidence: Evidence) -> ControlResult:
    """The rival's verdicts on the inside observations."""
    claim = evidence.claim
    statuses = [judge_one(claim, j.observation, predict).verdict.status for j in evidence.inside]
    return ControlResult("rival formula", name, len(statuses), statuses.count("fails"))


def _control(claim: Claim, control: Control, units: Sequence[Unit], find: Find) -> ControlResult:
    expected = [control.name] if control.kind == "dropped condition" else []
    cases = broken = misplaced = 0
    for unit in units:
        records = _records(unit, find)
        if records is None:
            continue
        seen = observe(claim, records, control.measure, unit.label)
        if [condition.name for condition in false_conditions(claim, seen.facts)] != expected:
            misplaced += 1
            continue
        verdict = judge_one(claim, seen, ignore_conditions=True).verdict
        cases += 1
        broken += verdict.status == "fails"
    return ControlResult(control.kind, control.name, cases, broken, misplaced)


def _merged(results: Sequence[ControlResult]) -> list[ControlResult]:
    """Controls of the same kind and name, declared in several pieces, as one."""
    merged: dict[tuple[str, str], ControlResult] = {}
    for one in results:
        place = (one.kind, one.name)
        before = merged.get(place, ControlResult(*place, 0, 0))
        merged[place] = ControlResult(
            *place,
            before.cases + one.cases,
            before.broken + one.broken,
            before.misplaced + one.misplaced,
        )
    return list(merged.values())


def as_json(assessment: Assessment) -> dict[str, Any]:
    """The row of `judge --json`."""
    evidence = assessment.evidence
    row: dict[str, Any] = {"id": assessment.claim.id, "status": evidence.status, **evidence.counts}
    if assessment.claim.basis == "empirical":
        row |= empirical_counts(evidence)
    return row | {
        "missing": assessment.missing,
        "reasons": evidence.reasons,
        "margin": evidence.margin,
        "resolution_up": evidence.resolution_up,
        "resolution_down": evidence.resolution_down,
        "tightness": evidence.tightness,
        "level": evidence.level,
        "kinds": evidence.kinds,
        "controls": [
            {"kind": c.kind, "name": c.name, "cases": c.cases, "broken": c.broken}
            for c in assessment.controls
        ],
        "not_shown_necessary": [
            condition.name
            for condition in assessment.claim.conditions
            if not assessment.is_shown_necessary(condition.name)
        ],
    }


def empirical_counts(evidence: Evidence) -> dict[str, int]:
    """seen / opposite as the enclosure lies inside / outside the allowed set, not_seen across."""
    statuses = [(j.verdict.status, j.verdict.reason) for j in evidence.inside]
    undecided = [reason for status, reason in statuses if status == "unresolved"]
    blind = undecided.count("not finite")
    return {
        "seen": evidence.counts["holds"],
        "not_seen": len(undecided) - blind,
        "opposite": evidence.counts["fails"],
        "unresolved": blind,
    }


def verdict_of(evidence: Evidence) -> str:
    """Empirical claims are seen in every case, not seen or opposite, or had too few seeds to say; the
    others, and those without a record, hold, fail or are unresolved."""
    if evidence.claim.basis != "empirical" or not evidence.judged:
        return evidence.status
    if evidence.reasons.get(outside(ENOUGH_SEEDS).reason) == len(evidence.judged) > 0:
        return "too few seeds"
    counts = empirical_counts(evidence)
    if counts["opposite"]:
        return "opposite"
    is_seen = counts["seen"] and not (counts["not_seen"] or counts["unresolved"])
    return "seen" if is_seen else "not seen"
