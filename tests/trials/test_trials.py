"""Trials: problems that methods share, files that they keep, every preset laid out and walked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.conftest import Lab
from tests.trials.conftest import STUDIES
from theory_lab.core import UsageError
from theory_lab.core.seeds import Stream
from theory_lab.lab import keys
from theory_lab.lab.plan import plan
from theory_lab.trials import channels, effective, orders, problems, recipes, training
from theory_lab.trials.methods import ONE_SHOT, PRUNERS, grda
from theory_lab.trials.problems import draw, fresh_model

MLP = dict(data="digits", net="mlp-64-16-10")
BRIEF = dict(epochs=2, batch_size=128, lr=0.1)


def problem(replicate: int = 0, **params):
    params = {**MLP, **params}
    return draw(**params, rng=Stream(params, replicate))


def run(of, at, **options):
    return of.run(at, rng=Stream(MLP, 0, "noise"), **options)


def same(one, two) -> bool:
    return one.keys() == two.keys() and all(
        np.array_equal(one[name], two[name]) for name in one if name != "trace"
    )


def test_a_problem_is_one_start_whatever_torch_drew_before() -> None:
    at = problem()
    first = fresh_model(at, "cpu").state_dict()
    torch.rand(3)
    before = torch.get_rng_state()
    second = fresh_model(at, "cpu").state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first[name], second[name]) for name in first)
    other = fresh_model(problem(replicate=1), "cpu").state_dict()
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_a_cell_says_how_much_of_the_data_it_used() -> None:
    at = problem(train_size=100, test_size=50)
    assert at["examples"] == 100
    assert "100 training examples" in at["note"]
    assert "50 test examples" in at["note"]


@pytest.mark.parametrize("method", [*PRUNERS, "dense", grda(0.01, 0.6)])
def test_every_method_trains(method: str) -> None:
    sparsity = 0.5 if method in PRUNERS else 0.0
    found = run(training, problem(), method=method, sparsity=sparsity, block=2, every=2, **BRIEF)
    assert not found["diverged"]
    assert 0 < found["test_accuracy"] <= 1
    assert len(found["history_step"]) == len(found["history_test_accuracy"])
    if method in PRUNERS and found["density"][-1] < 1:
        assert found["sparsity"] == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("method", ["SequentialAttention++", "ACDC"])
def test_blocks_as_large_as_a_layer_leave_each_layer_one(method: str) -> None:
    at = problem(net="resnet20", train_size=128)  # 16 x 144 is the first stage's matrix
    found = run(training, at, method=method, sparsity=0.99, block=16, epochs=2, batch_size=16)
    assert found["density"][1:7] == pytest.approx([1 / 9] * 6)
    assert min(found["density"]) > 0
    assert found["sparsity"] == pytest.approx(0.98, abs=0.01)


@pytest.mark.parametrize("method", ONE_SHOT)
def test_every_one_shot_method_prunes_now(method: str) -> None:
    found = run(effective, problem(), method=method, compression=5.0)
    assert found["direct"] == pytest.approx(5.0, rel=0.01)
    assert found["effective"] >= found["direct"] * (1 - 1e-12)


@pytest.mark.parametrize(
    ("method", "sparsity", "said"),
    [
        ("gradul magnitude", 0.5, "one of dense, gradual magnitude"),
        ("gradual magnitude", 0.0, "between 0 and 1"),
        ("dense", 0.5, "leave sparsity at 0"),
        ("gRDA(c=x, mu=0.5)", 0.0, "numbers of your own"),
    ],
)
def test_a_method_needs_its_sparsity(method: str, sparsity: float, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        training.TRAINING.complete({**MLP, **BRIEF, "method": method, "sparsity": sparsity})


def test_dense_runs_are_kept_and_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = problem()
    alone = recipes.dense_model(at, "cpu", **BRIEF).state_dict()
    monkeypatch.setenv(recipes.CHECKPOINTS, str(tmp_path))
    made = recipes.dense_model(at, "cpu", **BRIEF).state_dict()
    (file,) = (f for f in tmp_path.iterdir() if not f.suffix)
    kept = file.read_bytes()
    read = recipes.dense_model(at, "cpu", **BRIEF).state_dict()
    assert all(torch.equal(alone[n], made[n]) and torch.equal(made[n], read[n]) for n in alone)
    file.write_bytes(kept[:1000])
    mended = recipes.dense_model(at, "cpu", **BRIEF).state_dict()
    assert all(torch.equal(mended[name], alone[name]) for name in alone)
    assert not list(tmp_path.glob("*.unfinished"))
    recipes.dense_model({**at, "seed": 1}, "cpu", **BRIEF)
    assert len([f for f in tmp_path.iterdir() if not f.suffix]) == 2


def test_a_trial_is_the_same_with_and_without_kept_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = problem(net="resnet8w4", train_size=256)
    options = dict(strength=1.0, beta=0.01, dense_epochs=1, penalised_epochs=1, tuning_epochs=1)
    alone = run(channels, at, **options)
    monkeypatch.setenv(recipes.CHECKPOINTS, str(tmp_path))
    assert same(run(channels, at, **options), alone)
    assert same(run(channels, at, **options), alone)


def test_the_code_of_pruners_is_part_of_a_digest() -> None:
    reached = {(place.file.name, place.name) for place in keys.reach(training.TRAINING)}
    for needed in (
        ("rpg.py", "RPG"),
        ("attention.py", "SequentialAttention"),
        ("synflow.py", "SynFlow"),
        ("train.py", "fit"),
        ("optim.py", "GRDA"),
        ("selection.py", "keep_largest"),
    ):
        assert needed in reached


@pytest.mark.parametrize("preset", ["quick", "full", "cuda"])
def test_every_preset_is_laid_out(preset: str, study) -> None:
    cells = plan(study.STUDY, preset, study.Options()).cells()
    keyed = [study.order(dict(cell.params), cell.replicate) for cell in cells]
    assert len(cells) > 50
    assert keyed == sorted(keyed)
    if preset == "full":
        quick = plan(study.STUDY, "quick", study.Options()).cells()
        assert set(quick) <= set(cells)


def test_the_cuda_preset_runs_end_to_end_on_the_cpu(lab: Lab, study) -> None:
    for name in ("scale_up.py", "scale_up_figures.py"):
        lab.write((STUDIES / name).read_text(encoding="utf-8"), f"studies/{name}")
    flags = ["--preset", "cuda", "--smoke", "--data", "digits", "--net", "resnet8w4"]
    ended = lab("run", "scale_up", "--jobs", "0", *flags)
    assert ended.code == 0, ended.err
    records = lab_records(lab)
    compared = {m for o in (*orders.TABLE, *orders.RANK, orders.GRDA_AND_DENSE) for m in o[:2] if m}
    trained = [r for r in records if r.experiment == training.TRAINING.id]
    assert {r.params["method"] for r in trained} == compared | {study.GRDA_GRID[0]}
    assert np.all(np.isfinite([r.results["test_accuracy"].value for r in trained]))
    assert {channels.CHANNELS.id, "trials.directional"} < {r.experiment for r in records}
    straight = [r for r in records if r.experiment == "trials.directional"]
    assert all(np.isfinite(r.results["barrier_curve"].value) for r in straight)
    assert all(r.params["train_size"] and r.params["test_size"] for r in records)


def lab_records(lab: Lab):
    from theory_lab.lab.ledger import Ledger

    with Ledger(lab.folder / "results" / "smoke.sqlite", readonly=True) as ledger:
        return [record for key in ledger.contents() if (record := ledger.get(key))]


def test_a_data_set_is_read_once_whatever_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from theory_lab.networks import datasets

    read, load = [], datasets.load
    monkeypatch.setattr(datasets, "load", lambda *a, **k: read.append(a) or load(*a, **k))
    for _ in range(2):  # the device "meta" stands for any but the CPU
        for device in ("cpu", "meta"):
            found = problems.dataset("digits", 333, 50, device)
            assert found.train.device.type == found.test_labels.device.type == device
        assert problems.dataset("digits", 333, 50) is problems.dataset("digits", 333, 50, "cpu")
    assert len(read) == 1
