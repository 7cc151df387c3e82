"""Figures of evidence files: what they show, how they are called, and when there is none."""

from __future__ import annotations

import io
from dataclasses import replace

import pandas as pd
import pytest

from tests.report import toys
from theory_lab.core import Study
from theory_lab.lab.desk import Judgement
from theory_lab.report import figures, paper_checks, tables, write
from theory_lab.report.html import page

SHORT = replace(toys.STUDY, figures=[toys.SWEEP])


def with_evidence(study: Study = toys.STUDY, **options) -> Judgement:
    here = toys.judged(study)
    return replace(here, elsewhere=[toys.elsewhere(here, **options)])


def figures_of(judgement: Judgement) -> dict[str, figures.Drawn]:
    return {one.figure.id: one for one in figures.draw_all(judgement)}


@pytest.fixture(scope="module")
def both() -> dict[str, figures.Drawn]:
    return figures_of(with_evidence())


def products(one: figures.Drawn) -> pd.DataFrame:
    table = pd.read_csv(io.StringIO(one.csv))
    return table[(table["panel"] == 1) & (table["shown"] == "measured")]


def test_evidence_has_a_figure_of_its_own_beside_the_local_one(both):
    drawn = both
    assert list(drawn) == ["toy_sweep", "toy_against", "toy_sweep.there", "toy_against.there"]
    assert [one.place for one in drawn.values()] == [0, 0, 1, 1]
    here, there = (products(drawn[name]).set_index(["series", "x"]) for name in ("toy_sweep", "toy_sweep.there"))  # fmt: skip
    for n in (1, 2, 3):
        assert there.loc[(f"n = {n}", 2.0), "y"] == 3 * here.loc[(f"n = {n}", 2.0), "y"] == 6 * n
    assert drawn["toy_sweep"].png == figures_of(toys.judged())["toy_sweep"].png


def test_it_says_on_what_it_was_measured(both):
    one = both["toy_sweep.there"]
    assert one.figure.caption.endswith(f"Measured on {toys.DEVICE}.")
    assert one.figure.heading == f"Measured on {toys.DEVICE}"
    assert "2.0" not in one.figure.heading, "no versions in what is drawn"


def test_without_records_no_figure_of_evidence_is_drawn():
    cells = len(toys.judged().records)
    one = figures_of(with_evidence(SHORT, lacking=cells))["toy_sweep.there"]
    assert not one.is_drawn
    assert one.lacking.startswith("There is no record of toy.products")


def test_claims_that_the_evidence_was_not_asked_about_have_no_figure_there():
    here = toys.judged(replace(toys.STUDY, figures=[toys.AGAINST]))
    only = Study("toy", claims=[toys.MEAN], cases=toys.STUDY.cases)
    there = toys.elsewhere(toys.judged(only))
    assert "toy_against.there" in figures_of(replace(here, elsewhere=[there]))
    halves = replace(toys.AGAINST, claims=[toys.HALVES])
    here = toys.judged(replace(toys.STUDY, figures=[halves]))
    assert set(figures_of(replace(here, elsewhere=[there]))) == {"toy_against"}


def test_evidence_of_older_code_that_lacks_what_is_drawn_today_is_no_error():
    there = toys.elsewhere(toys.judged())
    old = {cell: replace(record, trace={}) for cell, record in there.file.records.items()}
    file = replace(there.file, records=old)
    judgement = replace(toys.judged(SHORT), elsewhere=[replace(there, file=file)])
    one = figures_of(judgement)["toy_sweep.there"]
    assert not one.is_drawn
    assert "has no 'path' to draw" in one.lacking


def test_the_report_names_them_under_their_evidence(tmp_path):
    judgement = with_evidence()
    write([judgement], tmp_path, "quick")
    text = (tmp_path / "paper_checks.md").read_text()
    assert "[toy_sweep.there](figures/toy_sweep.there.png)" in text
    assert text.index("## Figures of elsewhere 1: A GPU") < text.index("toy_sweep.there.csv")
    assert text.index("](figures/toy_against.csv)") < text.index("## Figures of elsewhere 1")
    html = (tmp_path / "report" / "index.html").read_text()
    assert '<figure id="figure-toy_sweep.there">' in html
    assert html.index("Figures of elsewhere 1") < html.index('id="figure-toy_sweep.there"')
    assert html.index('id="figure-toy_against"') < html.index("Figures of elsewhere 1")


def test_what_is_no_longer_drawn_is_not_left_behind(tmp_path):
    study = replace(toys.STUDY, figures=[toys.AGAINST])
    write([with_evidence(study)], tmp_path, "quick")
    others = [tmp_path / "figures" / name for name in ("toy_against_all.png", "another.there.png")]
    for other in others:
        other.write_bytes(b"of another study")
    assert (tmp_path / "figures" / "toy_against.there.png").exists()
    write([with_evidence(study, stem="later")], tmp_path, "quick")
    left = {file.name for file in (tmp_path / "figures").glob("*.png")}
    assert left == {
        "toy_against.png", "toy_against.later.png",
        *(other.name for other in others),
    }  # fmt: skip
    assert not list((tmp_path / "figures").glob("*.there.csv"))


def test_every_evidence_file_has_a_place_of_its_own():
    here = toys.judged(replace(toys.STUDY, figures=[toys.AGAINST]))
    there = [toys.elsewhere(here, stem=f"place{number}") for number in range(2)]
    judgement = replace(here, elsewhere=there)
    part, drawn = tables.study_part(judgement), figures.draw_all(judgement)
    text = paper_checks.markdown([part], {part.id: drawn}, "")
    html = page([part], {part.id: drawn})
    for number in range(2):
        assert f"Figures of elsewhere {number + 1}: " in text
        assert f'id="figure-toy_against.place{number}"' in html


def test_records_that_no_case_asks_for_are_counted():
    here = toys.judged()
    there = toys.elsewhere(here)
    outgrown = replace(there, plan=replace(there.plan, claims=()))
    (now,) = tables.study_part(replace(here, elsewhere=[there])).places
    (later,) = tables.study_part(replace(here, elsewhere=[outgrown])).places
    size = len(there.file.records)
    assert "belong to no case" not in now
    assert later == f"{now}; {size} of its {size} records belong to no case of the study"
