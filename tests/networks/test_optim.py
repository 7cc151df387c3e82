"""GRDA against the theory's gRDA, its authors' rule, and itself in its variants."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.tolerances import rtol
from theory_lab.core import UsageError
from theory_lab.networks import optim
from theory_lab.networks.optim import GRDA, parameter_groups
from theory_lab.networks.pruners.base import clear_optimizer_state
from theory_lab.numerics.prox import soft_threshold
from theory_lab.solvers.averaging import dual_averaging

STEPS, DIMENSION = 1000, 6
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {}, "capturable": {"capturable": True}, "compiled": {"compiled": True}
}  # fmt: skip


@pytest.fixture(autouse=True)
def without_code_generation(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """torch.compile traces, but leaves the C++ compiler, which takes half a minute, alone."""
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))
    optim._compiled.cache_clear()
    yield
    optim._compiled.cache_clear()


# --- the theory's gRDA ----------------------------------------------------------------------------


class Quadratics:
    """Random singular least squares with gradient noise, a problem for each of (m, B) paths."""

    def __init__(self, paths: tuple[int, int], rng: np.random.Generator) -> None:
        factors = rng.standard_normal((*paths, DIMENSION, DIMENSION // 2))
        self.hessians = factors @ factors.swapaxes(2, 3) / DIMENSION
        self.optima = rng.standard_normal((*paths, DIMENSION))
        self.noise = 0.3 * rng.standard_normal((STEPS, paths[1], DIMENSION))
        self.drawn = 0

    def sample(self, paths: int, stream: None) -> np.ndarray:
        self.drawn += 1
        return self.noise[self.drawn - 1]

    def gradient(self, w: np.ndarray, sample: np.ndarray, step: float, out: np.ndarray) -> None:
        """As `solvers.averaging` asks: step times the gradient, paths last."""
        out[...] = step * self.at(w.swapaxes(1, 2), sample).swapaxes(1, 2)

    def at(self, w: np.ndarray, sample: np.ndarray) -> np.ndarray:
        """The gradient at w, in the shape of w: (m, B, d)."""
        return (self.hessians @ (w - self.optima)[..., None])[..., 0] + sample


@pytest.mark.parametrize("lr", [0.2, 0.05, 0.01, 0.002])
def test_follows_the_theory_for_1000_steps_of_25_problems(lr: float) -> None:
    rng = np.random.default_rng(5)
    strengths, exponents = rng.uniform(0.0, 2.0, 5), rng.uniform(0.3, 1.0, 5)
    start = rng.standard_normal((5, DIMENSION))
    theory = Quadratics((5, 5), rng)
    end, _ = dual_averaging(
        theory, start, step=lr, steps=STEPS, strengths=strengths, exponents=exponents, stream=None
    )
    weights = np.stack([start] * 5)  # the parameters are views into it
    options = zip(weights, strengths, exponents, strict=True)
    groups = [
        {"params": [nn.Parameter(torch.from_numpy(w))], "c": c, "mu": mu} for w, c, mu in options
    ]
    optimizer = GRDA(groups, lr=lr)
    for sample in theory.noise:
        gradients = torch.from_numpy(theory.at(weights, sample))
        for group, gradient in zip(groups, gradients, strict=True):
            group["params"][0].grad = gradient
        optimizer.step()
    assert np.abs(weights - end.weights).max() <= rtol()
    assert np.array_equal(weights == 0, end.weights == 0)
    assert 0 < (weights == 0).mean() < 1, "the thresholds must matter"


# --- the authors' rule ----------------------------------------------------------------------------


class Authors:
    """The update of the authors' code for one parameter, line by line, after t0 steps of SGD."""

    def __init__(self, parameter: Tensor, c: float, mu: float, t0: int) -> None:
        self.parameter, self.c, self.mu, self.t0 = parameter, c, mu, t0
        self.iter_num, self.accumulator, self.l1_accumulation = 0, parameter.clone(), 0.0

    def step(self, gradient: Tensor, lr: float) -> None:
        if self.t0 > 0:
            self.t0 -= 1
            self.accumulator = self.accumulator - lr * gradient
            self.parameter = self.accumulator
            return
        self.iter_num += 1
        n, mu = self.iter_num, self.mu
        self.accumulator = self.accumulator - lr * gradient
        self.l1_accumulation += self.c * lr ** (mu + 0.5) * (n**mu - (n - 1) ** mu)
        shrunk = (self.accumulator.abs() - self.l1_accumulation).clamp(min=0)
        self.parameter = self.accumulator.sign() * shrunk


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("t0", [0, 7])
def test_follows_the_authors_rule_when_the_learning_rate_changes(variant: str, t0: int) -> None:
    generator = torch.Generator().manual_seed(t0)
    start = torch.randn(40, generator=generator, dtype=torch.float64)
    authors, parameter = Authors(start.clone(), 0.4, 0.55, t0), nn.Parameter(start.clone())
    optimizer = GRDA([parameter], lr=0.1, c=0.4, mu=0.55, t0=t0, **VARIANTS[variant])
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=15, gamma=0.3)
    for _ in range(60):
        gradient = torch.randn(40, generator=generator, dtype=torch.float64)
        authors.step(gradient, float(optimizer.param_groups[0]["lr"]))
        parameter.grad = gradient
        optimizer.step()
        scheduler.step()
        torch.testing.assert_close(parameter.detach(), authors.parameter, rtol=0, atol=rtol())
    assert 0 < int((parameter == 0).sum()) < 40


def test_float32_agrees_with_float64() -> None:
    ends = []
    for dtype in (torch.float32, torch.float64):
        parameter = nn.Parameter(torch.linspace(-1, 1, 50, dtype=dtype))
        optimizer = GRDA([parameter], lr=0.05, c=0.2, mu=0.6)
        for n in range(300):
            parameter.grad = torch.sin(torch.arange(50) * 0.7 + n).to(dtype)
            optimizer.step()
        ends.append(parameter.detach().double())
    # 300 additions in float32 round 300 times.
    torch.testing.assert_close(*ends, rtol=0, atol=30 * rtol(np.float32))


@given(
    st.floats(0.01, 0.5), st.floats(0.0, 1.0), st.floats(0.0, 1.2), st.integers(0, 5),
    st.integers(1, 12), st.sampled_from(["plain", "capturable"]),
)  # fmt: skip
def test_laws_of_the_update(
    lr: float, c: float, mu: float, t0: int, steps: int, variant: str
) -> None:
    """The weights are the soft threshold of v = start - lr sum of gradients at c sqrt(lr) (k lr)^mu."""
    generator = torch.Generator().manual_seed(steps)
    parameter = nn.Parameter(torch.randn(9, generator=generator, dtype=torch.float64))
    dual = parameter.detach().clone()
    optimizer = GRDA([parameter], lr=lr, c=c, mu=mu, t0=t0, **VARIANTS[variant])
    for _ in range(steps):
        parameter.grad = torch.randn(9, generator=generator, dtype=torch.float64)
        dual -= lr * parameter.grad
        optimizer.step()
    k = steps - t0
    threshold = c * math.sqrt(lr) * (k * lr) ** mu if k > 0 else 0.0
    expected = torch.from_numpy(soft_threshold(dual.numpy(), threshold))
    torch.testing.assert_close(parameter.detach(), expected, rtol=0, atol=rtol())
    assert float(optimizer.param_groups[0]["threshold"]) == pytest.approx(threshold, rel=rtol())


# --- groups, layouts, memory ----------------------------------------------------------------------


def small_net() -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 5)
    )


def train_a_little(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int) -> None:
    generator = torch.Generator().manual_seed(8)
    for _ in range(steps):
        optimizer.zero_grad()
        inputs = torch.randn(8, 3, 4, 4, generator=generator)
        model(inputs).square().mean().backward()
        optimizer.step()


def test_norms_and_biases_are_thresholded_or_not() -> None:
    both, weights_alone = small_net(), small_net()
    train_a_little(both, GRDA(both.parameters(), lr=0.1, c=0.5, mu=0.6), 30)
    groups = parameter_groups(weights_alone, c=0.0)
    train_a_little(weights_alone, GRDA(groups, lr=0.1, c=0.5, mu=0.6), 30)
    assert [p.ndim for group in groups for p in group["params"]] == [4, 2, 1, 1, 1, 1]
    zeros = [[int((p == 0).sum()) for p in m.parameters()] for m in (both, weights_alone)]
    is_weight = [p.ndim > 1 for p in both.parameters()]
    assert any(n for n, w in zip(zeros[0], is_weight, strict=True) if not w)
    assert not any(n for n, w in zip(zeros[1], is_weight, strict=True) if not w)
    assert all(n for n, w in zip(zeros[1], is_weight, strict=True) if w)


@pytest.mark.parametrize("variant", VARIANTS)
def test_without_strength_it_is_sgd(variant: str) -> None:
    ours, sgd = small_net(), small_net()
    train_a_little(ours, GRDA(ours.parameters(), lr=0.1, **VARIANTS[variant]), 10)
    train_a_little(sgd, torch.optim.SGD(sgd.parameters(), lr=0.1), 10)
    for a, b in zip(ours.parameters(), sgd.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=rtol(np.float32), atol=1e-7)


def test_no_memory_and_no_storage_is_taken_that_is_not_needed() -> None:
    model = small_net()
    optimizer = GRDA(parameter_groups(model, c=0.0), lr=0.1, c=0.1)
    places = [p.data_ptr() for p in model.parameters()]
    train_a_little(model, optimizer, 3)
    assert [p.data_ptr() for p in model.parameters()] == places
    weights = {p for p in model.parameters() if p.ndim > 1}
    assert set(optimizer.state) == weights
    assert all(list(state) == ["accumulator"] for state in optimizer.state.values())


LAYOUTS = {
    "contiguous": lambda x: x.contiguous(),
    "channels_last": lambda x: x.contiguous(memory_format=torch.channels_last),
    "transposed": lambda x: x.transpose(0, 1).contiguous().transpose(0, 1),
}


@pytest.mark.parametrize("of_parameter", LAYOUTS)
@pytest.mark.parametrize("of_gradient", LAYOUTS)
def test_chunks_of_any_layout_change_nothing(
    of_parameter: str, of_gradient: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = []
    for chunk in (7, 10**9):
        monkeypatch.setattr(optim, "CHUNK", chunk)
        generator = torch.Generator().manual_seed(2)
        values = torch.randn(5, 3, 3, 2, generator=generator)
        parameter = nn.Parameter(LAYOUTS[of_parameter](values))
        optimizer = GRDA([parameter], lr=0.1, c=0.3)
        for _ in range(5):
            gradient = torch.randn(5, 3, 3, 2, generator=generator)
            parameter.grad = LAYOUTS[of_gradient](gradient)
            optimizer.step()
        ends.append(parameter.detach())
    assert torch.equal(*ends)
    assert 0 < int((ends[0] == 0).sum()) < ends[0].numel()


@pytest.mark.parametrize("of_parameter", LAYOUTS)
@pytest.mark.parametrize("of_gradient", LAYOUTS)
def test_all_parameters_together_are_shrunk_as_one_by_one(
    of_parameter: str, of_gradient: str
) -> None:
    """What a GPU runs, here on the CPU's tensors."""
    lr, threshold = 0.1, 0.3
    shapes = [(5, 3, 3, 2), (4, 2, 1, 1), (7, 5, 1, 3)]
    v, g = ([torch.randn(shape) for shape in shapes] for _ in range(2))
    parameters = [LAYOUTS[of_parameter](torch.empty(shape)) for shape in shapes]
    gradients = [LAYOUTS[of_gradient](x) for x in g]
    pairs = zip(v, g, strict=True)
    expected = [nn.functional.softshrink(a.add(b, alpha=-lr), threshold) for a, b in pairs]
    optim._shrink_lists(parameters, gradients, v, lr, threshold)
    for found, wanted in zip(parameters, expected, strict=True):
        assert torch.equal(found, wanted)
        assert not torch.signbit(found[found == 0]).any()
        assert 0 < int((found == 0).sum()) < found.numel()


# --- state ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", VARIANTS)
def test_state_dict_goes_on_to_the_bit(variant: str) -> None:
    whole, halves = small_net(), small_net()
    options = dict(lr=0.1, c=0.3, mu=0.6, t0=2, **VARIANTS[variant])
    first = GRDA(parameter_groups(halves, c=0.1), **options)
    train_a_little(halves, first, 10)
    second = GRDA(parameter_groups(halves), **options)
    second.load_state_dict(first.state_dict())
    train_a_little(halves, second, 10)
    unbroken = GRDA(parameter_groups(whole, c=0.1), **options)
    train_a_little(whole, unbroken, 10)
    train_a_little(whole, unbroken, 10)
    for a, b in zip(whole.state_dict().values(), halves.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_reset_forgets_the_past_but_not_the_time() -> None:
    model = small_net()
    optimizer = GRDA(model.parameters(), lr=0.1, c=0.3)
    train_a_little(model, optimizer, 10)
    before = dict(optimizer.param_groups[0])
    clear_optimizer_state(optimizer)
    for p in model.parameters():
        assert torch.equal(optimizer.state[p]["accumulator"], p)
    after = optimizer.param_groups[0]
    assert (after["steps"], after["threshold"]) == (before["steps"], before["threshold"])
    assert after["steps"] == 10


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_group_added_later_has_its_own_clock(variant: str) -> None:
    model, late = small_net(), nn.Parameter(torch.ones(3))
    optimizer = GRDA(model.parameters(), lr=0.5, c=0.3, **VARIANTS[variant])
    train_a_little(model, optimizer, 4)
    options = {**optimizer.param_groups[0], "c": 0.0}  # as a pruner copies them
    optimizer.add_param_group({**options, "params": [late]})
    late.grad = torch.ones(3)
    optimizer.step()
    assert [int(group["steps"]) for group in optimizer.param_groups] == [5, 1]
    assert torch.equal(late, torch.full((3,), 0.5))


def test_closure() -> None:
    parameter = nn.Parameter(torch.tensor([2.0]))
    optimizer = GRDA([parameter], lr=0.25)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = parameter.square().sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 4.0
    assert float(parameter.detach()) == 1.0


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"lr": 0.0}, "lr"), ({"lr": -0.1}, "lr"), ({"lr": math.nan}, "lr"), ({"lr": math.inf}, "lr"),
        ({"c": -1e-9}, "c"), ({"c": math.nan}, "c"), ({"mu": -0.1}, "mu"), ({"mu": math.inf}, "mu"),
        ({"t0": -1}, "t0"), ({"lr": torch.tensor(0.1)}, "lr"),
    ],
)  # fmt: skip
def test_options_out_of_range_are_refused(options: dict[str, Any], name: str) -> None:
    with pytest.raises(UsageError, match=rf"^{name} is .*\.$"):
        GRDA([nn.Parameter(torch.ones(2))], **options)
    with pytest.raises(UsageError, match=rf"^{name} is .*\.$"):
        GRDA([{"params": [nn.Parameter(torch.ones(2))], **options}])


def test_complex_parameters_sparse_gradients_and_bad_schedules_are_refused() -> None:
    with pytest.raises(UsageError, match="real parameters"):
        GRDA([nn.Parameter(torch.ones(2, dtype=torch.complex64))])
    table = nn.Embedding(4, 2, sparse=True)
    optimizer = GRDA(table.parameters(), lr=0.1, c=0.1)
    table(torch.tensor([1])).sum().backward()
    with pytest.raises(UsageError, match="sparse=False"):
        optimizer.step()
    parameter = nn.Parameter(torch.ones(2))
    parameter.grad = torch.ones(2)
    optimizer = GRDA([parameter])
    optimizer.param_groups[0]["lr"] = math.nan
    with pytest.raises(UsageError, match="lr is nan"):
        optimizer.step()


def test_without_a_compiler_it_runs_uncompiled_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_compiler(function: object, **options: object) -> object:
        def fail(*arguments: object) -> None:
            raise RuntimeError("No working C++ compiler found")

        return fail

    monkeypatch.setattr(torch, "compile", no_compiler)
    uncompiled, plain = small_net(), small_net()
    optimizer = GRDA(uncompiled.parameters(), lr=0.1, c=0.3, compiled=True)
    with pytest.warns(UserWarning, match="install a C\\+\\+ compiler"):
        train_a_little(uncompiled, optimizer, 1)
    optimizer = GRDA(plain.parameters(), lr=0.1, c=0.3, capturable=True)
    train_a_little(plain, optimizer, 1)
    for a, b in zip(uncompiled.parameters(), plain.parameters(), strict=True):
        assert torch.equal(a, b)
