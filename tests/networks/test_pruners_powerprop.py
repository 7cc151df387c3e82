"""Powerpropagation of blocks: the map, its gradient, and when it prunes."""

from __future__ import annotations

from collections import OrderedDict

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from theory_lab.core import UsageError
from theory_lab.networks.blocks import Blocks, as_matrix
from theory_lab.networks.pruners import PowerPropagation
from theory_lab.networks.pruners.parametrisations import BlockPower
from theory_lab.numerics.schedules import cubic


def mlp() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        OrderedDict(a=nn.Linear(12, 16), r=nn.ReLU(), b=nn.Linear(16, 8), c=nn.Linear(8, 3))
    )


def make(model: nn.Module, **options: object) -> tuple[torch.optim.Optimizer, PowerPropagation]:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    defaults: dict = dict(sparsity=0.75, steps=20, block=4)
    return optimizer, PowerPropagation(model, optimizer, **{**defaults, **options})


def train(
    model: nn.Module, optimizer: torch.optim.Optimizer, pruner: PowerPropagation, steps: int
) -> None:
    generator = torch.Generator().manual_seed(pruner.step)
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.randn(32, 12, generator=generator)).square().mean().backward()
        if pruner.after_backward():
            optimizer.step()
        pruner.after_step()


shapes = st.tuples(st.integers(1, 7), st.integers(1, 7), st.sampled_from([(), (3, 3)])).map(
    lambda s: (s[0], s[1], *s[2])
)


@given(shapes, st.integers(1, 7), st.integers(1, 7), st.integers(0, 2**31))
def test_each_block_is_its_norm_times_itself(
    shape: tuple[int, ...], rows: int, columns: int, seed: int
) -> None:
    m, n = Blocks(shape, (1, 1)).matrix_shape
    blocks = Blocks(shape, (min(rows, m), min(columns, n)))
    u = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    power = BlockPower(blocks)
    matrix, found = as_matrix(u), as_matrix(power(u))
    for i in range(0, m, blocks.size[0]):
        for j in range(0, n, blocks.size[1]):
            block = (slice(i, i + blocks.size[0]), slice(j, j + blocks.size[1]))
            torch.testing.assert_close(
                found[block], matrix[block].norm() * matrix[block], rtol=1e-12, atol=1e-12
            )
    torch.testing.assert_close(power.right_inverse(power(u)), u, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(power(power.right_inverse(u)), u, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("block", [1, 4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_zero_block_has_gradient_zero(block: int, dtype: torch.dtype) -> None:
    power = BlockPower(Blocks((8, 8), (block, block)))
    u = torch.ones(8, 8, dtype=dtype)
    u[:4, :4] = 0
    u.requires_grad_()
    power(u).sum().backward()
    assert u.grad is not None
    assert torch.isfinite(u.grad).all()
    assert (u.grad[:4, :4].abs() <= 1e-12).all()  # the root of 1e-24
    assert (u.grad[4:] > 0).all()
    assert torch.equal(power.right_inverse(u.detach())[:4, :4], torch.zeros(4, 4, dtype=dtype))


@pytest.mark.parametrize("block", [1, 4, (5, 3)])
def test_training_starts_from_the_same_network(block: int | tuple[int, int]) -> None:
    plain, model = mlp(), mlp()
    parameter = model.a.weight
    optimizer, pruner = make(model, block=block)
    x = torch.randn(5, 12)
    torch.testing.assert_close(model(x), plain(x))
    assert pruner.weights[0].parameter is parameter
    assert any(p is parameter for p in optimizer.param_groups[0]["params"])


def test_one_shot_prunes_the_smallest_blocks_for_good() -> None:
    model = mlp()
    optimizer, pruner = make(model, begin=0.5)
    train(model, optimizer, pruner, 9)
    assert pruner.masks()["a.weight"].all()
    train(model, optimizer, pruner, 1)
    kept = pruner.masks()
    assert [int(mask.sum()) for mask in pruner.block_masks()] == [3, 2]
    assert all(float(s["momentum_buffer"].abs().sum()) == 0 for s in optimizer.state.values())
    train(model, optimizer, pruner, 10)
    pruner.finish()
    for name, mask in kept.items():
        assert torch.equal(model.state_dict()[name] != 0, mask)
    mlp().load_state_dict(model.state_dict())


def test_what_is_kept_has_the_largest_effective_norms() -> None:
    model = mlp()
    pruner = make(model)[1]
    matrix = as_matrix(model.a.weight.detach()).clone()
    pruner.select(0.75)
    norms = torch.tensor(
        [[matrix[i : i + 4, j : j + 4].norm() for j in (0, 4, 8)] for i in (0, 4, 8, 12)]
    )
    kept = pruner.block_masks()[0]
    assert norms[kept].min() > norms[~kept].max()


def test_gradual_pruning_follows_the_cubic_schedule() -> None:
    model = mlp()
    optimizer, pruner = make(model, begin=0.2, end=0.8, every=3, block=1)
    kept = []
    for _ in range(20):
        train(model, optimizer, pruner, 1)
        kept.append(int(pruner.masks()["a.weight"].sum()))
    expected = [192] * 20
    for step in range(5, 21):
        updates = [t for t in (7, 10, 13, 16) if t <= step]
        if updates:
            expected[step - 1] = 192 - round(cubic((updates[-1] - 4) / 12, 0.75) * 192)
    assert kept == expected
    assert pruner.reached()


@pytest.mark.parametrize("options", [{"begin": 1.2}, {"begin": 0.5, "end": 0.4}, {"every": 0}])
def test_wrong_times_are_named(options: dict) -> None:
    with pytest.raises(UsageError, match="0 <= begin <= end <= 1"):
        make(mlp(), **options)


@pytest.mark.parametrize("block", [1, 4])
@pytest.mark.parametrize("size", [1e-23, 1e-30, 0.0])
def test_weights_whose_squares_underflow_start_at_zero(size: float, block: int) -> None:
    model = mlp()
    with torch.no_grad():
        model.b.weight.fill_(size)
    make(model, block=block)
    assert model.b.weight.abs().max() <= size
