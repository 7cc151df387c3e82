"""What the terminal shows: progress and notes on stderr, tables on stdout."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from theory_lab.lab.assess import Assessment, ControlResult, empirical_counts

if TYPE_CHECKING:
    from theory_lab.lab.desk import Judgement
    from theory_lab.lab.mutants import Challenge
    from theory_lab.lab.runner import Outcome

PATIENCE = 2.0
"""Seconds before a progress bar is worth showing."""

_STYLES = {"holds": "green", "fails": "bold red", "unresolved": "yellow"}


def _out() -> Console:
    return Console(highlight=False)


def _err() -> Console:
    return Console(stderr=True, highlight=False)


def note(sentence: str) -> None:
    """One sentence on stderr."""
    _err().print(escape(sentence), soft_wrap=True)


@contextlib.contextmanager
def progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr that appears once two seconds have passed."""
    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=_err(), transient=True)
    task = bar.add_task(title, total=None)
    begin, shown = time.monotonic(), False

    def update(done: int, total: int) -> None:
        nonlocal shown
        bar.update(task, completed=done, total=total)
        if not shown and done < total and time.monotonic() - begin > PATIENCE:
            bar.start()
            shown = True

    try:
        yield update
    finally:
        if shown:
            bar.stop()


def tell_outcome(study: str, outcome: Outcome) -> None:
    """What a run did, and each cell that did not end well."""
    counts = f"{outcome.measured} measured, {outcome.kept} already there"
    more = {"stale and kept": outcome.stale, "left for the next run": outcome.left}
    counts += "".join(f", {number} {what}" for what, number in more.items() if number)
    note(f"{study}: {counts}.")
    for cell, failure in outcome.failures:
        note(f"{failure.kind}: {cell}\n{failure.detail.rstrip()}")


def tell_missing(judgement: Judgement) -> None:
    """What a judgement could not see, and the cure."""
    if not judgement.missing:
        return
    why = {"stale (the code has changed)": judgement.stale, "failed": judgement.failures}
    parts = [f"{len(cells)} of them {what}" for what, cells in why.items() if cells]
    note(
        f"{judgement.desk.study.id}: {judgement.missing} of {len(judgement.desk.cells)} cells are"
        f" not measured{' (' + ', '.join(parts) + ')' if parts else ''};"
        f" `theory-lab run {judgement.desk.study.id} --preset {judgement.desk.plan.preset}`"
        " measures them."
    )


def print_judgement(judgement: Judgement) -> None:
    """The table of verdicts of one study, and below it what deserves a look."""
    console = _out()
    table = Table(box=box.SIMPLE_HEAD, title=judgement.desk.study.id, title_justify="left")
    table.add_column("claim", overflow="fold")
    table.add_column("verdict")
    for heading in ("holds", "fails", "unres.", "outside"):
        table.add_column(heading, justify="right")
    for heading in ("resolution -/+", "tightness", "controls broken"):
        table.add_column(heading, justify="right")
    for assessment in judgement.assessments:
        table.add_row(*_row(assessment))
    console.print(table)
    for assessment in judgement.assessments:
        for line in _remarks(assessment):
            console.print(escape(line), soft_wrap=True)


def _row(assessment: Assessment) -> list[str]:
    evidence = assessment.evidence
    status = _verdict_of(assessment)
    style = _STYLES.get(evidence.status, "")
    broken = sum(control.broken > 0 for control in assessment.controls)
    return [
        assessment.claim.id,
        f"[{style}]{status}[/]" if style else status,
        *(str(evidence.counts[name]) for name in ("holds", "fails", "unresolved", "outside")),
        f"{short(evidence.resolution_down)} / {short(evidence.resolution_up)}",
        short(evidence.tightness),
        f"{broken}/{len(assessment.controls)}",
    ]


def _verdict_of(assessment: Assessment) -> str:
    """Empirical claims are seen, not seen or opposite; the others hold, fail or are unresolved."""
    if assessment.claim.basis != "empirical":
        return assessment.evidence.status
    seen = empirical_counts(assessment.evidence)
    if seen["opposite"]:
        return "opposite"
    return "seen" if seen["seen"] and not seen["not_seen"] else "not seen"


def _remarks(assessment: Assessment) -> Iterator[str]:
    claim, evidence = assessment.claim, assessment.evidence
    for reason, count in evidence.reasons.items():
        if not reason.startswith("condition"):
            yield f"{claim.id}: {count} x {reason}"
    for one in [j for j in evidence.judged if j.verdict.status == "fails"][:3]:
        yield f"{claim.id} fails at {one.observation.label}"
    if evidence.vacuous:
        yield (
            f"{claim.id}: only {evidence.entries} inside entries, fewer than 10, so it counts as"
            " unresolved; give it more cases"
        )
    for control in assessment.controls:
        yield from _control_remark(claim.id, control)
    for condition in claim.conditions:
        if not assessment.is_shown_necessary(condition.name):
            yield f"{claim.id}: condition {condition.name!r} is not shown necessary"


def _control_remark(claim: str, control: ControlResult) -> Iterator[str]:
    if control.misplaced:
        yield (
            f"{claim}: {control.misplaced} cases of {control.kind} {control.name!r} do not break"
            " exactly what they should and do not count"
        )
    if control.broken == 0 and control.kind != "dropped condition":
        yield f"{claim}: {control.kind} {control.name!r} breaks nothing in {control.cases} cases"


def print_challenges(found: Sequence[Challenge]) -> None:
    """Counts by class, then every survivor."""
    console = _out()
    for verdict, count in sorted(Counter(c.verdict for c in found).items()):
        console.print(f"{count:5} {verdict}")
    for one in found:
        if one.verdict == "survivor":
            console.print(escape(f"survivor: {one.claim}, {one.mutant}"), soft_wrap=True)


def short(value: float | None) -> str:
    """A number in two or three digits; – where there is none."""
    return "–" if value is None else f"{value:.2g}"
