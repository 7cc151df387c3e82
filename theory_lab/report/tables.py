"""What the report says of every claim, as plain text in tables: no markup, no files.

`paper_checks` and `html` only set these tables; whatever they print was formatted here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from theory_lab.core import Claim, Condition
from theory_lab.core.evidence import Evidence
from theory_lab.lab.assess import Assessment, ControlResult, verdict_of
from theory_lab.report import numbers
from theory_lab.report.rows import CaseTable, case_table

if TYPE_CHECKING:
    from theory_lab.lab.desk import Elsewhere, Judgement

VERDICTS = ("holds", "fails", "unresolved", "outside")

RELATIONS = {"=": "=", "<=": "≤", ">=": "≥"}


@dataclass(frozen=True)
class Hypothesis:
    """A condition of a claim, and what shows that it is needed."""

    name: str
    shown: str
    is_shown: bool


@dataclass(frozen=True)
class ControlRow:
    """One control and how it came out."""

    kind: str
    name: str
    cases: int
    broken: int
    remark: str


@dataclass(frozen=True)
class Distant:
    """The same claim on the records of another machine."""

    where: str
    verdict: str
    counts: str
    margin: str
    resolution: str


@dataclass(frozen=True)
class Section:
    """Everything about one claim."""

    id: str
    anchor: str
    statement: str
    formula: str
    source: str
    basis: str
    relation: str
    tolerance: str
    verdict: str
    counts: dict[str, int]
    reasons: dict[str, int]
    kinds: str
    resolution: str
    tightness: str
    tightest: str
    margin: str
    level: float
    missing: int
    conditions: Sequence[Hypothesis]
    controls: Sequence[ControlRow]
    observed: Sequence[str]
    cases: CaseTable
    elsewhere: Sequence[Distant]
    difference: str

    @property
    def is_empirical(self) -> bool:
        return self.basis == "empirical"

    @property
    def tally(self) -> str:
        """Counts in the order of VERDICTS."""
        return " / ".join(str(self.counts[name]) for name in VERDICTS)

    @property
    def broken(self) -> str:
        """How many controls broke the claim, of how many."""
        return f"{sum(c.broken > 0 for c in self.controls)} of {len(self.controls)}"


@dataclass(frozen=True)
class StudyPart:
    """One study: its claims in order, and what its ledger lacks."""

    id: str
    title: str
    preset: str
    sections: Sequence[Section]
    lacking: str
    places: Sequence[str]
    other_presets: Sequence[str]

    @property
    def proved(self) -> list[Section]:
        """Theorems and findings."""
        return [section for section in self.sections if not section.is_empirical]

    @property
    def empirical(self) -> list[Section]:
        return [section for section in self.sections if section.is_empirical]


def study_part(judgement: Judgement) -> StudyPart:
    """The tables of one judged study."""
    desk = judgement.desk
    elsewhere = {a.claim.id for e in judgement.elsewhere for a in e.assessments if a.is_asked}
    shown = [a for a in judgement.assessments if a.is_asked or a.claim.id in elsewhere]
    return StudyPart(
        desk.study.id,
        desk.study.title or desk.study.id.replace("_", " "),
        desk.plan.preset,
        [_section(a, desk.study.id, judgement.elsewhere) for a in shown],
        _lacking(judgement),
        [_place(elsewhere) for elsewhere in judgement.elsewhere],
        [a.claim.id for a in judgement.assessments if a not in shown],
    )


def _lacking(judgement: Judgement) -> str:
    if not judgement.missing:
        return ""
    total = len(judgement.desk.cells)
    return f"{judgement.missing} of {total} cells are not measured; what follows rests on the rest."


def _section(assessment: Assessment, study: str, elsewhere: Sequence[Elsewhere]) -> Section:
    claim, evidence = assessment.claim, assessment.evidence
    tightest = evidence.tightest
    return Section(
        id=claim.id,
        anchor=f"{study}-{claim.id}".replace(".", "-"),
        statement=claim.statement,
        formula=claim.formula,
        source=str(claim.source),
        basis=claim.basis,
        relation=f"measured {RELATIONS[claim.relation]} predicted",
        tolerance=_tolerance(claim),
        verdict=verdict_of(evidence),
        counts=evidence.counts,
        reasons=evidence.reasons,
        kinds=", ".join(f"{count} {kind}" for kind, count in evidence.kinds.items()),
        resolution=_resolution(evidence),
        tightness=numbers.digits(tightest[0] if tightest else None),
        tightest=tightest[1] if tightest else "",
        margin=numbers.margin(evidence.margin),
        level=evidence.level,
        missing=assessment.missing,
        conditions=[_hypothesis(c, assessment) for c in claim.conditions],
        controls=[_control_row(c) for c in assessment.controls],
        observed=list(claim.observed),
        cases=case_table(evidence),
        elsewhere=[_distant(e, a) for e in elsewhere for a in e.assessments if a.claim is claim],
        difference=_difference(evidence),
    )


def _tolerance(claim: Claim) -> str:
    if claim.scale is None:
        scale = "|predicted|"
    elif callable(claim.scale):
        scale = "the claim's own scale"
    else:
        scale = f"scale {numbers.digits(claim.scale)}"
    return f"{numbers.digits(claim.tolerance)} × {scale}"


def _resolution(evidence: Evidence) -> str:
    """The least refuted decrease and increase of the prediction."""
    if evidence.resolution_down is None and evidence.resolution_up is None:
        return numbers.NONE
    down = numbers.resolution(evidence.resolution_down)
    up = numbers.resolution(evidence.resolution_up)
    return (
        f"−{down}"
        if up == numbers.NONE
        else f"+{up}"
        if down == numbers.NONE
        else f"−{down}, +{up}"
    )


def _hypothesis(condition: Condition, assessment: Assessment) -> Hypothesis:
    found = [
        c for c in assessment.controls
        if c.kind == "dropped condition" and c.name == condition.name and c.broken
    ]  # fmt: skip
    if not found:
        return Hypothesis(condition.name, "not shown necessary", False)
    (control,) = found
    shown = f"shown necessary: without it {control.broken} of {control.cases} cases fail"
    return Hypothesis(condition.name, shown, True)


def _control_row(control: ControlResult) -> ControlRow:
    remarks = []
    if not (control.cases or control.misplaced):
        remarks.append("not measured")
    elif not control.broken:
        remarks.append("breaks nothing")
    if control.misplaced:
        remarks.append(f"{control.misplaced} further cases break something else and do not count")
    return ControlRow(control.kind, control.name, control.cases, control.broken, "; ".join(remarks))


def _difference(evidence: Evidence) -> str:
    """For an empirical claim: measured minus predicted, at the case nearest to the edge."""
    inside = [
        j for j in evidence.inside if j.comparison is not None and j.verdict.margin is not None
    ]
    if evidence.claim.basis != "empirical" or not inside:
        return ""
    comparison = min(inside, key=lambda j: round(j.verdict.margin or 0.0, 9)).comparison
    assert comparison is not None
    entry = int((comparison.reach / comparison.scale).round(9).argmin())
    low = (comparison.low - comparison.predicted).flat[entry]
    high = (comparison.high - comparison.predicted).flat[entry]
    scale = float(comparison.scale.flat[entry])
    middle = numbers.beside(float(low + high) / 2, scale)
    return f"{middle} [{numbers.beside(float(low), scale)}, {numbers.beside(float(high), scale)}]"


def _place(elsewhere: Elsewhere) -> str:
    """Where an evidence file was measured, and how much of it the study no longer asks for."""
    origin = elsewhere.file.origin
    versions = numbers.names({n: v for n, v in origin.get("versions", {}).items() if v})
    commit = origin.get("commit") or "no commit"
    device = origin.get("device", "unknown device")
    asked = " ".join(["preset", elsewhere.file.preset, *elsewhere.file.flags])
    total = len(elsewhere.file.records)
    idle = len(elsewhere.file.records.keys() - elsewhere.plan.cells())
    unjudged = f"; {idle} of its {total} records belong to no case of the study" if idle else ""
    return f"{device} ({elsewhere.file.path.name}, {asked}, {versions}, {commit}){unjudged}"


def _distant(elsewhere: Elsewhere, assessment: Assessment) -> Distant:
    evidence = assessment.evidence
    return Distant(
        str(elsewhere.file.origin.get("device", "unknown device")),
        verdict_of(evidence) if assessment.is_asked else numbers.NONE,
        " / ".join(str(evidence.counts[name]) for name in VERDICTS),
        numbers.margin(evidence.margin),
        _resolution(evidence),
    )


def false_alarms(parts: Sequence[StudyPart]) -> str:
    """The expected number of false alarms of all judgements together: the sum of their levels."""
    return numbers.digits(sum(section.level for part in parts for section in part.sections))
