"""What a method is compared with in its own cell: the dense run at its sparsity, lines, curves."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.trials.test_trials import BRIEF, problem, run
from theory_lab.networks import train
from theory_lab.networks.history import History
from theory_lab.networks.prunable import count_zeros, prunable_weights
from theory_lab.trials import copies, directional, effective, recipes, training
from theory_lab.trials.methods import grda

SPARSE = grda(0.05, 0.9)
STEEP = dict(strength=0.05, exponent=0.9, epochs=2)


def trained(net: str):
    """A dense model, its data, and a copy that is three quarters zeros in layers of their own choice."""
    at = problem(net=net, train_size=400)
    dense = recipes.dense_model(at, "cpu", **BRIEF)
    sparse = copy.deepcopy(dense)
    for weight in prunable_weights(sparse):
        with torch.no_grad():
            weight.parameter[1::2] = 0
            weight.parameter[:, 1::2] = 0
    return dense, sparse, training.data_of(at, "cpu")


@pytest.mark.parametrize("net", ["mlp-64-16-10", "resnet8w4"])
def test_the_dense_model_loses_its_smallest_weights_and_no_more_than_the_other(net: str) -> None:
    dense, sparse, data = trained(net)
    before = copy.deepcopy(dense.state_dict())
    pruned, share = copies.pruned_like(dense, sparse, data)
    assert count_zeros(pruned) == count_zeros(sparse)
    assert share == count_zeros(sparse)[0] / count_zeros(sparse)[1]
    sizes = torch.cat([w.parameter.detach().abs().reshape(-1) for w in prunable_weights(dense)])
    left = torch.cat([w.parameter.detach().abs().reshape(-1) for w in prunable_weights(pruned)])
    layers = len(prunable_weights(dense))
    wrong = int((sizes[left == 0] > sizes[left > 0].quantile(0.0)).sum())
    assert wrong <= layers  # the largest weight of each layer stays
    assert all(torch.equal(before[name], value) for name, value in dense.state_dict().items())


def test_statistics_of_batch_norm_are_those_of_the_pruned_weights() -> None:
    dense, sparse, data = trained("resnet8w4")
    pruned, _ = copies.pruned_like(dense, sparse, data)
    stale = copy.deepcopy(pruned)
    buffers = dict(stale.named_buffers())
    for name, buffer in dense.named_buffers():
        buffers[name].copy_(buffer)
    again = copies.renewed(stale, data)
    assert all(torch.equal(a, b) for a, b in zip(again.buffers(), pruned.buffers(), strict=True))
    fresh = train.evaluate(pruned, data, train=True).loss
    assert fresh != train.evaluate(stale, data, train=True).loss


def test_grda_stands_beside_the_dense_run_of_its_recipe() -> None:
    at, recipe = problem(), BRIEF | dict(momentum=0.9, schedule="cosine")
    found = run(training, at, method=SPARSE, **recipe)
    assert 0 < found["sparsity"] < 1
    dense = run(training, at, method="dense", **recipe)
    model = recipes.dense_model(
        at, "cpu", warmup=0.0, label_smoothing=0.0, weight_decay=5e-4, **recipe
    )
    weights = [weight.parameter for weight in prunable_weights(model)]
    flat = torch.cat([weight.detach().abs().reshape(-1) for weight in weights])
    zeros = round(found["sparsity"] * len(flat))
    threshold = flat.sort().values[zeros - 1]
    with torch.no_grad():
        for weight in weights:
            weight[weight.abs() <= threshold] = 0
    test = train.evaluate(model, training.data_of(at, "cpu"))
    assert found["magnitude_test_accuracy"] == test.accuracy
    assert found["magnitude_test_loss"] == pytest.approx(test.loss, rel=1e-6)
    assert "magnitude_test_loss" not in dense


def test_a_dense_run_that_diverged_is_not_pruned() -> None:
    lost = History("diverged", final=dict(test_accuracy=0.1, test_loss=float("nan")))
    found = training._beside(None, lost, None, None)
    assert found["magnitude_test_accuracy"] == 0.1
    assert np.isnan(found["magnitude_test_loss"])


def test_a_dense_run_is_kept_with_its_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(recipes.CHECKPOINTS, str(tmp_path))
    made = run(training, problem(), method="dense", **BRIEF)
    fits, fit = [], train.fit
    monkeypatch.setattr(train, "fit", lambda *a, **k: fits.append(a) or fit(*a, **k))
    read = run(training, problem(), method="dense", **BRIEF)
    assert not fits
    assert made.keys() == read.keys()
    assert all(np.array_equal(made[name], read[name]) for name in made)
    assert len(read["history_step"]) == BRIEF["epochs"]


def test_rows_of_the_history_can_be_fewer() -> None:
    few = run(training, problem(), method="dense", evaluate_every=0, **BRIEF)
    many = run(training, problem(), method="dense", **BRIEF)
    assert few["history_step"] == many["history_step"][-1:]
    assert few["test_accuracy"] == many["test_accuracy"]


def test_curves_and_independent_runs_are_measured_where_asked_for() -> None:
    plain = run(directional, problem(), **STEEP)
    assert not {"barrier_curve", "barrier_independent"} & plain.keys()
    found = run(directional, problem(), curve_epochs=2, independent=True, **STEEP)
    line, curve, far = (found["trace"][name] for name in ("line", "curve", "line_independent"))
    assert len(line) == len(curve) == len(far) == directional.POINTS
    assert curve[0] == line[0] == far[0]
    assert curve[-1] == line[-1] != far[-1]
    assert curve[5] != line[5]  # it was trained away from the straight line
    assert found["barrier"] == plain["barrier"]
    assert found["barrier_curve"] == max(curve) - max(curve[0], curve[-1])


def test_a_hessian_of_a_part_of_the_data_is_that_of_its_first_examples() -> None:
    batches = [(torch.arange(4.0), torch.arange(4)), (torch.arange(4.0, 7.0), torch.arange(4, 7))]
    for size, wanted in ((0, [4, 3]), (3, [3]), (4, [4]), (6, [4, 2]), (100, [4, 3])):
        part = directional._first(batches, size)
        assert [len(labels) for _, labels in part] == wanted
        assert torch.cat([inputs for inputs, _ in part]).tolist() == list(range(sum(wanted)))
    all_of_it = run(directional, problem(), **STEEP)
    few = run(directional, problem(), hessian_size=50, products=12, **STEEP)
    assert few["share"] != all_of_it["share"]
    assert few["hessian_residual"] > all_of_it["hessian_residual"]
    assert few["barrier"] == all_of_it["barrier"]


MLPS = ("mlp-64-300-100-10", "lenet_300_100")


@pytest.mark.parametrize("net", MLPS)
def test_every_wrong_formula_of_random_pruning_is_beyond_the_tolerance_somewhere(
    net: str, study
) -> None:
    compressions = study.PATHS_ON_DIGITS if net == MLPS[0] else study.PATHS_ON_MNIST
    off = dict.fromkeys(effective.RANDOM.rivals, 0.0)
    for method, compression in ((m, c) for m, several in compressions.items() for c in several):
        facts = dict(net=net, method=method, compression=compression)
        right = effective.RANDOM.predict(facts)
        for name, rival in effective.RANDOM.rivals.items():
            off[name] = max(off[name], abs(rival(facts) / right - 1))
    assert min(off.values()) > 2 * effective.RANDOM.tolerance


@pytest.mark.parametrize("method", ["dense", "magnitude", "LAMP", "powerpropagation"])
def test_a_training_that_diverged_is_a_record(method: str) -> None:
    sparsity = 0.0 if method == "dense" else 0.5
    steep = {**BRIEF, "lr": 1e30}
    found = run(training, problem(), method=method, sparsity=sparsity, **steep)
    assert found["diverged"]
    assert np.isnan(found["delta_rank"]).all()
    assert len(found["delta_rank"]) == len(found["density"])


def test_a_network_of_zeros_is_a_record() -> None:
    found = run(training, problem(), method=grda(1e3, 0.6), **BRIEF)
    assert found["sparsity"] == 1
    assert found["compression"] == found["effective_compression"] == np.inf
