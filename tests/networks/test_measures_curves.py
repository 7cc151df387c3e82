"""Losses along a straight line and along a trained Bézier curve."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from tests.tolerances import rtol
from theory_lab.core import UsageError
from theory_lab.networks import measures

Batches = list[tuple[Tensor, Tensor]]


def regression() -> tuple[nn.Module, Batches]:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(30, 4, generator=generator, dtype=torch.float64)
    targets = torch.randn(30, 2, generator=generator, dtype=torch.float64)
    data = list(zip(inputs.split([16, 14]), targets.split([16, 14]), strict=True))
    return nn.Linear(4, 2).double(), data


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3),
    )  # fmt: skip


def images(seed: int = 5, count: int = 40) -> Batches:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(3, (count,), generator=generator)
    inputs = torch.randn(count, 1, 6, 6, generator=generator) + labels[:, None, None, None]
    return list(zip(inputs.split(16), labels.split(16), strict=True))


def random_like(model: nn.Module, seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(p.shape, generator=generator, dtype=p.dtype)
        for name, p in model.named_parameters()
    }


def test_a_linear_models_quadratic_loss_is_its_parabola() -> None:
    model, data = regression()
    a, b = random_like(model, 1), random_like(model, 2)
    curve = measures.straight_line(model, a, b, data, points=9, loss=mse_loss)
    inputs, targets = (torch.cat(part) for part in zip(*data, strict=True))
    start = inputs @ a["weight"].T + a["bias"] - targets
    slope = inputs @ (b["weight"] - a["weight"]).T + b["bias"] - a["bias"]
    for t, fit in zip(curve.positions, curve.train, strict=True):
        parabola = (start**2 + 2 * t * start * slope + (t * slope) ** 2).mean()
        assert fit.loss == pytest.approx(float(parabola), rel=rtol())
        assert fit.accuracy is None
    assert curve.barrier == 0  # a parabola lies below its chord


def test_the_ends_are_the_two_models() -> None:
    first, last, data, test = network(1), network(2), images(), images(6)
    curve = measures.straight_line(
        network(3), first.state_dict(), last.state_dict(), data, points=3, test=test
    )
    for model, train, tested in [
        (first, curve.train[0], curve.test[0]),
        (last, curve.train[-1], curve.test[-1]),
    ]:
        norm = model[1]
        norm.momentum = None
        norm.reset_running_stats()
        with torch.no_grad():
            for inputs, _ in data:
                model.train()(inputs)
            for batches, fit in [(data, train), (test, tested)]:
                inputs, labels = (torch.cat(part) for part in zip(*batches, strict=True))
                outputs = model.eval()(inputs)
                loss = float(cross_entropy(outputs, labels))
                assert fit.loss == pytest.approx(loss, rel=rtol("float32"))
                assert fit.accuracy == float((outputs.argmax(1) == labels).double().mean())


def test_statistics_follow_the_point() -> None:
    """Filters scaled by 100 are the same function once BatchNorm's statistics are re-estimated."""
    model, data = network(1), images()
    scaled = {n: p * 100 if n == "0.weight" else p for n, p in model.named_parameters()}
    curve = measures.straight_line(model, dict(model.named_parameters()), scaled, data, points=5)
    # eps = 1e-5 beside a variance of about 0.3 is the only difference
    assert all(f.loss == pytest.approx(curve.train[0].loss, rel=1e-4) for f in curve.train)


def test_barrier_and_highest() -> None:
    fits = tuple(measures.Fit(loss, None) for loss in (1.0, 4.0, 2.0))
    curve = measures.Curve((0.0, 0.5, 1.0), fits)
    assert curve.highest == 4
    assert curve.barrier == 2.5


def test_an_untrained_bezier_curve_is_the_straight_line() -> None:
    model, data = network(1), images()
    a, b = random_like(model, 1), random_like(model, 2)
    line = measures.straight_line(model, a, b, data, points=5)
    curve = measures.bezier(model, a, b, data, epochs=0, points=5).curve
    for one, other in zip(line.train, curve.train, strict=True):
        assert one.loss == pytest.approx(other.loss, rel=rtol("float32"))


def test_the_middle_point_descends_on_the_mean_loss_of_the_curve() -> None:
    """E_t |w(t) - w*|^2 of a quadratic has one minimiser in theta: SGD must come near it.

    With H = I and ends a, b: theta* solves E[s^2] theta = E[s (w* - (1-t)^2 a - t^2 b)],
    s = 2t(1-t), whose moments are E s^2 = 2/15, E s (1-t)^2 = E s t^2 = 1/10, E s = 1/3.
    """
    model = nn.Linear(3, 3, bias=False).double()
    identity = torch.eye(3, dtype=torch.float64)
    data = [(identity, 0.5 * identity)] * 20
    a, b = random_like(model, 1), random_like(model, 2)
    found = measures.bezier(
        model, a, b, data, epochs=60, lr=1.0, momentum=0.0, loss=mse_loss, points=3
    )
    ends = (a["weight"] + b["weight"]) / 10
    theta = (0.5 * identity / 3 - ends) / (2 / 15)
    # the last tenth of the training has steps of .01: a noise of a few per cent is left
    assert float((found.middle["weight"] - theta).norm()) < 0.1 * float(theta.norm())
    assert found.curve.train[0].loss == pytest.approx(
        float((a["weight"] - identity / 2).square().mean())
    )


def test_training_the_curve_lowers_it_and_leaves_the_ends() -> None:
    model, data = network(0), images(count=64)
    a, b = random_like(model, 1), random_like(model, 2)
    kept = copy.deepcopy((a, b))
    line = measures.straight_line(model, a, b, data, points=7)
    found = measures.bezier(model, a, b, data, epochs=30, points=7)
    for lower, higher in list(zip(found.curve.train, line.train, strict=True))[1:-1]:
        assert lower.loss < 0.9 * higher.loss
    for before, now in zip(kept, (a, b), strict=True):
        assert all(torch.equal(before[name], now[name]) for name in now)
    again = measures.bezier(model, a, b, data, epochs=30, points=7)
    assert again.curve == found.curve
    other = measures.bezier(model, a, b, data, epochs=30, points=7, seed=1)
    assert other.curve != found.curve


def test_no_global_random_numbers_are_drawn_and_the_model_is_left_alone() -> None:
    model, data = network(0), images()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    torch.manual_seed(7)
    state = torch.get_rng_state()
    measures.bezier(model, random_like(model, 1), random_like(model, 2), data, epochs=1, points=2)
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(before[name], now) for name, now in model.state_dict().items())
    assert model.training


def test_errors_are_sentences() -> None:
    model, data = network(0), images()
    a = model.state_dict()
    with pytest.raises(UsageError, match=r"b must hold '5\.bias'"):
        measures.straight_line(model, a, {n: w for n, w in a.items() if n != "5.bias"}, data)
    with pytest.raises(UsageError, match=r"shape \(4, 1, 3, 3\)"):
        measures.straight_line(model, a | {"0.weight": torch.zeros(1)}, a, data)
    with pytest.raises(UsageError, match="at least its 2 ends"):
        measures.straight_line(model, a, a, data, points=1)
    with pytest.raises(UsageError, match="at least 0"):
        measures.bezier(model, a, a, data, epochs=-1)
    with pytest.raises(UsageError, match="can be read once"):
        measures.bezier(model, a, a, iter(data), batches=data, epochs=1)
    with pytest.raises(UsageError, match="no batches"):
        measures.straight_line(model, a, a, [])
