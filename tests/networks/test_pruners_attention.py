"""SequentialAttention++: Algorithm 1, and what BatchNorm hides from its logits."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.networks.attention_toys import mlp, sgd
from theory_lab.networks.blocks import as_matrix
from theory_lab.networks.pruners import SequentialAttention

# --- Algorithm 1 ---------------------------------------------------------------------------------


class LiteralLayer:
    """Algorithm 1 of arXiv:2402.17902 as it is written, unstructured, with a ReLU-free linear layer
    that holds its kernel (n, m) and its logits, and its own stored mask."""

    def __init__(self, kernel: Tensor, logits: Tensor, kept: int) -> None:
        self.kernel, self.logits, self.kept = kernel, logits, kept
        self.stored = torch.ones_like(kernel)

    def attention(self) -> Tensor:
        n, m = self.logits.shape
        return n * m * self.logits.exp() / self.logits.exp().sum()

    def mask(self, dense: bool) -> Tensor:
        if not dense:
            return self.stored
        self.stored = torch.zeros_like(self.stored)
        for place in self.attention().flatten().topk(self.kept).indices:
            self.stored[place // self.stored.shape[1], place % self.stored.shape[1]] = 1
        return torch.ones_like(self.stored)

    def __call__(self, x: Tensor, dense: bool) -> Tensor:
        return x @ (self.kernel * self.attention() * self.mask(dense))


def test_algorithm_1_step_by_step() -> None:
    """Ten steps of plain gradient descent on one layer: equal outputs, weights, logits, masks."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 5, bias=False)).double()
    kernel = model[0].weight.detach().T.clone().requires_grad_()
    logits = torch.zeros_like(kernel).requires_grad_()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
    pruner = SequentialAttention(
        model, optimizer, sparsity=0.7, steps=10, skip=(), reset_optimizer=False,
        schedule=[("dense", 0.5), ("sparse", 0.5)],
    )  # fmt: skip
    # Clipping is not part of Algorithm 1; this density never clips.
    pruner.layers[0].density = 1e-9
    literal = LiteralLayer(kernel, logits, kept=9)
    for step in range(10):
        x, y = torch.randn(20, 6).double(), torch.randn(20, 5).double()
        if step == 5:  # the last attention of the dense phase decides
            literal.mask(dense=True)
        ours, theirs = model(x), literal(x, dense=step < 5)
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
        optimizer.zero_grad()
        (ours - y).square().mean().backward()
        pruner.after_backward()
        optimizer.step()
        pruner.after_step()
        gradients = torch.autograd.grad((theirs - y).square().mean(), (kernel, logits))
        with torch.no_grad():
            kernel -= 0.3 * gradients[0]
            logits -= 0.3 * gradients[1]
    mask = pruner.masks()["0.weight"]
    assert int(mask.sum()) == 9
    assert torch.equal(mask.T, literal.stored.bool())
    torch.testing.assert_close(pruner.weights[0].parameter.T, kernel, rtol=1e-12, atol=1e-12)


def test_zero_logits_leave_the_network_alone() -> None:
    plain = mlp()
    model = copy.deepcopy(plain)
    SequentialAttention(model, sgd(model), block=4, sparsity=0.9, steps=10)
    x = torch.randn(7, 12)
    assert torch.equal(model(x), plain(x))


@given(st.floats(0.0, 0.98), st.floats(0, 30), st.integers(0, 2**31))
def test_attention_has_mean_one_and_is_clipped(sparsity: float, size: float, seed: int) -> None:
    model = mlp()
    pruner = SequentialAttention(model, sgd(model), block=4, sparsity=sparsity, steps=10)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in pruner.layers:
            layer.logits.copy_(size * torch.randn(layer.logits.shape, generator=generator))
    for layer in pruner.layers:
        raw = layer.logits.numel() * layer.logits.flatten().softmax(0).reshape(layer.logits.shape)
        A = layer.attention()
        assert raw.mean().item() == pytest.approx(1, rel=1e-5)
        assert torch.equal(A, raw.clamp(1 - sparsity, 1 / (1 - sparsity)))


def test_one_logit_scales_its_block_alone() -> None:
    model = nn.Sequential(nn.Conv2d(4, 8, 3, bias=False), nn.Flatten(), nn.Linear(8, 2))
    pruner = SequentialAttention(
        model, sgd(model), block=(2, 4), sparsity=0.5, steps=10, skip=["2"]
    )
    layer, before = pruner.layers[0], as_matrix(model[0].weight).detach().clone()
    assert layer.logits.shape == (4, 9)
    with torch.no_grad():
        layer.logits[1, 3] = 0.5
    ratio = as_matrix(model[0].weight).detach() / before
    assert (ratio[2:4, 12:16] > 1).all()
    others = torch.ones_like(ratio, dtype=torch.bool)
    others[2:4, 12:16] = False
    assert (ratio[others] < 1).all()


# --- BatchNorm -----------------------------------------------------------------------------------


@pytest.mark.parametrize("has_norm", [True, False])
def test_batch_norm_blinds_logits_across_rows_of_blocks(has_norm: bool) -> None:
    """The scale of a filter that BatchNorm follows does not matter, so that the gradients of a row
    of blocks' log A, which scale whole filters, sum to 0 (eps = 1e-14); without BatchNorm not."""
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(8, eps=1e-14) if has_norm else nn.Identity()
    model = nn.Sequential(
        nn.Conv2d(4, 8, 3, bias=False), norm, nn.ReLU(), nn.Flatten(), nn.Linear(8 * 16, 3)
    ).double()
    pruner = SequentialAttention(model, sgd(model), block=4, sparsity=0.5, steps=10, skip=["4"])
    logits = pruner.layers[0].logits
    with torch.no_grad():
        logits.copy_(0.1 * torch.randn(logits.shape))
    loss = nn.functional.cross_entropy(
        model(torch.randn(16, 4, 6, 6).double()), torch.arange(16) % 3
    )
    (gradient,) = torch.autograd.grad(loss, logits)
    share = gradient.sum(1).abs().max() / gradient.abs().sum(1).min()
    assert share < 1e-11 if has_norm else share > 1e-3
