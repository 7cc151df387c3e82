"""The smoothed group LASSO on channels: its penalty, and what removal leaves."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tests.networks.channel_toys import chain, make
from theory_lab.core import UsageError
from theory_lab.networks import models
from theory_lab.networks.pruners import ChannelGroupLasso
from theory_lab.networks.pruners.channels import inner_channels
from theory_lab.networks.selection import DivergedError
from theory_lab.numerics.smoothed_norm import smoothed_norm

# --- the penalty ---------------------------------------------------------------------------------


@given(st.floats(1e-12, 1e6), st.floats(1e-6, 1e3))
def test_the_smoothed_norm_is_one_formula_for_both_backends(squared: float, beta: float) -> None:
    expected = squared / math.sqrt(squared + beta)
    assert float(smoothed_norm(np.float64(squared), beta)) == pytest.approx(expected, rel=1e-15)
    found = smoothed_norm(torch.tensor(squared, dtype=torch.float64), beta)
    assert float(found) == pytest.approx(expected, rel=1e-15)


def test_the_penalty_is_the_mean_over_layers_of_means() -> None:
    model = models.resnet(8, width=4)
    pruner = make(model, strength=3.0, beta=0.04)
    assert [channels.count for channels in pruner.channels] == [4, 8, 16]
    means = [
        np.mean([r**2 / math.sqrt(r**2 + 0.04) for r in norms.tolist()]) for norms in pruner.norms()
    ]
    assert float(pruner.loss_term().detach()) == pytest.approx(3.0 * np.mean(means), rel=1e-6)
    assert make(model, strength=0.0).loss_term() == 0.0


def test_without_batch_norm_norms_are_relative_to_the_start() -> None:
    model = models.mlp((12, 16, 8, 3))
    pruner = make(model)
    assert pruner.norm == "incoming"
    assert [(c.name, c.reader) for c in pruner.channels] == [("fc1", "fc2"), ("fc2", "fc3")]
    for norms, layer in zip(pruner.norms(), (model.fc1, model.fc2), strict=True):
        whole = torch.cat([layer.weight, layer.bias[:, None]], 1).norm(dim=1)
        torch.testing.assert_close(norms, (whole / whole.square().mean().sqrt()).detach())
    before = pruner.norms()
    with torch.no_grad():
        model.fc1.weight *= 0.5
        model.fc1.bias *= 0.5
    torch.testing.assert_close(pruner.norms()[0], before[0] / 2)


def test_which_channels_are_inner() -> None:
    assert len(inner_channels(models.resnet(20))) == 9
    assert len(inner_channels(models.resnet(50))) == 32  # two in each of 16 bottlenecks
    lenet = inner_channels(models.lenet5())
    assert [(c.name, c.reader, c.count) for c in lenet] == [
        ("conv1", "conv2", 6),
        ("conv2", "fc1", 16),
        ("fc1", "fc2", 120),
        ("fc2", "fc3", 84),
    ]
    with pytest.raises(UsageError, match="one other layer alone reads"):
        inner_channels(nn.Sequential(nn.Linear(3, 3)))


def test_what_a_grouped_convolution_reads_is_left_alone() -> None:
    def grouped(norm: type[nn.Module]) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(3, 8, 1), norm(8), nn.ReLU(),
            nn.Conv2d(8, 8, 1, groups=4), norm(8), nn.ReLU(), nn.Conv2d(8, 2, 1),
        )  # fmt: skip

    assert [(c.name, c.reader) for c in inner_channels(grouped(nn.Identity))] == [("3", "6")]
    with pytest.raises(UsageError, match="one other layer alone reads"):
        inner_channels(grouped(nn.BatchNorm2d))


# --- removal -------------------------------------------------------------------------------------


@torch.no_grad()
def spread(pruner: ChannelGroupLasso) -> None:
    """Half of the channels of each layer far below the threshold, half far above it."""
    for channels in pruner.channels:
        for vector in channels.vectors[-2:]:
            vector.copy_(torch.linspace(-1, 1, channels.count) + 0.1)
            vector[::2] *= 1e-3


@pytest.mark.parametrize("depth", [8, 50])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_removal_zeroes_all_of_a_channel_and_nothing_else(
    depth: int, memory_format: torch.memory_format
) -> None:
    torch.manual_seed(0)
    model = models.resnet(depth, width=4).to(memory_format=memory_format)
    pruner = make(model)
    spread(pruner)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    kept = pruner.selected()
    pruner.prune()
    assert all(0 < int(mask.sum()) < len(mask) for mask in kept)
    touched = {name: torch.zeros_like(value, dtype=torch.bool) for name, value in before.items()}
    modules = {id(module): name for name, module in model.named_modules()}
    for channels, mask in zip(pruner.channels, kept, strict=True):
        norm = modules[id(channels.norm)]
        touched[f"{channels.name}.weight"][~mask] = True
        touched[f"{norm}.weight"][~mask] = True
        touched[f"{norm}.bias"][~mask] = True
        touched[f"{channels.reader}.weight"][:, ~mask] = True
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name].masked_fill(touched[name], 0))


def test_removed_channels_carry_nothing() -> None:
    """The network without the removed channels, built by hand, computes the same."""
    model = chain()
    pruner = make(model)
    spread(pruner)
    (kept,) = pruner.selected()
    pruner.prune()
    small = chain()
    small.load_state_dict(model.state_dict())
    small.conv.weight = nn.Parameter(model.conv.weight[kept])
    small.next.weight = nn.Parameter(model.next.weight[:, kept])
    small.norm = nn.BatchNorm2d(int(kept.sum()), eps=1e-12).double()
    with torch.no_grad():
        small.norm.weight.copy_(model.norm.weight[kept])
        small.norm.bias.copy_(model.norm.bias[kept])
    x = torch.randn(9, 3, 6, 6, dtype=torch.float64)
    torch.testing.assert_close(small(x), model(x), rtol=1e-12, atol=1e-12)


def test_a_flattened_channel_is_read_by_many_inputs() -> None:
    model = models.lenet5()
    pruner = make(model)
    with torch.no_grad():
        model.conv2.weight[3:] *= 1e-3
        model.conv2.bias[3:] *= 1e-3
    pruner.prune()
    kept = model.fc1.weight.detach().reshape(120, 16, -1).abs().sum((0, 2)) > 0
    assert kept.tolist() == [True] * 3 + [False] * 13


def test_no_layer_is_emptied() -> None:
    model = chain()
    pruner = make(model, beta=1e6)
    pruner.prune()
    (kept,) = pruner.kept()
    assert int(kept.sum()) == 1
    assert kept[pruner.norms()[0].argmax()]
    with pytest.raises(UsageError, match="keep at least one"):
        pruner.prune([torch.zeros(8, dtype=torch.bool)])


def train(model: nn.Module, pruner: ChannelGroupLasso, steps: int) -> None:
    generator = torch.Generator().manual_seed(pruner.step)
    for _ in range(steps):
        x = torch.randn(8, 3, 6, 6, dtype=torch.float64, generator=generator)
        pruner.optimizer.zero_grad()
        (model(x).square().mean() + pruner.loss_term()).backward()
        if pruner.after_backward():
            pruner.optimizer.step()
        pruner.after_step()


@pytest.mark.parametrize("prune_at", [0.5, None])
def test_fine_tuning_keeps_removed_channels_at_zero(prune_at: float | None) -> None:
    model = chain()
    pruner = make(model, prune_at=prune_at)
    spread(pruner)
    train(model, pruner, 4)
    assert not pruner.is_pruned
    train(model, pruner, 1)
    assert pruner.is_pruned == (prune_at is not None)
    if prune_at is None:
        pruner.prune()
    (kept,) = pruner.kept()
    assert 0 < int(kept.sum()) < 8
    assert pruner.loss_term() == 0.0
    before = model.conv.weight.detach().clone()
    train(model, pruner, 5)
    pruner.finish()
    assert not torch.equal(model.conv.weight[kept], before[kept])
    for value in (model.conv.weight, model.norm.weight, model.norm.bias):
        assert not value[~kept].any()
    assert not model.next.weight[:, ~kept].any()
    assert torch.equal(pruner.masks()["conv.weight"], kept.view(-1, 1, 1, 1).expand(8, 3, 3, 3))


def test_the_penalty_shrinks_the_shares_of_some_channels() -> None:
    """Without a task the smallest channels die: the penalty is concave."""
    model = chain()
    pruner = make(model, strength=30.0, steps=400)
    before = pruner.split()
    for _ in range(300):
        pruner.optimizer.zero_grad()
        pruner.loss_term().backward()
        pruner.optimizer.step()
        pruner.after_step()
    after = pruner.split()
    assert after.kept[0] < before.kept[0] == 8


def test_the_split_is_measured_about_the_threshold() -> None:
    model = chain()
    pruner = make(model, beta=0.01, norm="affine")
    with torch.no_grad():
        model.norm.bias.zero_()
        model.norm.weight.copy_(torch.tensor([0.01, 0.05, 0.09, 0.15, 0.3, 0.39, 0.5, 2.0]))
    split = pruner.split()  # the threshold is .2
    assert split.kept == (4,)
    assert split.total == 8
    assert split.near == pytest.approx(3 / 8)  # .15, .3, .39
    assert split.gap == pytest.approx(0.3 / 0.15)
    assert make(model, beta=1e-6, norm="affine").split().gap is None


def test_a_resumed_run_ends_with_the_same_bits() -> None:
    def build(scale: float) -> tuple[nn.Module, ChannelGroupLasso]:
        model = chain()
        with torch.no_grad():
            model.conv.weight *= scale  # norms are relative to those of the start
        pruner = make(model, prune_at=0.7, norm="incoming", beta=0.2)
        return model, pruner

    model, pruner = build(1.0)
    train(model, pruner, 1)
    for _ in range(5):
        train(model, pruner, 1)
    saved = copy.deepcopy((model.state_dict(), pruner.optimizer.state_dict(), pruner.state_dict()))
    again, its_pruner = build(2.0)
    again.load_state_dict(saved[0])
    its_pruner.optimizer.load_state_dict(saved[1])
    its_pruner.load_state_dict(saved[2])
    for net, its in ((model, pruner), (again, its_pruner)):
        for _ in range(4):
            train(net, its, 1)
    assert its_pruner.is_pruned
    assert its_pruner.digest() == pruner.digest()
    for ours, theirs in zip(again.parameters(), model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"beta": 0.0}, "beta > 0"),
        ({"strength": -1.0}, "strength >= 0"),
        ({"strength": math.nan}, "strength >= 0"),
        ({"prune_at": 0.0}, r"\(0, 1\], or None"),
        ({"norm": "gamma"}, "choose one of share, incoming"),
    ],
)
def test_wrong_arguments_are_named(options: dict, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make(chain(), **options)


def test_a_diverged_training_is_named() -> None:
    model = chain()
    pruner = make(model)
    with torch.no_grad():
        model.norm.weight[2] = torch.nan
    with pytest.raises(DivergedError):
        pruner.prune()


def test_a_share_needs_batch_norm() -> None:
    with pytest.raises(UsageError, match="no BatchNorm"):
        make(models.mlp((12, 16, 3)), norm="share").loss_term()
