"""paper_checks.md: everything is there, nothing of a statement becomes markup, same bytes."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.report import toys
from theory_lab.core import Study, grid
from theory_lab.core.judge import Comparison
from theory_lab.lab.assess import assess
from theory_lab.lab.desk import Elsewhere, Judgement
from theory_lab.report import figures, numbers, paper_checks, tables, write
from theory_lab.report.rows import worst_entry


def text_of(judgement: Judgement) -> str:
    part = tables.study_part(judgement)
    return paper_checks.markdown([part], {part.id: figures.draw_all(judgement)}, "figures/")


@pytest.fixture(scope="module")
def text() -> str:
    return text_of(toys.judged())


def section(text: str, claim: str) -> str:
    """What stands between this claim's heading and the next."""
    begin = text.index(f"\n## {paper_checks.escape(claim)}: ")
    return text[begin : text.find("\n## ", begin + 1)]


def test_every_claim_has_its_row_and_its_section(text):
    for claim in toys.CLAIMS:
        name = paper_checks.escape(claim.id)
        anchor = f"toy-{claim.id}".replace(".", "-")
        assert text.count(f"| [{name}](#{anchor}) |") == 1
        assert text.count(f'<a id="{anchor}"></a>') == 1
        assert f"\n## {name}: " in text


def test_claims_of_other_presets_are_named_and_not_judged():
    study = replace(toys.STUDY, cases=grid(a=[1.0, 2.0], n=[1, 2], claims=[toys.PRODUCT]))
    text = text_of(toys.judged(study))
    others = [claim.id for claim in toys.CLAIMS if claim is not toys.PRODUCT]
    assert not any(f"\n## {paper_checks.escape(name)}: " in text for name in others)
    named = ", ".join(map(paper_checks.code, others))
    assert f"Judged in other presets: {named}." in text
    assert toys.AGAINST.id in text, "one of its claims is judged"
    assert "Not drawn" not in text


def test_tables_have_as_many_cells_as_headings(text):
    rows = [line for line in text.splitlines() if line.startswith("|")]
    widths = [len(re.findall(r"(?<!\\)\|", row)) for row in rows]
    for row, width, before in zip(rows[1:], widths[1:], widths, strict=False):
        if "---" in row:
            assert width == before
    starts = [i for i, line in enumerate(text.splitlines()) if line.startswith("| ---")]
    lines = text.splitlines()
    for start in starts:
        width = len(re.findall(r"(?<!\\)\|", lines[start]))
        body = start + 1
        while body < len(lines) and lines[body].startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", lines[body])) == width
            body += 1


def test_a_statement_is_text_and_never_markup(text):
    assert "<script>" not in text
    plain = re.sub(r"\\([\\`*_\[\]<>|$~&#])", r"\1", section(text, "toy.product"))
    assert toys.NASTY in plain
    escaped = paper_checks.escape(toys.NASTY)
    assert not re.search(r"(?<!\\)[`*_\[\]<>|$~&#]", escaped)


def test_the_formula_stands_as_code_with_backticks_enough():
    assert paper_checks.code("a·n `= <product>` | x") == "``a·n `= <product>` | x``"
    assert paper_checks.code("plain") == "`plain`"


def test_conditions_say_what_shows_them_necessary(text):
    product = section(text, "toy.product")
    assert "a \\| positive \\<a\\> (shown necessary: without it 1 of 1 cases fail)" in product
    assert "n is a number (not shown necessary)" in product


def test_verdicts_margins_and_controls(text):
    assert "## toy.product: holds" in text
    assert "## toy.wrong: fails" in text
    assert "## toy.fitted: seen" in text
    assert "fails 24" in section(text, "toy.wrong")
    assert "| rival formula | the sum \\| of both | 24 | " in section(text, "toy.product")
    halves = section(text, "toy.with_a_rather_long_name.of_two_parts")
    assert "Tightness 1, at a=0.5, n=1, replicate 0" in halves
    assert "Measured inputs of the prediction: `bracket`" in halves
    assert "12 statistical" in section(text, "toy.mean")


def test_empirical_claims_have_a_table_of_their_own(text):
    before, after = text.split("**Empirical claims**")
    assert "[toy.fitted]" not in before
    assert "[toy.fitted]" in after
    assert re.search(r"\| seen \| -[\d.]+ \[-[\d.]+, -[\d.]+\] \| 12 \|", after)


def test_the_expected_number_of_false_alarms_is_the_sum_of_levels(text):
    assert "statistical enclosures): 2.4e-05." in text  # 24 enclosures at 1e-6


def test_cases_are_few_and_share_what_they_share(text):
    product = section(text, "toy.product")
    assert "6 of 24 cases" in product
    assert product.count("| a=") == 6
    one = Study("toy", claims=[toys.PRODUCT], cases=grid(a=[1.0, 2.0], n=5, replicates=1))
    shared = section(text_of(toys.judged(one)), "toy.product")
    assert "2 of 2 cases; all with n=5:" in shared
    assert "| a=1 | 5 | 5 | \\< 1e-09 | holds |" in shared


def entry_of(relation, predicted, measured, scale=1.0) -> int:
    predicted, measured = np.array(predicted, dtype=float), np.array(measured, dtype=float)
    sizes = np.full(predicted.shape, scale)
    return worst_entry(Comparison(predicted, measured, measured, 1e-7 * sizes, sizes, relation))


def test_the_entry_that_is_shown_says_most():
    assert entry_of("=", [1, 2, 3], [1, 2 + 1e-5, 3]) == 1
    assert entry_of("=", [1, 2, 3], [1 + 1e-13, 2 + 1e-12, 3]) == 0  # rounding does not choose
    assert entry_of("<=", [0.0, 4, 1], [0.0, 3, 0.5]) == 1  # 0 <= 0 says nothing
    assert entry_of("<=", [0.0, 4, 1], [0.0, 3, 1.5]) == 2  # what fails comes first
    assert entry_of("<=", [1, np.nan], [1, 0]) == 1


def test_no_case_inside_is_said():
    outside = Study("toy", claims=[toys.PRODUCT], cases=grid(a=-1.0, n=1))
    assert "No case lies inside the conditions." in text_of(toys.judged(outside))


def test_missing_cells_are_said():
    text = text_of(toys.judged(lacking=3))
    assert "**Incomplete.** 3 of 25 cells are not measured" in text
    assert "more are not measured" in section(text, "toy.product")


def test_records_of_another_machine_stand_in_their_own_columns(text):
    judgement = toys.judged()
    origin = {"device": "A GPU | with <8>", "versions": {"numpy": "2.0"}, "commit": "abc"}
    flags = ["--net", "a|b"]
    file = SimpleNamespace(
        path=Path("there.jsonl.xz"), preset="quick", flags=flags, origin=origin, records={}
    )
    there = Elsewhere(file, judgement.desk.plan, assess(judgement.desk.plan, judgement.records.get))
    both = Judgement(judgement.desk, judgement.assessments, judgement.records, 0, [], [], [there])
    text = text_of(both)
    assert "| controls broken | elsewhere 1 |" in text
    assert (
        "elsewhere 1: A GPU \\| with \\<8\\> (there.jsonl.xz, preset quick --net a\\|b, numpy"
        " 2.0, abc)." in text
    )
    assert "| A GPU \\| with \\<8\\> | **fails** | 0 / 24 / 0 / 0 |" in section(text, "toy.wrong")


def test_same_records_same_bytes(text):
    assert text == text_of(toys.judged())


def test_another_machines_rounding_changes_nothing(tmp_path):
    """What is checked in is equal where records differ in their last digits."""
    here, there = tmp_path / "here", tmp_path / "there"
    names = [file.relative_to(here) for file in write([toys.judged()], here, "quick")]
    write([toys.judged(shaken=1e-13)], there, "quick")
    assert len(names) == 6
    for name in names:
        assert (here / name).read_bytes() == (there / name).read_bytes(), name


def test_files_go_where_the_preset_says(tmp_path):
    quick = write([toys.judged()], tmp_path, "quick")
    assert {str(f.relative_to(tmp_path)) for f in quick} == {
        "figures/toy_sweep.png", "figures/toy_sweep.csv", "figures/toy_against.png",
        "figures/toy_against.csv", "paper_checks.md", "report/index.html",
    }  # fmt: skip
    assert "(figures/toy_sweep.png)" in (tmp_path / "paper_checks.md").read_text()
    full = write([toys.judged()], tmp_path / "figures" / "full", "full")
    assert tmp_path / "figures" / "full" / "toy_sweep.png" in full
    assert "(toy_sweep.png)" in (tmp_path / "figures" / "full" / "paper_checks.md").read_text()


def test_no_dates_and_four_digits(text):
    assert not re.search(r"20\d\d-\d\d-\d\d", text)
    assert not re.search(r"(?<![\d.])\d*\.\d*[1-9]\d{4,}", text)
    assert numbers.digits(1 / 3) == "0.3333"
