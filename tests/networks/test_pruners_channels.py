"""The smoothed group LASSO on channels: what its norms do not see, and what removal leaves."""

from __future__ import annotations

import copy
import math
from collections import OrderedDict
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from theory_lab.core import UsageError
from theory_lab.networks import models
from theory_lab.networks.pruners import ChannelGroupLasso
from theory_lab.networks.pruners.channel_norms import NORMS, relu_variance, variance_shares
from theory_lab.networks.pruners.channels import inner_channels
from theory_lab.networks.selection import DivergedError
from theory_lab.numerics.smoothed_norm import smoothed_norm


def chain(eps: float = 1e-12) -> nn.Sequential:
    """Convolution, BatchNorm, ReLU, twice, in float64, with channels of all kinds."""
    torch.manual_seed(0)
    model = nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(3, 8, 3, padding=1, bias=False), norm=nn.BatchNorm2d(8, eps=eps), relu=nn.ReLU(),
            next=nn.Conv2d(8, 5, 3, padding=1, bias=False), last=nn.BatchNorm2d(5, eps=eps), act=nn.ReLU(),
            pool=nn.AdaptiveAvgPool2d(1), flat=nn.Flatten(), out=nn.Linear(5, 2),
        )
    ).double()  # fmt: skip
    with torch.no_grad():
        model.norm.weight.copy_(torch.randn(8))
        model.norm.bias.copy_(torch.randn(8))
    return model


def sgd(model: nn.Module) -> torch.optim.SGD:
    return torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)


def make(model: nn.Module, **options: object) -> ChannelGroupLasso:
    defaults: dict = dict(strength=1.0, beta=0.01, steps=10)
    return ChannelGroupLasso(model, sgd(model), **{**defaults, **options})


# --- the norm ------------------------------------------------------------------------------------


@torch.no_grad()
def scale_filters(model: nn.Module, factors: Tensor) -> None:
    model.conv.weight *= factors[:8].view(-1, 1, 1, 1)


@torch.no_grad()
def move_between_channel_and_reader(model: nn.Module, factors: Tensor) -> None:
    model.norm.weight *= factors[:8]
    model.norm.bias *= factors[:8]
    model.next.weight /= factors[:8].view(1, -1, 1, 1)


@torch.no_grad()
def scale_outputs_of_the_reader(model: nn.Module, factors: Tensor) -> None:
    model.next.weight *= factors[:5].view(-1, 1, 1, 1)


@torch.no_grad()
def scale_all_of_the_layer(model: nn.Module, factors: Tensor) -> None:
    model.norm.weight *= factors[0]
    model.norm.bias *= factors[0]


CHANGES = [
    scale_filters,
    move_between_channel_and_reader,
    scale_outputs_of_the_reader,
    scale_all_of_the_layer,
]
SEEN = {  # which of the changes each norm sees, though the network does not change
    "share": [],
    "filter": [scale_filters],
    "incoming": [scale_filters],
    "affine": [move_between_channel_and_reader, scale_all_of_the_layer],
    "relative_affine": [move_between_channel_and_reader],
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("norm", NORMS)
def test_which_norms_see_what_the_network_does_not(
    norm: str, change: Callable[[nn.Module, Tensor], None]
) -> None:
    model = chain()
    changed = copy.deepcopy(model)
    change(changed, torch.rand(8, dtype=torch.float64) + 0.5)
    x = torch.randn(16, 3, 6, 6, dtype=torch.float64)
    # BatchNorm's eps of 1e-12 against variances from 1e-1 on; float64 sums over 576 positions.
    torch.testing.assert_close(changed(x), model(x), rtol=1e-9, atol=1e-9)
    before, after = (NORMS[norm](inner_channels(net)[0]).detach() for net in (model, changed))
    difference = float(((after - before).abs() / before).max())
    assert difference > 1e-2 if change in SEEN[norm] else difference < 1e-12


def test_the_shares_by_loops() -> None:
    model = chain()
    (channels,) = inner_channels(model)
    e = relu_variance(model.norm.weight, model.norm.bias).detach()
    W = model.next.weight.detach()
    expected = torch.zeros(8, dtype=torch.float64)
    for c in range(8):
        for o in range(5):
            total = sum(e[k] * (W[o, k] ** 2).sum() for k in range(8))
            expected[c] += 8 / 5 * e[c] * (W[o, c] ** 2).sum() / total
    torch.testing.assert_close(NORMS["share"](channels).detach(), expected, rtol=1e-12, atol=0)
    assert float(expected.mean()) == pytest.approx(1)


def test_the_penalty_moves_scale_and_shift_only() -> None:
    model = chain()
    make(model).loss_term().backward()
    assert {name for name, p in model.named_parameters() if p.grad is not None} == {
        "norm.weight",
        "norm.bias",
    }


@given(st.floats(-3, 3), st.floats(-3, 3))
def test_relu_variance_against_quadrature(gamma: float, beta: float) -> None:
    """E relu and E relu^2 by the trapezoidal rule on either side of the kink."""
    kink = -beta / gamma if abs(gamma) > 1e-3 else 0.0
    moments = np.zeros(2)
    for low, high in ((-12.0, min(12.0, max(-12.0, kink))), (min(12.0, max(-12.0, kink)), 12.0)):
        z = np.linspace(low, high, 4001)
        value = np.maximum(gamma * z + beta, 0) * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
        moments += [np.trapezoid(value * f, z) for f in (1, np.maximum(gamma * z + beta, 0))]
    found = float(relu_variance(torch.tensor(gamma), torch.tensor(beta)))
    # gamma and beta are rounded to float32; the rule's own error is of the order of (24/4000)^2.
    assert found == pytest.approx(moments[1] - moments[0] ** 2, abs=2e-4)


def test_relu_variance_against_monte_carlo() -> None:
    generator = torch.Generator().manual_seed(1)
    z = torch.randn(1_000_000, generator=generator, dtype=torch.float64)
    for gamma, beta in ((1.0, 0.0), (0.7, 1.3), (-0.7, 1.3), (1.5, -1.0), (-0.2, -0.3)):
        sample = torch.relu(gamma * z + beta)
        found = float(relu_variance(torch.tensor(gamma), torch.tensor(beta)))
        # The standard error of a variance is sqrt((kurtosis - 1) / n) of it: below 4e-3 here.
        kurtosis = float(((sample - sample.mean()) ** 4).mean() / sample.var() ** 2)
        assert found == pytest.approx(float(sample.var()), rel=5 * math.sqrt(kurtosis / 1e6))


@pytest.mark.parametrize("t", [-1e8, -37.0, -10.0, 0.0, 10.0, 1e4, 1e30])
def test_relu_variance_far_from_the_kink(t: float) -> None:
    """A channel that always passes has gamma^2, one that never does has 0; slopes are finite."""
    gamma = torch.tensor(0.5, requires_grad=True, dtype=torch.float64)
    beta = torch.tensor(0.5 * t, requires_grad=True, dtype=torch.float64)
    value = relu_variance(gamma, beta)
    gradients = torch.autograd.grad(value, (gamma, beta))
    assert all(torch.isfinite(g) for g in gradients)
    if t >= 10:
        assert float(value.detach()) == pytest.approx(0.25, rel=1e-12)
    if t < -9:
        assert 0 <= float(value.detach()) < 1e-20


def test_dead_channels_and_dead_layers_give_no_nan() -> None:
    gamma = torch.zeros(3, requires_grad=True)
    beta = torch.tensor([-1.0, 0.0, 1.0], requires_grad=True)
    shares = variance_shares(relu_variance(gamma, beta), torch.ones(2, 3, dtype=torch.float64))
    shares.sum().backward()
    assert torch.equal(shares, torch.zeros(3, dtype=torch.float64))
    assert gamma.grad is not None
    assert torch.isfinite(gamma.grad).all()
    outgoing = torch.tensor([[1.0, 3.0], [0.0, 0.0]], dtype=torch.float64)  # one dead output
    assert variance_shares(torch.ones(2).double(), outgoing).tolist() == [0.5, 1.5]


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
