"""The loss along a curve between two sets of weights: a straight line, or a trained Bézier curve.

At every point BatchNorm's statistics are re-estimated and the model is in eval mode.
Source of the Bézier curve: arXiv:1802.10026 (three control points, the ends fixed).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from theory_lab.core import UsageError
from theory_lab.networks.gradients import task_loss
from theory_lab.networks.measures.landscape import Fit, Landscape, Loss, Weights, check_batches
from theory_lab.networks.prunable import is_count
from theory_lab.networks.pruners.base import Batches


class Curve(NamedTuple):
    """Losses and accuracies at `positions` from 0 (the first end) to 1; `test` where asked for."""

    positions: tuple[float, ...]
    train: tuple[Fit, ...]
    test: tuple[Fit, ...] = ()

    @property
    def highest(self) -> float:
        """The largest training loss on the curve, ends included."""
        return max(fit.loss for fit in self.train)

    @property
    def barrier(self) -> float:
        """The most that the loss exceeds the straight line between its values at the ends; 0 at
        least, as the ends belong to the curve."""
        first, last = self.train[0].loss, self.train[-1].loss
        heights = zip(self.positions, self.train, strict=True)
        return max(fit.loss - ((1 - t) * first + t * last) for t, fit in heights)


class Bezier(NamedTuple):
    """A trained curve: its middle control point, and what was measured along it."""

    middle: dict[str, Tensor]
    curve: Curve


def straight_line(
    model: nn.Module,
    a: Weights,
    b: Weights,
    batches: Batches,
    *,
    points: int = 25,
    test: Batches | None = None,
    loss: Loss = task_loss,
) -> Curve:
    """The loss at (1 - t) a + t b for `points` equidistant t from 0 to 1.

    `batches` are the training data: they give the loss and BatchNorm's statistics.
    """
    landscape = Landscape(model, batches, loss)
    first, last = landscape.check(a, "a"), landscape.check(b, "b")
    return _measure(landscape, lambda t: _combine((1 - t, first), (t, last)), points, test)


def bezier(
    model: nn.Module,
    a: Weights,
    b: Weights,
    loader: Batches,
    *,
    epochs: int = 30,
    lr: float = 0.1,
    momentum: float = 0.9,
    seed: int = 0,
    batches: Batches | None = None,
    points: int = 25,
    test: Batches | None = None,
    loss: Loss = task_loss,
) -> Bezier:
    """w(t) = (1-t)^2 a + 2t(1-t) theta + t^2 b, with theta alone trained from the midpoint.

    Every batch of `loader` draws one t uniform on [0, 1] and takes one step of SGD with momentum,
    without weight decay, on the loss at w(t), BatchNorm in training mode. The step is lr for half of
    the training, falls linearly to lr/100 at nine tenths and stays there. Then the loss is measured
    over `batches`, or the loader, as on a straight line.
    """
    if epochs != 0 and not is_count(epochs):
        raise UsageError(f"epochs is {epochs!r}, but it must be a whole number of at least 0.")
    landscape = Landscape(model, loader if batches is None else batches, loss)
    first, last = landscape.check(a, "a"), landscape.check(b, "b")
    middle = _combine((0.5, first), (0.5, last))
    optimizer = torch.optim.SGD(list(middle.values()), lr=lr, momentum=momentum)
    draws = torch.Generator().manual_seed(seed)
    for epoch in range(epochs):
        for group in optimizer.param_groups:
            group["lr"] = lr * _piecewise(epoch / epochs)
        for inputs, labels in landscape.on_device(check_batches(loader)):
            t = float(torch.rand((), generator=draws))
            _descend(landscape, (first, middle, last), t, (inputs, labels), optimizer)
    landscape.model.eval()
    curve = _measure(landscape, lambda t: _point(first, middle, last, t), points, test)
    return Bezier(middle, curve)


def _descend(
    landscape: Landscape,
    control: tuple[Weights, Weights, Weights],
    t: float,
    batch: tuple[Tensor, Tensor],
    optimizer: torch.optim.Optimizer,
) -> None:
    """One step of the middle point: d loss / d theta = 2t(1-t) d loss / d w(t)."""
    inputs, labels = batch
    point, middle = _point(*control, t), control[1]
    landscape.model.train()
    landscape.model.zero_grad()
    for name, parameter in landscape.parameters.items():
        parameter.data.copy_(point[name])
        parameter.requires_grad_(True)
    landscape.loss_of(inputs, labels)[0].backward()
    for name, parameter in landscape.parameters.items():
        if parameter.grad is not None:
            middle[name].grad = 2 * t * (1 - t) * parameter.grad
    optimizer.step()


def _piecewise(progress: float) -> float:
    """1 until half of the training, linear to 0.01 at nine tenths, then constant."""
    return min(1.0, max(0.01, 1 - 0.99 * (progress - 0.5) / 0.4))


def _point(first: Weights, middle: Weights, last: Weights, t: float) -> dict[str, Tensor]:
    return _combine(((1 - t) ** 2, first), (2 * t * (1 - t), middle), (t**2, last))


def _combine(*terms: tuple[float, Weights]) -> dict[str, Tensor]:
    """The sum of factor * weights, name by name."""
    names = terms[0][1]
    return {n: functools.reduce(torch.add, (f * w[n] for f, w in terms)) for n in names}


def _measure(
    landscape: Landscape, at: Callable[[float], Weights], points: int, test: Batches | None
) -> Curve:
    if not is_count(points) or points < 2:
        raise UsageError(
            f"points is {points!r}, but a curve has at least its 2 ends, in whole numbers."
        )
    positions = tuple(i / (points - 1) for i in range(points))
    train, tested = [], []
    for t in positions:
        landscape.move_to(at(t))
        train.append(landscape.fit())
        tested += [landscape.fit(test)] if test is not None else []
    return Curve(positions, tuple(train), tuple(tested))
