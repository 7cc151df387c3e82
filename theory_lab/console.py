"""What the terminal shows: progress and notes on stderr, tables on stdout."""

from __future__ import annotations

import contextlib
import shlex
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from theory_lab.core.evidence import LEAST_INSIDE
from theory_lab.lab.assess import Assessment, ControlResult, verdict_of

if TYPE_CHECKING:
    from theory_lab.lab.desk import Desk, Judgement
    from theory_lab.lab.mutants import Challenge
    from theory_lab.lab.runner import Outcome

PATIENCE = 2.0
"""Seconds before a progress bar is worth showing."""

SHOWN = 3
"""So many failed cells are shown with their traceback."""

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
    """A progress bar on a terminal's stderr that appears once two seconds have passed."""
    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = _err()
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    task = bar.add_task(title, total=None)
    begin, shown = time.monotonic(), False

    def update(done: int, total: int) -> None:
        nonlocal shown
        bar.update(task, completed=done, total=total)
        if not (shown or bar.disable) and done < total and time.monotonic() - begin > PATIENCE:
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
    for cell, failure in outcome.failures[:SHOWN]:
        note(f"{failure.kind}: {cell}\n{failure.detail.rstrip()}")
    if len(outcome.failures) > SHOWN:
        note(f"{len(outcome.failures) - SHOWN} more cells of {study} did not end well.")


def tell_left_out(desk: Desk) -> None:
    """What of a study does not run on the device, and the cure."""
    if not desk.left_out:
        return
    names = ", ".join(name.removeprefix(f"{desk.study.id}.") for name in desk.left_out)
    note(
        f"{desk.study.id}: experiments that run on numpy arrays only are left out on {desk.device}"
        f" ({names}); --device cpu measures them."
    )


def tell_missing(judgement: Judgement, options: Sequence[str] = ()) -> None:
    """What a judgement could not see, and the cure: the same request, with these options of `run`."""
    if not judgement.missing:
        return
    why = {"stale (the code has changed)": judgement.stale, "failed": judgement.failures}
    parts = [f"{len(cells)} of them {what}" for what, cells in why.items() if cells]
    note(
        f"{judgement.desk.study.id}: {judgement.missing} of {len(judgement.desk.cells)} cells are"
        f" not measured{' (' + ', '.join(parts) + ')' if parts else ''};"
        f" `theory-lab run {shlex.join([*judgement.desk.asked, *options])}` measures them."
    )


def print_judgement(judgement: Judgement) -> None:
    """The verdicts of one study, one line a claim, and below them what deserves a look."""
    console = _out()
    study = judgement.desk.study
    assessments = [a for a in judgement.assessments if a.is_asked]
    common = _common_prefix([a.claim.id for a in assessments])
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("verdict", no_wrap=True)
    table.add_column("claim", overflow="fold")
    for heading in ("holds", "out", "resol.", "tight", "ctrl"):
        table.add_column(heading, justify="right", no_wrap=True)
    for assessment in assessments:
        table.add_row(*_row(assessment, common))
    console.print(f"\n[bold]{escape(study.id)}[/]" + (f", claims {common}…" if common else ""))
    console.print(table)
    for assessment in assessments:
        remarks = list(_remarks(assessment))
        if remarks:
            console.print(f"[bold]{escape(assessment.claim.id)}[/]")
        for line in remarks:
            console.print(Padding(escape(line), (0, 0, 0, 2)))


def _common_prefix(ids: Sequence[str]) -> str:
    """The theory's name and its dot, where all claims are of one theory."""
    theories = {name.partition(".")[0] for name in ids}
    return f"{theories.pop()}." if len(theories) == 1 and len(ids) > 1 else ""


def _row(assessment: Assessment, common: str) -> list[str]:
    """verdict, claim, holding of inside cases, outside cases, coarser resolution, tightness,
    breaking controls."""
    evidence = assessment.evidence
    status = verdict_of(evidence)
    style = _STYLES.get(evidence.status, "")
    broken = sum(control.broken > 0 for control in assessment.controls)
    sides = [r for r in (evidence.resolution_down, evidence.resolution_up) if r is not None]
    return [
        f"[{style}]{status}[/]" if style else status,
        assessment.claim.id.removeprefix(common),
        f"{evidence.counts['holds']}/{len(evidence.inside)}",
        str(evidence.counts["outside"]),
        short(max(sides, default=None)),
        short(evidence.tightness),
        f"{broken}/{len(assessment.controls)}",
    ]


def _remarks(assessment: Assessment) -> Iterator[str]:
    claim, evidence = assessment.claim, assessment.evidence
    is_whole = not assessment.missing  # else what is not seen may just not be measured
    for reason, count in evidence.reasons.items():
        if not reason.startswith("condition"):
            yield f"{count} x {reason}"
    for one in [j for j in evidence.judged if j.verdict.status == "fails"][:3]:
        yield f"fails at {one.observation.label}"
    is_empirical = claim.basis == "empirical"  # neither vacuous nor without a needed condition
    if evidence.vacuous and is_whole and not is_empirical:
        yield f"only {evidence.entries} entries inside, fewer than {LEAST_INSIDE}: give it more cases"
    for control in assessment.controls:
        if is_whole or control.cases or control.misplaced:
            yield from _control_remark(control)
    unshown = [c.name for c in claim.conditions if not assessment.is_shown_necessary(c.name)]
    if unshown and is_whole and not is_empirical:
        yield f"not shown necessary: {'; '.join(unshown)}"


def _control_remark(control: ControlResult) -> Iterator[str]:
    if control.misplaced:
        yield (
            f"{control.misplaced} cases of {control.kind} {control.name!r} do not break exactly"
            " what they should and do not count"
        )
    if control.broken == 0 and control.kind != "dropped condition":
        yield f"{control.kind} {control.name!r} breaks nothing in {control.cases} cases"


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
