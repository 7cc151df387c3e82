"""ACDC: sparse and dense phases in turn, weights zeroed or kept under the mask."""

from __future__ import annotations

from collections import OrderedDict

import pytest
import torch
from torch import nn

from theory_lab.core import UsageError
from theory_lab.networks.blocks import as_matrix
from theory_lab.networks.pruners import ACDC

SCHEDULE = (("dense", 0.25), ("sparse", 0.25), ("dense", 0.25), ("sparse", 0.25))


def mlp() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        OrderedDict(a=nn.Linear(12, 16), r=nn.ReLU(), b=nn.Linear(16, 8), c=nn.Linear(8, 3))
    )


def make(
    model: nn.Module, lr: float = 0.1, **options: object
) -> tuple[torch.optim.Optimizer, ACDC]:
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    defaults: dict = dict(sparsity=0.75, steps=8, schedule=SCHEDULE, block=4)
    return optimizer, ACDC(model, optimizer, **{**defaults, **options})


def train(model: nn.Module, optimizer: torch.optim.Optimizer, pruner: ACDC, steps: int) -> None:
    generator = torch.Generator().manual_seed(pruner.step)
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.randn(32, 12, generator=generator)).square().mean().backward()
        if pruner.after_backward():
            optimizer.step()
        pruner.after_step()


def test_the_blocks_of_largest_norm_are_kept() -> None:
    model = mlp()
    optimizer, pruner = make(model, lr=0.0)
    matrix = as_matrix(model.a.weight.detach()).clone()
    train(model, optimizer, pruner, 2)
    norms = torch.tensor(
        [[matrix[i : i + 4, j : j + 4].norm() for j in (0, 4, 8)] for i in (0, 4, 8, 12)]
    )
    kept = pruner.block_masks()[0]
    assert kept.sum() == 3
    assert norms[kept].min() > norms[~kept].max()


@pytest.mark.parametrize("zeroing", [True, False])
def test_what_a_dense_phase_finds(zeroing: bool) -> None:
    """After zeroing pruned weights start again from 0, after masking from where they were."""
    model = mlp()
    optimizer, pruner = make(model, lr=0.0, zeroing=zeroing)
    before = model.a.weight.detach().clone()
    train(model, optimizer, pruner, 2)
    mask = pruner.masks()["a.weight"].clone()
    assert pruner.phase == "sparse"
    assert torch.equal(model.a.weight, before * mask)
    train(model, optimizer, pruner, 2)
    assert pruner.phase == "dense"
    assert pruner.masks()["a.weight"].all()
    assert torch.equal(model.a.weight, before * mask if zeroing else before)


@pytest.mark.parametrize("zeroing", [True, False])
def test_pruned_weights_rest_in_sparse_phases_and_move_in_dense_ones(zeroing: bool) -> None:
    model = mlp()
    optimizer, pruner = make(model, zeroing=zeroing)
    train(model, optimizer, pruner, 2)
    mask = pruner.masks()["a.weight"].clone()
    under = pruner.weights[0].parameter
    before = under.detach().clone()
    train(model, optimizer, pruner, 1)
    assert torch.equal(under[~mask], before[~mask])
    assert not torch.equal(under[mask], before[mask])
    train(model, optimizer, pruner, 2)
    assert not torch.equal(under[~mask], before[~mask])


@pytest.mark.parametrize("zeroing", [True, False])
@pytest.mark.parametrize("reset", [True, False])
def test_the_optimiser_is_reset_at_each_change_of_phase(zeroing: bool, reset: bool) -> None:
    model = mlp()
    optimizer, pruner = make(model, zeroing=zeroing, reset_optimizer=reset)
    train(model, optimizer, pruner, 2)
    momentum = sum(float(s["momentum_buffer"].abs().sum()) for s in optimizer.state.values())
    assert (momentum == 0) == reset


@pytest.mark.parametrize("zeroing", [True, False])
@pytest.mark.parametrize("allocation", ["uniform", "global"])
@pytest.mark.parametrize("block", [1, 3, (4, 2)])
def test_the_end_is_at_the_target_with_exact_zeros(
    zeroing: bool, allocation: str, block: int | tuple[int, int]
) -> None:
    model = mlp()
    optimizer, pruner = make(
        model, zeroing=zeroing, allocation=allocation, block=block, schedule="imagenet", steps=40
    )
    assert not pruner.reached()
    train(model, optimizer, pruner, 40)
    assert pruner.reached()
    pruner.finish()
    zeros = [int((layer.weight == 0).sum()) for layer in (model.a, model.b)]
    sizes = [model.a.weight.numel(), model.b.weight.numel()]
    entries = block**2 if isinstance(block, int) else block[0] * block[1]
    if allocation == "global":
        zeros, sizes = [sum(zeros)], [sum(sizes)]
    for found, size in zip(zeros, sizes, strict=True):
        assert abs(found - 0.75 * size) < entries
    for name, mask in pruner.masks().items():
        weight = model.state_dict()[name]
        assert torch.equal(weight != 0, mask)
        assert not weight[~mask].signbit().any()
    mlp().load_state_dict(model.state_dict())


def test_one_sparsity_for_all_layers_or_for_each() -> None:
    kept = {}
    for allocation in ("uniform", "global"):
        model = mlp()
        with torch.no_grad():
            model.b.weight *= 100
        pruner = make(model, allocation=allocation)[1]
        pruner.select(0.75)
        kept[allocation] = [int(mask.sum()) for mask in pruner.block_masks()]
    assert kept == {"uniform": [3, 2], "global": [1, 4]}  # of 12 and 8


def test_one_shot_pruning_is_a_schedule() -> None:
    model = mlp()
    optimizer, pruner = make(model, steps=20, schedule=[("dense", 0.85), ("sparse", 0.15)])
    sparse_from = None
    for step in range(20):
        train(model, optimizer, pruner, 1)
        if pruner.reached() and sparse_from is None:
            sparse_from = step + 1
    assert sparse_from == 17


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"allocation": "erk"}, "choose one of uniform, global"),
        ({"sparsity": 1.0}, "less than 1"),
        ({"allocation": "global", "sparsity": 0.95}, "1 of 20 blocks in 2 layers"),
        ({"steps": 0}, "at least 1"),
        ({"schedule": "cifar"}, "choose one of imagenet, criteo"),
        ({"block": 0}, "at least 1"),
        ({"skip": ["d"]}, "no prunable weight 'd'"),
    ],
)
def test_wrong_arguments_are_named(options: dict, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make(mlp(), **options)


@pytest.mark.parametrize("steps", [1, 4])
def test_a_training_too_short_for_its_dense_phase_is_pruned(steps: int) -> None:
    model = mlp()
    optimizer, pruner = make(model, steps=steps, schedule=(("dense", 0.1), ("sparse", 0.9)))
    train(model, optimizer, pruner, steps)
    assert pruner.reached()
