"""The norm of a channel: what it does not see, and its formulas far out."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.networks.channel_toys import chain, make
from theory_lab.networks.pruners.channel_norms import NORMS, relu_variance, variance_shares
from theory_lab.networks.pruners.channels import inner_channels


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
    before, after = (NORMS[norm](inner_channels(net)[:1])[0].detach() for net in (model, changed))
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
    torch.testing.assert_close(NORMS["share"]([channels])[0].detach(), expected, rtol=1e-12, atol=0)
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
