"""The figures of the scale-up table, from made-up records of every cell of the `cuda` preset."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from theory_lab.core import Record, Study
from theory_lab.core.measurement import as_measurement
from theory_lab.lab import catalogue
from theory_lab.lab.assess import assess
from theory_lab.lab.desk import Desk, Elsewhere, Judgement
from theory_lab.lab.evidence_file import EvidenceFile
from theory_lab.lab.options import parse_options
from theory_lab.lab.plan import Cell, plan
from theory_lab.report import figures

STUDIES = Path(__file__).resolve().parents[2] / "studies"
LAYERS = 12
TABLE = ("accuracy_and_sparsity", "blocks_and_sparsity", "rank_and_compression", "layer_densities")
FLAGS = ["--net", "resnet18", "--seeds", "2"]


@pytest.fixture(scope="module")
def study() -> Study:
    return catalogue.load(STUDIES / "scale_up.py")


def record(cell: Cell, device_rng: np.random.Generator) -> Record:
    """What a training might have given."""
    params = dict(cell.params)
    make = {"training": training, "channels": channels, "directional": directional}
    results = make[cell.experiment.removeprefix("trials.")](params, device_rng)
    trace = {name: np.asarray(array) for name, array in results.pop("trace", {}).items()}
    facts = {**params, "note": "CIFAR-10, JPEG q75", "examples": 50_000, "seed": 1}
    measured = {name: as_measurement(value) for name, value in results.items()}
    return Record(cell.experiment, params, cell.replicate, facts, measured, trace)


def training(params: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    is_grda = params["method"].startswith("gRDA")
    sparsity = rng.uniform(0.3, 0.97) if is_grda else params["sparsity"]
    found = dict(
        test_accuracy=0.94 - 0.05 * sparsity + 0.01 * rng.random(),
        sparsity=sparsity,
        density=np.clip(rng.uniform(0.2, 2, LAYERS) * (1 - sparsity), 0, 1),
        delta_rank=rng.integers(5, 60, LAYERS),
        compression=1 / (1 - sparsity),
        effective_compression=1.1 / (1 - sparsity),
        diverged=False,
    )
    return found | ({"magnitude_test_accuracy": 0.9} if is_grda else {})


def channels(params: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    before = rng.uniform(0.01, 0.1)
    return dict(
        near=0.1, below=3, above=9, loss_before=before, loss_zeroed=1.2 * before,
        loss_reestimated=1.1 * before, loss_random=30 * before, recovery=4, budget=9,
        trace=dict(norms=rng.gamma(2.0, 0.5, 900)),
    )  # fmt: skip


def directional(params: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    position = np.linspace(0, 1, 11)
    names = ("loss_grda", "loss_magnitude", "barrier", "barrier_curve", "share", "share_magnitude")
    return {name: rng.uniform(0.001, 0.1) for name in names} | dict(
        sparsity=rng.uniform(0.3, 0.9), share_random=0.001,
        trace=dict(position=position, line=0.1 + position, curve=0.1 + position**2),
    )  # fmt: skip


def judged(study: Study, lacking: str = "", keep: float = 1.0) -> Judgement:
    """No local records; those of the `cuda` preset as evidence, without the methods of this name,
    and of the rest the first share `keep`."""
    rng = np.random.default_rng(5)
    there = plan(study, "cuda", parse_options(study, FLAGS))
    cells = [c for c in there.cells() if dict(c.params).get("method") != lacking]
    records = {cell: record(cell, rng) for cell in cells[: round(keep * len(cells))]}
    origin = {"device": "A large GPU"}
    file = EvidenceFile(Path("large.jsonl.xz"), "scale_up", "cuda", FLAGS, origin, records)
    evidence = Elsewhere(file, there, assess(there, records.get))
    return Judgement(Desk(STUDIES / "scale_up.py", study, there), [], {}, 0, [], [], [evidence])


def drawn_of(judgement: Judgement) -> dict[str, figures.Drawn]:
    return {one.figure.id.partition(".")[0]: one for one in figures.draw_all(judgement)}


@pytest.fixture(scope="module")
def drawn(study: Study) -> dict[str, figures.Drawn]:
    return drawn_of(judged(study))


def table_of(one: figures.Drawn) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(one.csv))


def test_everything_is_drawn_and_says_from_what(drawn: dict[str, figures.Drawn]) -> None:
    assert {*TABLE, "channel_norms", "sgd_and_grda"} <= set(drawn)
    for name, one in drawn.items():
        assert one.is_drawn, (name, one.lacking)
        assert one.figure.id == f"{name}.resnet18.cifar10_jpeg.large"
        assert one.figure.heading.startswith(
            "resnet18 on CIFAR-10, JPEG q75, 50,000 training examples, "
        )
        assert one.figure.heading.endswith(" epochs. Measured on A large GPU") or name == (
            "channel_norms"
        )


def test_accuracy_stands_beside_the_published_points_of_its_data(
    drawn: dict[str, figures.Drawn],
) -> None:
    table = table_of(drawn["accuracy_and_sparsity"])
    published = table[table["shown"] == "published"]
    assert len(published["series"].unique()) == 3
    assert published["series"].str.contains("CIFAR-10").all()
    kept = published[published["series"] == "ResNet-56, CIFAR-10 (LC)"].set_index("x")["y"]
    assert kept.to_dict() == {0.9: 0.9333, 0.95: 0.9249, 0.97: 0.9179}
    measured = table[table["shown"] == "measured"]
    grda = measured[measured["series"] == "gRDA over its (c, μ)"]
    assert len(grda) == 6, "a point for each setting, at the sparsity that it reaches"
    assert set(measured.loc[measured["series"] == "SynFlow", "x"]) == {0.9, 0.95, 0.98, 0.99}
    assert (measured["high"] > measured["low"]).any(), "bars over the seeds"
    assert "dense" in set(table["series"])


def test_the_curve_and_the_diagonal_are_there(drawn: dict[str, figures.Drawn]) -> None:
    valley = table_of(drawn["sgd_and_grda"])
    assert valley["panel"].nunique() == 4
    assert len(valley[(valley["panel"] == 2) & (valley["shown"] == "measured")]) == 22
    assert "random direction, $\\sqrt{k/d}$" in set(valley["series"])
    paths = table_of(drawn["rank_and_compression"])
    diagonal = paths[paths["shown"] == "reference"]
    np.testing.assert_allclose(diagonal["x"], diagonal["y"])
    norms = table_of(drawn["channel_norms"])
    assert set(norms.loc[norms["series"] == "$2\\sqrt{\\beta}$", "left"]) == {0.2, 0.1}


def test_a_table_in_the_making_shows_what_is_there(study: Study) -> None:
    found = drawn_of(judged(study, lacking="SynFlow", keep=0.3))
    series = set(table_of(found["accuracy_and_sparsity"])["series"])
    assert "SynFlow" not in series
    assert "gradual magnitude" in series


def test_published_points_are_shares_and_name_their_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(STUDIES), *sys.path])
    import published

    sets = {"CIFAR-10": published.CIFAR10, "ImageNet": published.IMAGENET}
    every = [*published.UNSTRUCTURED, *(p for side in (4, 8, 16) for p in published.blocks(side))]
    for one in every:
        assert any(name in one.label and one.where == where for name, where in sets.items())
        sparsity, accuracy = np.array(one.points).T
        assert ((sparsity > 0) & (sparsity < 1) & (accuracy > 0.5) & (accuracy < 1)).all()
        assert (np.diff(sparsity) > 0).all()
        assert (np.diff(accuracy) < 0).all()
        method = one.label.partition("(")[2].rstrip(")")
        assert f"{method}, " in published.SOURCES or one not in published.UNSTRUCTURED
