"""A small study with a claim of every kind, judged without a ledger, and its report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from theory_lab.core import Claim, Condition, Measurement, Record, Source, Study, drops, grid
from theory_lab.core.measurement import as_measurement
from theory_lab.core.reduce import mean
from theory_lab.core.seeds import Stream
from theory_lab.core.types import Experiment
from theory_lab.lab.assess import assess
from theory_lab.lab.desk import Desk, Elsewhere, Judgement
from theory_lab.lab.evidence_file import EvidenceFile
from theory_lab.lab.plan import Cell, plan
from theory_lab.report.plots import Curves, Figure, Histogram, Mark, PredictedMeasured, Series

NASTY = "a < b & c | d* <script>alert(1)</script> `code` [x](y) $m$ #1 _under_score_"


def draw(a: float = 1.0, n: int = 1, *, rng: Any) -> dict[str, Any]:
    return dict(a=a, n=n, word=float(a) * n)


def run(problem: dict[str, Any], *, rng: Any) -> dict[str, Any]:
    a, n = problem["a"], problem["n"]
    t = np.arange(40)
    return dict(
        product=abs(a) * n * (1 + 1e-12 * rng.named("noise").standard_normal()),
        halves=np.array([a / 2, n / 2, 0.0]),
        noisy=a + 0.01 * rng.named("noise").standard_normal(50),
        bracket=Measurement.certified(a - 1e-9, a + 1e-9),
        trace=dict(path=a * 0.5**t, lengths=np.linspace(0, a, 20)),
    )


TOY = Experiment("toy.products", draw, run)

PRODUCT = Claim(
    "toy.product", Source("arXiv:0000.00000", "Theorem 1 | <b>"), NASTY,
    experiment=TOY, measure="product", predict=lambda f: f["a"] * f["n"],
    conditions=[Condition("a | positive <a>", lambda f: f["a"] > 0),
                Condition("n is a number", lambda f: f["n"] == f["n"])],
    rivals={"the sum | of both": lambda f: f["a"] + f["n"] + 3},
    formula="a·n `= <product>` | x",
)  # fmt: skip
HALVES = Claim(
    "toy.with_a_rather_long_name.of_two_parts", Source("arXiv:0000.00000", "Lemma 2"),
    "Halves are at most the larger of both.", relation="<=", experiment=TOY, measure="halves",
    predict=lambda f: np.full(3, max(f["a"], f["n"]) / 2), observed=["bracket"],
)  # fmt: skip
MEAN = Claim(
    "toy.mean", Source("the lab", "measured"), "The mean is a.", experiment=TOY,
    measure=mean("noisy"), predict=lambda f: float(np.mean(f["a"])), tolerance=0.02,
)  # fmt: skip
WRONG = Claim(
    "toy.wrong", Source("the lab", "made up"), "The product is twice as large.", experiment=TOY,
    measure="product", predict=lambda f: 2 * f["a"] * f["n"],
)  # fmt: skip
FITTED = Claim(
    "toy.fitted", Source("the lab", "fitted"), "The mean is at most 1.5 a.", relation="<=",
    experiment=TOY, measure=mean("noisy"), predict=lambda f: 1.5 * float(np.mean(f["a"])),
    basis="empirical",
)  # fmt: skip
CLAIMS = [PRODUCT, HALVES, MEAN, WRONG, FITTED]

INSIDE = dict(a=[0.5, 1.0, 2.0, 3.0])

SWEEP = Figure(
    "toy_sweep",
    f"Products against a. {NASTY}",
    [PRODUCT],
    [
        Curves(
            [Series("n = {}", TOY, "product", "a", INSIDE, by="n", line=lambda f, a: a * f["n"]),
             Series("noisy", TOY, "noisy", "a", INSIDE | dict(n=1))],
            xlabel="a", ylabel="product", marks=[Mark("an edge", lambda f: 2 * f["a"], vertical=True)],
        ),
        Curves([Series("a = {}", TOY, "path", where=dict(n=1), by="a")], xlabel="step",
               ylabel="path", yscale="log", ylim=(1e-6, None)),
        Histogram([Series("lengths", TOY, "lengths")], xlabel="length", ylabel="count", bins=5),
    ],
)  # fmt: skip
AGAINST = Figure("toy_against", "Against.", [PRODUCT, MEAN], PredictedMeasured([PRODUCT, MEAN]))

STUDY = Study(
    "toy",
    claims=CLAIMS,
    cases=grid(a=[0.5, 1.0, 2.0, 3.0], n=[1, 2, 3], replicates=2),
    controls=[drops("a | positive <a>", a=-1.0, n=2, claims=[PRODUCT])],
    figures=[SWEEP, AGAINST],
)


def record(cell: Cell) -> Record:
    """The cell, measured in memory."""
    params = dict(cell.params)
    stream = Stream(params, cell.replicate)
    problem = draw(**params, rng=stream)
    results = run(problem, rng=stream)
    trace = results.pop("trace")
    measured = {name: as_measurement(value) for name, value in results.items()}
    return Record(cell.experiment, params, cell.replicate, {**params, **problem}, measured, trace)


def judged(study: Study = STUDY, lacking: int = 0, shaken: float = 0.0) -> Judgement:
    """The study judged on all its cells but the first `lacking` ones.

    `shaken`: every measured number is changed by that factor or less, as another machine would.
    """
    desk = Desk(Path("toy.py"), study, plan(study, "quick"))
    records = {cell: _shaken(record(cell), shaken) for cell in desk.cells[lacking:]}
    return Judgement(desk, assess(desk.plan, records.get), records, lacking, [], [])


def _shaken(record: Record, size: float) -> Record:
    rng = np.random.default_rng(7)
    results = {}
    for name, one in record.results.items():
        factor = 1 + size * rng.uniform(-1, 1, one.shape)
        results[name] = Measurement(one.low * factor, one.high * factor, one.kind, one.level)
    trace = {name: a * (1 + size * rng.uniform(-1, 1, a.shape)) for name, a in record.trace.items()}
    return replace(record, results=results, trace=trace)


DEVICE = "A GPU <8>"


def elsewhere(
    judgement: Judgement, stem: str = "there", lacking: int = 0, factor: float = 3.0
) -> Elsewhere:
    """The records of a judgement, without the first `lacking` ones and all products times `factor`,
    as an evidence file."""
    cells = list(judgement.records)[lacking:]
    records = {cell: _scaled(judgement.records[cell], factor) for cell in cells}
    origin = {"device": DEVICE, "versions": {"numpy": "2.0"}, "commit": "abc"}
    file = EvidenceFile(Path(f"{stem}.jsonl.xz"), "toy", "quick", [], origin, records)
    plan = judgement.desk.plan
    return Elsewhere(file, plan, assess(plan, records.get))


def _scaled(record: Record, factor: float) -> Record:
    product = record.results["product"]
    scaled = replace(product, low=product.low * factor, high=product.high * factor)
    return replace(record, results={**record.results, "product": scaled})
