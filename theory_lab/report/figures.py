"""A study's figures as PNG and CSV: same records, same bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from theory_lab.core import Study
from theory_lab.report.plots import Figure, Material, NothingToDraw, PredictedMeasured, style

if TYPE_CHECKING:
    from theory_lab.lab.desk import Judgement

PANELS = 6
"""Panels of one default figure."""


@dataclass(frozen=True)
class Drawn:
    """A figure as files; `lacking` says why there are none."""

    figure: Figure
    png: bytes = b""
    csv: str = ""
    lacking: str = ""

    @property
    def is_drawn(self) -> bool:
        return bool(self.png)


def draw_all(judgement: Judgement) -> list[Drawn]:
    """Every figure of a judged study, in its order, but for those of other presets."""
    material = Material(
        list(judgement.records.values()), {a.claim.id: a.evidence for a in judgement.assessments}
    )
    study = judgement.desk.study
    asked = {a.claim.id for a in judgement.assessments if a.is_asked}
    figures = study.figures or default_figures(study)
    return [draw(figure, material) for figure in figures if asked & set(figure.claim_ids)]


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
