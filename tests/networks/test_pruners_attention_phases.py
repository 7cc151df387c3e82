"""SequentialAttention++: its phases, its end, and its options."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from tests.networks.attention_toys import SCHEDULE, mlp, sgd, train
from theory_lab.core import UsageError
from theory_lab.networks import models
from theory_lab.networks.optim import GRDA
from theory_lab.networks.prunable import Prunable, count_zeros
from theory_lab.networks.pruners import SequentialAttention
from theory_lab.networks.pruners.parametrisations import attach

# --- phases --------------------------------------------------------------------------------------


def test_phases_sparsify_and_end_at_the_target() -> None:
    model = mlp()
    optimizer = sgd(model)
    pruner = SequentialAttention(
        model, optimizer, block=4, sparsity=0.75, steps=40, schedule=SCHEDULE
    )
    kept, phases = [], []
    for _ in range(40):
        phases.append(pruner.phase)
        train(model, optimizer, pruner, 1)
        kept.append([int(mask.sum()) for mask in pruner.block_masks()])
    assert phases == ["dense"] * 10 + ["sparsification"] * 20 + ["sparse"] * 10
    assert kept[:10] == [[12, 8]] * 10  # (16, 12) and (8, 16) in blocks of 4 x 4
    assert kept == sorted(kept, reverse=True)
    # At a quarter of the phase .75 (1 - e^-1) / (1 - e^-4) = .483 is pruned, at half .661.
    assert kept[14] == [12 - 6, 8 - 4]
    assert kept[19] == [12 - 8, 8 - 5]
    assert kept[29:] == [[3, 2]] * 11
    assert pruner.reached()


def test_a_dense_phase_brings_every_block_back_with_its_weights() -> None:
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    pruner = SequentialAttention(
        model, optimizer, block=4, sparsity=0.75, steps=8,
        schedule=[("dense", 0.25), ("sparse", 0.25), ("dense", 0.25), ("sparse", 0.25)],
    )  # fmt: skip
    before = model.a.weight.detach().clone()
    train(model, optimizer, pruner, 2)
    assert count_zeros(model)[0] > 0
    train(model, optimizer, pruner, 2)
    assert torch.equal(model.a.weight, before)


def test_what_a_sparsification_phase_has_pruned_stays_pruned() -> None:
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    pruner = SequentialAttention(
        model, optimizer, block=4, sparsity=0.75, steps=40, schedule=SCHEDULE
    )
    train(model, optimizer, pruner, 20)
    before = [mask.clone() for mask in pruner.block_masks()]
    with torch.no_grad():
        for layer, mask in zip(pruner.layers, before, strict=True):
            layer.logits.copy_(torch.where(mask, 0.0, 1.0))
    train(model, optimizer, pruner, 20)
    for mask, earlier in zip(pruner.block_masks(), before, strict=True):
        assert not mask[~earlier].any()
        assert mask.sum() < earlier.sum()


def test_a_loaded_pruner_masks_the_forward_pass() -> None:
    states = []
    for steps in (40, 0):
        model = mlp()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
        pruner = SequentialAttention(model, optimizer, block=4, sparsity=0.75, steps=40)
        train(model, optimizer, pruner, steps)
        states.append(pruner.state_dict())
    pruner.load_state_dict(states[0])
    assert torch.equal(model.a.weight != 0, states[0]["masks"]["a.weight"])


@pytest.mark.parametrize("reset", [True, False])
def test_the_optimiser_is_reset_at_each_change_of_phase(reset: bool) -> None:
    model = mlp()
    optimizer = sgd(model)
    pruner = SequentialAttention(
        model, optimizer, sparsity=0.5, steps=8, reset_optimizer=reset,
        schedule=[("dense", 0.5), ("sparse", 0.5)],
    )  # fmt: skip

    def momentum() -> float:
        return sum(float(s["momentum_buffer"].abs().sum()) for s in optimizer.state.values())

    train(model, optimizer, pruner, 3)
    assert momentum() > 0
    train(model, optimizer, pruner, 1)
    assert (momentum() == 0) == reset


def test_only_the_attention_selects() -> None:
    """Neither large weights nor small ones matter."""
    model = mlp()
    pruner = SequentialAttention(model, sgd(model), block=4, sparsity=0.5, steps=10)
    with torch.no_grad():
        for layer, weight in zip(pruner.layers, pruner.weights, strict=True):
            layer.logits.copy_(torch.arange(layer.logits.numel()).reshape(layer.logits.shape))
            weight.parameter[0] = 1000
    pruner.select(0.5)
    for mask in pruner.block_masks():
        half = mask.numel() // 2
        assert mask.flatten().tolist() == [False] * half + [True] * half


def test_finished_weights_are_plain_and_exactly_zero() -> None:
    model = mlp()
    optimizer = sgd(model)
    pruner = SequentialAttention(model, optimizer, block=(4, 4), sparsity=0.75, steps=40)
    parameter = model.a.parametrizations.weight.original
    train(model, optimizer, pruner, 40)
    x = torch.randn(5, 12)
    before, masks = model(x), pruner.masks()
    pruner.finish()
    pruner.finish()
    torch.testing.assert_close(model(x), before)
    assert model.a.weight is parameter
    for name, mask in masks.items():
        weight = model.state_dict()[name]
        assert torch.equal(weight != 0, mask)
        assert not weight[~mask].signbit().any()
    mlp().load_state_dict(model.state_dict())


def test_a_resumed_run_ends_with_the_same_bits() -> None:
    def build() -> tuple[nn.Module, torch.optim.Optimizer, SequentialAttention]:
        model = mlp()
        optimizer = sgd(model)
        return (
            model,
            optimizer,
            SequentialAttention(
                model, optimizer, block=4, sparsity=0.75, steps=30, schedule=SCHEDULE
            ),
        )

    model, optimizer, pruner = build()
    for _ in range(17):
        train(model, optimizer, pruner, 1)
    saved = copy.deepcopy((model.state_dict(), optimizer.state_dict(), pruner.state_dict()))
    again, its_optimizer, its_pruner = build()
    again.load_state_dict(saved[0])
    its_optimizer.load_state_dict(saved[1])
    its_pruner.load_state_dict(saved[2])
    for run in ((model, optimizer, pruner), (again, its_optimizer, its_pruner)):
        for _ in range(13):
            train(*run, 1)
        run[2].finish()
    assert its_pruner.digest() == pruner.digest()
    for ours, theirs in zip(again.parameters(), model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


# --- options -------------------------------------------------------------------------------------


def test_logits_take_the_options_of_the_weights() -> None:
    model = mlp()
    groups = [
        {"params": [model.a.weight, model.b.weight, model.c.weight], "weight_decay": 0.5},
        {"params": [model.a.bias, model.b.bias, model.c.bias]},
    ]
    optimizer = torch.optim.SGD(groups, lr=0.1, momentum=0.8)
    pruner = SequentialAttention(model, optimizer, block=4, sparsity=0.5, steps=10)
    added = optimizer.param_groups[-1]
    assert (added["lr"], added["momentum"], added["weight_decay"]) == (0.1, 0.8, 0.5)
    assert [id(p) for p in added["params"]] == [id(layer.logits) for layer in pruner.layers]
    with torch.no_grad():
        pruner.layers[0].logits.fill_(1.0)
    model(torch.randn(3, 12)).sum().backward()
    pruner.layers[0].logits.grad.zero_()
    optimizer.step()
    torch.testing.assert_close(pruner.layers[0].logits, torch.full((4, 3), 1 - 0.1 * 0.5))


def test_which_layers_are_pruned() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.Flatten(), nn.Linear(8, 8), nn.Linear(8, 2)
    )
    names = {
        options: [w.name for w in _pruner(model, **dict(options)).weights]
        for options in ((), (("min_blocks", 5),), (("skip", ("1",)), ("block", 2)))
    }
    assert names[()] == ["1.weight", "3.weight"]
    assert names[(("min_blocks", 5),)] == ["1.weight"]  # 2 x 18 blocks of 4 x 4 against 2 x 2
    assert names[(("skip", ("1",)), ("block", 2))] == ["0.weight", "3.weight", "4.weight"]


def _pruner(model: nn.Module, block: int = 4, **options: object) -> SequentialAttention:
    model = copy.deepcopy(model)
    return SequentialAttention(model, sgd(model), block=block, sparsity=0.5, steps=10, **options)


def test_without_sparsification_the_phases_are_those_of_acdc() -> None:
    pruner = _pruner(mlp(), sparsification=False)
    assert {phase.kind for phase in pruner.timetable.phases} == {"dense", "sparse"}
    with pytest.raises(UsageError, match="sparsification is False"):
        _pruner(mlp(), sparsification=False, schedule=SCHEDULE)


def test_a_block_larger_than_its_layer_is_named() -> None:
    with pytest.raises(UsageError, match=r"a.weight is a matrix of \(16, 12\).*smaller block"):
        _pruner(mlp(), block=13)


@pytest.mark.parametrize("options", [{"rate": 0.0}, {"updates": 0}])
def test_an_impossible_rise_is_named(options: dict) -> None:
    with pytest.raises(UsageError, match="rate > 0, updates >= 1"):
        _pruner(mlp(), **options)


def test_two_parametrising_pruners_are_one_too_many() -> None:
    model = mlp()
    SequentialAttention(model, sgd(model), sparsity=0.5, steps=10)
    with pytest.raises(UsageError, match="finish"):
        attach(Prunable("a.weight", model.a), nn.Identity())


def test_a_residual_network_for_users() -> None:
    model = models.resnet(20)
    opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    prune = SequentialAttention(model, opt, block=(8, 8), sparsity=0.9, steps=3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(opt, 3)
    for _ in range(3):
        opt.zero_grad()
        loss = model(torch.randn(2, 3, 32, 32)).square().mean() + prune.loss_term()
        loss.backward()
        if prune.after_backward():
            opt.step()
        prune.after_step()
        schedule.step()
    prune.finish()
    plain = models.resnet(20)
    plain.load_state_dict(model.state_dict())
    kept = sum(int(mask.sum()) for mask in prune.masks().values())
    assert prune.reached()
    assert prune.size == 270_896 - 3 * 16 * 9 - 64 * 10  # without the first and the last layer
    assert abs(kept - 0.1 * prune.size) <= 32 * len(prune.weights)  # half a block a layer


def test_grda_thresholds_weights_and_not_logits() -> None:
    model = mlp()
    optimizer = GRDA(model.parameters(), lr=0.1, c=0.5, mu=0.5)
    pruner = SequentialAttention(model, optimizer, sparsity=0.5, steps=20, block=2, skip=())
    train(model, optimizer, pruner, 5)
    assert optimizer.param_groups[0]["threshold"] > 0
    assert all(bool((layer.logits != 0).all()) for layer in pruner.layers)
