"""A study's figures as PNG and CSV: same records, same bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from theory_lab.core import Record, Study, UsageError
from theory_lab.report.plots import Figure, Material, NothingToDraw, PredictedMeasured, style

if TYPE_CHECKING:
    from theory_lab.lab.assess import Assessment
    from theory_lab.lab.desk import Elsewhere, Judgement
    from theory_lab.lab.plan import Cell, Plan

PANELS = 6
"""Panels of one default figure."""


@dataclass(frozen=True)
class Drawn:
    """A figure as files; `lacking` says why there are none. `place`: the number of the evidence file
    that it was drawn from, from 1; 0 for the local records."""

    figure: Figure
    png: bytes = b""
    csv: str = ""
    lacking: str = ""
    place: int = 0

    @property
    def is_drawn(self) -> bool:
        return bool(self.png)


def draw_all(judgement: Judgement) -> list[Drawn]:
    """Every figure of a judged study in its order, but for those of other presets; then those of
    each evidence file."""
    figures = declared(judgement)
    here = _material(judgement.desk.plan, judgement.records, judgement.assessments)
    drawn = [
        draw(figure, material)
        for asked in _asked(figures, judgement.assessments)
        for figure, material in asked.versions(here)
    ]
    for number, elsewhere in enumerate(judgement.elsewhere, 1):
        drawn += _draw_elsewhere(figures, elsewhere, number)
    return drawn


def declared(judgement: Judgement) -> Sequence[Figure]:
    """The figures that a study declares, or those of a study that declares none."""
    study = judgement.desk.study
    return study.figures or default_figures(study)


def _draw_elsewhere(
    figures: Sequence[Figure], elsewhere: Elsewhere, number: int
) -> Iterator[Drawn]:
    """The figures that the records of an evidence file fill. Records of other code may lack what a
    figure shows today; then it is not drawn, and says so."""
    file = elsewhere.file
    there = _material(elsewhere.plan, file.records, elsewhere.assessments)
    stem, device = (
        file.path.name.partition(".")[0],
        str(file.origin.get("device", "unknown device")),
    )
    for asked in _asked(figures, elsewhere.assessments):
        for version, material in asked.versions(there):
            figure = version.measured_at(stem, device)
            try:
                one = draw(figure, material)
            except UsageError as reason:
                one = Drawn(figure, lacking=str(reason))
            yield replace(one, place=number)


def _asked(figures: Sequence[Figure], assessments: Sequence[Assessment]) -> list[Figure]:
    asked = {a.claim.id for a in assessments if a.is_asked}
    return [figure for figure in figures if asked & set(figure.claim_ids)]


def _material(
    plan: Plan, records: Mapping[Cell, Record], assessments: Sequence[Assessment]
) -> Material:
    """The records of a plan, in its order, and the claims judged on them."""
    return Material(
        [records[cell] for cell in plan.cells() if cell in records],
        {a.claim.id: a.evidence for a in assessments},
        {
            planned.claim.id: [records[cell] for cell in planned.cells() if cell in records]
            for planned in plan.claims
        },
    )


def draw(figure: Figure, material: Material) -> Drawn:
    """One figure, or the reason why it cannot be drawn."""
    try:
        canvas, table = figure.draw(material)
    except NothingToDraw as reason:
        return Drawn(figure, lacking=str(reason))
    csv = table.to_csv(index=False, float_format="%.4g", lineterminator="\n")
    return Drawn(figure, style.png(canvas), csv)


def default_figures(study: Study) -> list[Figure]:
    """For a study that declares none: predicted against measured, claim by claim."""
    pages = [study.claims[i : i + PANELS] for i in range(0, len(study.claims), PANELS)]
    return [
        Figure(
            study.id if len(pages) == 1 else f"{study.id}_{number}",
            "Predicted against measured, every case inside the conditions.",
            page,
            [PredictedMeasured([claim], title=claim.id) for claim in page],
        )
        for number, page in enumerate(pages, 1)
    ]
