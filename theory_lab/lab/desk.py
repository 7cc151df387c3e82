"""One study on the desk: its file, its plan at a preset, and the ledger it is judged on."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from theory_lab.core import Record, Study
from theory_lab.lab import backends, catalogue, evidence_file, runner
from theory_lab.lab.assess import Assessment, assess
from theory_lab.lab.evidence_file import EvidenceFile
from theory_lab.lab.ledger import Failure, Ledger
from theory_lab.lab.options import parse_options
from theory_lab.lab.plan import Cell, Plan, plan


@dataclass(frozen=True, eq=False)
class Desk:
    """A study laid out at one preset."""

    file: Path
    study: Study
    plan: Plan

    @functools.cached_property
    def code(self) -> dict[str, str]:
        """Digest of each experiment's code."""
        return runner.digests(self.study)

    @functools.cached_property
    def cells(self) -> list[Cell]:
        return self.plan.cells()

    def require(self, device: str) -> None:
        """UsageError where the device is not there, or an experiment cannot run on it."""
        backends.require(device)
        known = catalogue.experiments(self.study)
        for name in dict.fromkeys(cell.experiment for cell in self.cells):
            backends.require_ready(known[name], device)


@dataclass(frozen=True, eq=False)
class Elsewhere:
    """The same study judged on an evidence file: records of another machine, never mixed in; `plan`
    is that of the file's preset and options."""

    file: EvidenceFile
    plan: Plan
    assessments: Sequence[Assessment]


@dataclass(frozen=True, eq=False)
class Judgement:
    """A study judged on a ledger, with what the ledger lacks."""

    desk: Desk
    assessments: Sequence[Assessment]
    records: dict[Cell, Record]
    missing: int
    stale: Sequence[Cell]
    failures: Sequence[Failure]
    elsewhere: Sequence[Elsewhere] = ()

    @property
    def fails(self) -> bool:
        """Whether a theorem or a finding fails."""
        return any(
            a.evidence.status == "fails" for a in self.assessments if a.claim.basis != "empirical"
        )


def lay_out(
    name: str,
    preset: str,
    flags: Sequence[str] = (),
    smoke: bool = False,
    patterns: Sequence[str] = (),
) -> Desk:
    """Find and plan a study, given by file or by name, or its claims of these patterns alone."""
    file = catalogue.find(name)
    study = catalogue.load(file)
    options: Any = parse_options(study, flags)
    return Desk(file, study, plan(study, preset, options, smoke, patterns))


def judge(desk: Desk, ledger: Ledger) -> Judgement:
    """Judge a study on what the ledger has; stale records are listed, never judged."""
    records: dict[Cell, Record] = {}
    missing, stale, failures = 0, [], []
    for cell in desk.cells:
        key = runner.key(cell, desk.code)
        record = ledger.get(key)
        if record is not None:
            records[cell] = record
            continue
        missing += 1
        failure = ledger.failure(key)
        if failure is not None:
            failures.append(failure)
        elif ledger.is_stale(key):
            stale.append(cell)
    here = assess(desk.plan, records.get)
    elsewhere = [_judge_elsewhere(desk, file) for file in evidence_file.of_study(desk.study.id)]
    return Judgement(desk, here, records, missing, stale, failures, elsewhere)


def _judge_elsewhere(desk: Desk, file: EvidenceFile) -> Elsewhere:
    there = plan(desk.study, file.preset, parse_options(desk.study, file.flags))
    return Elsewhere(file, there, assess(there, file.records.get))
