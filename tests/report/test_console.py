"""The table of verdicts at 80 columns."""

from __future__ import annotations

import pytest

from tests.report import toys
from theory_lab import console
from theory_lab.core import Claim, Source, Study, grid


@pytest.fixture
def shown(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")

    def show(judgement) -> list[str]:
        console.print_judgement(judgement)
        return capsys.readouterr().out.splitlines()

    return show


def test_one_line_a_claim_verdict_first(shown):
    lines = shown(toys.judged())
    for claim, verdict in zip(
        toys.CLAIMS, ("holds", "holds", "holds", "fails", "seen"), strict=True
    ):
        name = claim.id.removeprefix("toy.")
        (line,) = [line for line in lines if line.split()[:2] == [verdict, name]]
        assert len(line.rstrip()) <= 80
        assert line.split()[2].count("/") == 1


def test_long_names_are_not_folded(shown):
    name = "toy.approximate_orthogonality.curvature"
    long = Claim(name, Source("the lab", "made up"), "Long.", experiment=toys.TOY,
                 measure="product", predict=lambda f: f["a"] * f["n"])  # fmt: skip
    study = Study(
        "toy", claims=[long, toys.WRONG], cases=grid(a=[1.0, 2.0], n=[1, 2, 3], replicates=50)
    )
    lines = shown(toys.judged(study))
    (line,) = [line for line in lines if "approximate_orthogonality.curvature" in line]
    assert "300/300" in line
    assert len(line.rstrip()) <= 80


def test_remarks_name_failing_cases_and_idle_conditions(shown):
    text = "\n".join(shown(toys.judged()))
    assert "24 x enclosure misses the allowed set" in text
    assert "fails at a=0.5, n=1, replicate 0" in text
    assert "not shown necessary: n is a number" in text
