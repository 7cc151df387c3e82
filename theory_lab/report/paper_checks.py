"""paper_checks.md: every claim with its evidence, as GitHub's Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from theory_lab.report import numbers
from theory_lab.report.figures import Drawn
from theory_lab.report.tables import RELATIONS, VERDICTS, Section, StudyPart, false_alarms

_MARKUP = re.compile(r"([\\`*_\[\]<>|$~&#])")


def escape(text: str) -> str:
    """Text that Markdown prints as it is, in tables as well."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))


def code(text: str) -> str:
    """Text as code, with as many backticks around it as it needs."""
    runs = [len(run) for run in re.findall(r"`+", text)]
    fence = "`" * next(n for n in range(1, len(runs) + 2) if n not in runs)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{' '.join(text.split())}{space}{fence}"


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], right: str = "") -> list[str]:
    """A Markdown table; `right` names the columns that are set flush right, by heading."""
    flush = [("--:" if heading in right.split(", ") else "---") for heading in headings]
    return ["| " + " | ".join(line) + " |" for line in (headings, flush, *rows)] + [""]


def markdown(parts: Sequence[StudyPart], drawn: Mapping[str, Sequence[Drawn]], folder: str) -> str:
    """The whole file; figures are linked from `folder`, as seen from the file."""
    lines = [*_head(parts)]
    for part in parts:
        lines += _summary(part)
    for part in parts:
        lines += [f"# {escape(part.title)}: claim by claim", ""]
        for section in part.sections:
            lines += _section(section, drawn.get(part.id, ()), folder)
        lines += _figures(drawn.get(part.id, ()), part.places, folder)
    return "\n".join(lines).rstrip() + "\n"


def _head(parts: Sequence[StudyPart]) -> Iterator[str]:
    preset = parts[0].preset if parts else "quick"
    yield "# Paper checks"
    yield ""
    yield (
        f"Written by `theory-lab report`, preset {preset}; change the claims, not this file. A claim"
        " **holds** where what is measured, with its whole uncertainty, lies in the set that the"
        " prediction allows, **fails** where it misses it, and is **unresolved** otherwise; cases"
        " that break a condition are **outside**. The *resolution* is the least relative change of"
        " the prediction that the evidence refutes, the *tightness* of a bound is 1 where a case"
        " reaches it. *Controls* are wrong formulas, wrong computations and dropped conditions:"
        " each must break the claim."
    )
    yield ""
    yield (
        "Expected number of false alarms of all judgements together (the sum of the levels of the"
        f" statistical enclosures): {false_alarms(parts)}."
    )
    yield ""


def _summary(part: StudyPart) -> Iterator[str]:
    yield f"# {escape(part.title)}: summary"
    yield ""
    if part.lacking:
        yield f"**Incomplete.** {part.lacking}"
        yield ""
    places = [f"elsewhere {number}" for number, _ in enumerate(part.places, 1)]
    if part.proved:
        counts = "holds / fails / unresolved / outside"
        headings = ["claim", "what it says", "", "verdict", counts, "resolution", "tightness",
                    "controls broken", *places]  # fmt: skip
        yield from table(headings, [_summary_row(s) for s in part.proved], "tightness")
    if part.empirical:
        yield "**Empirical claims**: experimental statements and fitted laws, not theorems."
        yield ""
        headings = ["claim", "what it says", "", "verdict", "measured − predicted [interval]",
                    "cases", "controls broken", *places]  # fmt: skip
        yield from table(headings, [_empirical_row(s) for s in part.empirical], "cases")
    if part.other_presets:
        yield f"Judged in other presets: {', '.join(map(code, part.other_presets))}."
        yield ""
    for number, place in enumerate(part.places, 1):
        yield f"elsewhere {number}: {escape(place)}."
        yield ""


def _summary_row(section: Section) -> list[str]:
    return [
        _link(section), escape(section.statement), _sign(section), _strong(section.verdict),
        section.tally, section.resolution, section.tightness, section.broken,
        *(there.verdict for there in section.elsewhere),
    ]  # fmt: skip


def _empirical_row(section: Section) -> list[str]:
    return [
        _link(section), escape(section.statement), _sign(section), _strong(section.verdict),
        section.difference or numbers.NONE, str(section.cases.cases), section.broken,
        *(there.verdict for there in section.elsewhere),
    ]  # fmt: skip


def _link(section: Section) -> str:
    return f"[{escape(section.id)}](#{section.anchor})"


def _sign(section: Section) -> str:
    return next(sign for sign in RELATIONS.values() if f" {sign} " in section.relation)


def _strong(verdict: str) -> str:
    return verdict if verdict in ("holds", "seen") else f"**{verdict}**"


def _section(section: Section, drawn: Sequence[Drawn], folder: str) -> Iterator[str]:
    yield f'<a id="{section.anchor}"></a>'
    yield ""
    yield f"## {escape(section.id)}: {section.verdict}"
    yield ""
    yield escape(section.statement)
    yield ""
    if section.formula:
        yield f"> {code(section.formula)}"
        yield ""
    yield from _facts(section, drawn, folder)
    yield from _cases(section)
    if section.controls:
        rows = [
            [c.kind, escape(c.name), str(c.cases), str(c.broken), c.remark or "–"]
            for c in section.controls
        ]
        yield from table(["control", "name", "cases", "broken", "remark"], rows, "cases, broken")
    if section.elsewhere:
        headings = ["measured elsewhere", "verdict", " / ".join(VERDICTS), "margin", "resolution"]
        rows = [
            [escape(t.where), _strong(t.verdict), t.counts, escape(t.margin), t.resolution]
            for t in section.elsewhere
        ]
        yield from table(headings, rows)


def _facts(section: Section, drawn: Sequence[Drawn], folder: str) -> Iterator[str]:
    yield f"- Source: {escape(section.source)} (basis: {section.basis})"
    yield f"- Judged: {section.relation}, allowed deviation {escape(section.tolerance)}"
    for condition in section.conditions:
        yield f"- Condition: {escape(condition.name)} ({condition.shown})"
    if section.observed:
        yield f"- Measured inputs of the prediction: {', '.join(map(code, section.observed))}"
    yield f"- Verdicts: {numbers.names(section.counts)}; evidence: {section.kinds or 'none'}"
    for reason, count in section.reasons.items():
        yield f"  - {count} × {escape(reason)}"
    if section.missing:
        yield f"  - {section.missing} more are not measured"
    yield f"- Least margin {escape(section.margin)} of scale; resolution {section.resolution}"
    if section.tightest:
        yield f"- Tightness {section.tightness}, at {escape(section.tightest)}"
    if section.difference:
        yield f"- Measured − predicted, with its interval: {escape(section.difference)}"
    figures = [one for one in drawn if section.id in one.figure.claim_ids and one.is_drawn]
    if figures:
        links = ", ".join(f"[{one.figure.id}]({folder}{one.figure.id}.png)" for one in figures)
        yield f"- Figure: {links}"
    yield ""


def _cases(section: Section) -> Iterator[str]:
    cases = section.cases
    if not cases.rows:
        yield "No case lies inside the conditions."
        yield ""
        return
    more = f", {cases.entries} entries" if cases.entries != cases.cases else ""
    shared = f"; all with {cases.shared}" if cases.shared else ""
    yield escape(f"{len(cases.rows)} of {cases.cases} cases{more}{shared}:")
    yield ""
    rows = [
        [escape(r.case), escape(r.predicted), escape(r.measured), escape(r.margin), r.verdict]
        for r in cases.rows
    ]
    headings = ["case", "predicted", "measured", cases.last_column, "verdict"]
    yield from table(headings, rows, f"predicted, measured, {cases.last_column}")


def _figures(drawn: Sequence[Drawn], places: Sequence[str], folder: str) -> Iterator[str]:
    """Those of the local records, then those of each evidence file."""
    headings = ["Figures", *(f"Figures of elsewhere {n}: {p}" for n, p in enumerate(places, 1))]
    for number, heading in enumerate(headings):
        shown = [one for one in drawn if one.place == number]
        if shown:
            yield f"## {escape(heading)}"
            yield ""
            yield from _shown(shown, folder)


def _shown(drawn: Sequence[Drawn], folder: str) -> Iterator[str]:
    for one in drawn:
        if one.is_drawn:
            yield f"![{escape(one.figure.caption)}]({folder}{one.figure.id}.png)"
            yield ""
            yield f"*{escape(one.figure.caption)}* ([CSV]({folder}{one.figure.id}.csv))"
        else:
            yield f"Not drawn: {escape(one.figure.id)}. {escape(one.lacking)}"
        yield ""
