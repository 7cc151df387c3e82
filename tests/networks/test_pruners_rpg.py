"""RPG against its algorithm written out, and its options."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.networks.pruner_cases import NETWORKS, SPARSITY, Run, batches
from tests.tolerances import rtol
from theory_lab.core import UsageError
from theory_lab.networks.prunable import prunable_weights
from theory_lab.networks.pruners import RPG, GradualMagnitude
from theory_lab.networks.pruners.rank_term import mean_rank_loss
from theory_lab.networks.selection import DivergedError

STEPS, EVERY, STRENGTH, ENERGY, ALPHA = 42, 4, 3.0, 0.2, 0.3


def network(name: str) -> tuple[nn.Module, torch.optim.SGD]:
    torch.manual_seed(5)
    model = NETWORKS[name]().double()
    return model, torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)


def rank_loss_by_svd(weights: list[Tensor]) -> Tensor:
    """The authors' loss: the decomposition is a constant, the normalisation is not."""
    losses = []
    for weight in weights:
        normalised = weight.flatten(1) / weight.norm()
        U, s, Vh = torch.linalg.svd(normalised.detach(), full_matrices=False)
        tails = s.square().flip(0).cumsum(0)
        k = len(s) - 1 - int((tails - ENERGY).abs().argmin())
        losses.append(-(normalised - U[:, :k] * s[:k] @ Vh[:k]).square().sum())
    return torch.stack(losses).mean()


class Literal:
    """The published algorithm, line by line, in float64; layers are `weights`."""

    def __init__(self, model: nn.Module, optimizer: torch.optim.SGD, linear: bool) -> None:
        self.model, self.optimizer, self.step, self.updates = model, optimizer, 0, 0
        found = prunable_weights(model)
        self.weights = [weight.parameter for weight in found]
        self.ranked = [w.parameter for w in found if linear or w.is_convolution]
        self.masks = [torch.ones_like(weight, dtype=torch.bool) for weight in self.weights]
        self.end = int(0.901 * STEPS)

    def iterate(self, inputs: Tensor, labels: Tensor) -> None:
        loss = nn.functional.cross_entropy(self.model(inputs), labels)
        if self.step % EVERY == EVERY - 1 and self.step < self.end:
            loss = loss + STRENGTH * rank_loss_by_svd(self.ranked)
        self.optimizer.zero_grad()
        loss.backward()
        dense = [weight.grad.clone() for weight in self.weights]  # type: ignore[union-attr]
        with torch.no_grad():
            for weight, mask in zip(self.weights, self.masks, strict=True):
                weight.grad *= mask  # type: ignore[misc]
            self.step += 1
            if self.step % EVERY == 0 and self.step < self.end:
                self.update(dense)
            else:
                self.optimizer.step()
            for weight, mask in zip(self.weights, self.masks, strict=True):
                weight *= mask
                self.optimizer.state[weight]["momentum_buffer"] *= mask

    def update(self, dense: list[Tensor]) -> None:
        total = sum(weight.numel() for weight in self.weights)
        ramp = int(0.9 * STEPS) // EVERY
        density = (1 - SPARSITY) ** min(1.0, self.updates / ramp)
        self.updates += 1
        magnitudes = torch.cat([weight.abs().flatten() for weight in self.weights])
        # the smallest magnitude that stays; the authors' index, of one weight less, has no first
        threshold = magnitudes.kthvalue(round((1 - density) * total) + 1).values
        share = ALPHA / 2 * (1 + math.cos(math.pi * self.step / self.end))
        for layer, (weight, gradient) in enumerate(zip(self.weights, dense, strict=True)):
            weight *= weight.abs() >= threshold
            remaining = int((weight.abs() >= threshold).sum())
            swapped = int(remaining * share)
            mask = torch.zeros(weight.numel(), dtype=torch.bool)
            mask[weight.abs().flatten().topk(remaining - swapped).indices] = True
            growth = gradient.abs().flatten().masked_fill(mask, -1.0)
            mask[growth.topk(swapped).indices] = True
            self.masks[layer] = mask.reshape(weight.shape)


@pytest.mark.parametrize(("name", "linear"), [("mlp", True), ("resnet8", False)])
def test_it_is_the_authors_algorithm(name: str, linear: bool) -> None:
    literal = Literal(*network(name), linear=linear)
    model, optimizer = network(name)
    pruner = RPG(
        model, optimizer, sparsity=SPARSITY, steps=STEPS, every=EVERY, schedule="authors",
        strength=STRENGTH, energy=ENERGY, swap=ALPHA, linear=linear,
    )  # fmt: skip
    run, data = Run(model, optimizer, pruner), batches()
    data = [(inputs.double(), labels) for inputs, labels in data]
    for step in range(STEPS):
        literal.iterate(*data[step % len(data)])
        run.train(1, data)
        for mask, expected in zip(pruner.masks().values(), literal.masks, strict=True):
            assert torch.equal(mask, expected)
    assert literal.updates == 9
    for found, expected in zip(model.parameters(), literal.model.parameters(), strict=True):
        # 1e-9: an eigen-solve and a decomposition differ, and 42 steps of training amplify it
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-11)
    assert not pruner.reached()  # their ramp stops short of the target


shapes = st.lists(
    st.tuples(st.integers(1, 9), st.integers(1, 9))
    | st.tuples(st.integers(1, 6), st.integers(1, 5), st.just(3), st.just(3)),
    min_size=1,
    max_size=4,
)


@given(shapes=shapes, seed=st.integers(0, 99))
def test_the_rank_term_is_that_of_the_decomposition(
    shapes: list[tuple[int, ...]], seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    weights = [torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes]
    zero = torch.zeros(3, 2, dtype=torch.float64)  # has no rank loss, and does not count
    found = [w.clone().requires_grad_() for w in [*weights, zero]]
    expected = [w.clone().requires_grad_() for w in weights]
    value = 2 * mean_rank_loss(found, ENERGY)
    wanted = 2 * rank_loss_by_svd(expected)
    value.backward()
    wanted.backward()
    # the tail of a spectrum is a sum of small numbers
    torch.testing.assert_close(value, wanted, rtol=100 * rtol(), atol=rtol())
    for one, other in zip(found, expected, strict=False):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-8, atol=1e-10)
    assert found[-1].grad is not None
    assert not found[-1].grad.any()


def test_the_rank_term_keeps_its_precision_under_autocast() -> None:
    torch.manual_seed(0)
    plain, cast = (torch.randn(9, 7).requires_grad_() for _ in range(2))
    cast.data.copy_(plain.data)
    mean_rank_loss([plain], ENERGY).backward()
    with torch.autocast("cpu", torch.bfloat16):
        mean_rank_loss([cast], ENERGY).backward()
    assert torch.equal(plain.grad, cast.grad)  # type: ignore[arg-type]


def run_of(make: Any, **options: Any) -> Run:
    torch.manual_seed(6)
    model = NETWORKS["mlp"]()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    pruner = make(model, optimizer, sparsity=SPARSITY, steps=STEPS, every=EVERY, **options)
    return Run(model, optimizer, pruner)


def test_without_swaps_it_is_gradual_magnitude_pruning() -> None:
    one = run_of(RPG, swap=0.0, linear=True).train(STEPS)
    other = run_of(GradualMagnitude, schedule="exponential").train(STEPS)
    assert one.pruner.digest() == other.pruner.digest()
    for found, expected in zip(one.model.parameters(), other.model.parameters(), strict=True):
        assert torch.equal(found, expected)


def test_growth_only_touches_the_iterations_of_updates_alone() -> None:
    run, data = run_of(RPG, linear=True), batches()
    pruner = run.pruner
    assert isinstance(pruner, RPG)
    bias = run.model.get_parameter("fc1.bias")
    for step in range(1, STEPS + 1):
        assert bool(torch.as_tensor(pruner.loss_term()).detach()) == pruner.is_due(step)
        before = bias.detach().clone()
        run.train(1, data)
        assert torch.equal(bias, before) == pruner.is_due(step)  # the optimiser skips this step
    due = [step for step in range(1, STEPS + 1) if pruner.is_due(step)]
    assert due == [*range(EVERY, 37, EVERY), 37]


def test_growth_by_chance_depends_on_the_seed_alone() -> None:
    digests = [
        run_of(RPG, growth="random", seed=seed).train(STEPS).pruner.digest() for seed in (1, 1, 2)
    ]
    assert digests[0] == digests[1] != digests[2]


def test_what_grows_is_where_the_gradient_is_largest() -> None:
    run = run_of(RPG, strength=0.0).train(5 * EVERY - 1)
    pruner, (inputs, labels) = run.pruner, batches()[0]
    before = {name: mask.clone() for name, mask in pruner.masks().items()}
    run.optimizer.zero_grad()
    nn.functional.cross_entropy(run.model(inputs), labels).backward()
    dense = {w.name: w.parameter.grad.abs() for w in pruner.weights}  # type: ignore[union-attr]
    dense = {name: gradient.clone() for name, gradient in dense.items()}
    assert not pruner.after_backward()
    pruner.after_step()
    for weight in pruner.weights:
        grown = pruner.masks()[weight.name] & ~before[weight.name]
        left = ~pruner.masks()[weight.name]
        gains = dense[weight.name]
        assert grown.any()
        assert gains[grown].min() >= gains[left].max()
        assert not weight.parameter[grown].any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "always"}, "no mode 'always'; choose one of growth_only, every_step"),
        ({"growth": "none"}, "no growth 'none'; choose one of gradient, random"),
        ({"schedule": "linear"}, "choose one of cubic, exponential, authors"),
        ({"energy": 1.0}, "energy is 1.0, but it must be at least 0 and less than 1"),
        ({"swap": -0.1}, "swap is -0.1, but it must be at least 0"),
        ({"schedule": "authors", "end": 5}, "leave them out"),
        ({"schedule": "authors", "every": STEPS}, "make every, now 42, smaller"),
    ],
)
def test_impossible_options_say_what_is_possible(options: dict[str, Any], message: str) -> None:
    model = NETWORKS["mlp"]()
    with pytest.raises(UsageError, match=message):
        RPG(
            model, torch.optim.SGD(model.parameters()), sparsity=SPARSITY, steps=STEPS,
            **({"every": EVERY} | options),
        )  # fmt: skip


def test_a_diverged_training_is_said_to_be_one() -> None:
    with pytest.raises(DivergedError, match="lower the learning rate"):
        mean_rank_loss([torch.full((2, 2), torch.nan)], ENERGY)
    run = run_of(RPG).train(EVERY - 1)
    with torch.no_grad():
        run.pruner.weights[0].parameter[0, 0] = torch.nan
    with pytest.raises(DivergedError, match="the training has diverged"):
        run.train(1)
