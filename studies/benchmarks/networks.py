"""Networks: a step of gRDA, and what each pruner adds to a step of training."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.timing import Benchmarks, Line, alternate, median, ratio
from theory_lab.networks import models, pruners
from theory_lab.networks.gradients import Gradients
from theory_lab.networks.optim import GRDA
from theory_lab.networks.recipe import Recipe

LR, STRENGTH, EXPONENT = 0.1, 5e-4, 0.55

# --- gRDA -----------------------------------------------------------------------------------------


class SeparateOperations:
    """gRDA as its authors write it: tensor operations one after the other, parameter by parameter,
    with a counter and a threshold each."""

    def __init__(self, parameters: list[nn.Parameter]) -> None:
        self.parameters = parameters
        self.state = [(torch.zeros(1), p.detach().clone(), torch.zeros(1)) for p in self.parameters]

    @torch.no_grad()
    def step(self) -> None:
        for p, (n, accumulator, threshold) in zip(self.parameters, self.state, strict=True):
            assert p.grad is not None
            n.add_(1)
            accumulator.add_(p.grad, alpha=-LR)
            growth = torch.pow(n, EXPONENT) - torch.pow(n - 1, EXPONENT)
            threshold.add_(STRENGTH * LR ** (EXPONENT + 0.5) * growth)
            shrunk = torch.clamp(accumulator.abs() - threshold, min=0)
            p.data = accumulator.sign() * shrunk


def resnet50_parameters() -> list[nn.Parameter]:
    """161 parameters with gradients, 25,557,032 entries."""
    shapes = [p.shape for p in models.resnet(50, classes=1000, small_images=False).parameters()]
    parameters = [nn.Parameter(0.1 * torch.randn(shape)) for shape in shapes]
    for p in parameters:
        p.grad = 0.01 * torch.randn(p.shape)
    return parameters


def grda_step() -> list[Line]:
    """Target: 1.3 times torch's fused SGD with momentum, 1.1 times compiled; a fifth of the time of
    separate operations."""
    sgd = torch.optim.SGD(resnet50_parameters(), lr=LR, momentum=0.9, fused=True).step
    options: dict[str, Any] = dict(lr=LR, c=STRENGTH, mu=EXPONENT)
    plain = alternate(GRDA(resnet50_parameters(), **options).step, sgd, 12)
    compiled = alternate(GRDA(resnet50_parameters(), compiled=True, **options).step, sgd, 12)
    separate = alternate(
        GRDA(resnet50_parameters(), **options).step,
        SeparateOperations(resnet50_parameters()).step,
        12,
    )
    return [
        Line("fused SGD with momentum", median([b for _, b in plain])),
        Line("GRDA.step", median([a for a, _ in plain])),
        Line("  ours / fused SGD", ratio([a / b for a, b in plain]), "<= 1.3"),
        Line("  compiled / fused SGD", ratio([a / b for a, b in compiled]), "<= 1.1"),
        Line("  separate operations / ours", ratio([b / a for a, b in separate]), ">= 5"),
    ]


# --- pruners --------------------------------------------------------------------------------------

EVERY = 100
"""Steps between two changes of the masks, over which the cost of one is spread."""

SLOW = 0.02
"""Seconds a step from which on the overhead has a limit."""

PHASES = (("dense", 0.3), ("sparsification", 0.4), ("sparse", 0.3))


class Trained:
    """A network, its optimiser and a pruner (or none), and the time of their steps on one batch."""

    def __init__(
        self, model: nn.Module, steps: int, name: str, *, engine: str = "eager", amp: bool = False
    ) -> None:
        optimizer: Any = Recipe(steps=steps).sgd(model)
        if name == "gRDA":
            optimizer = GRDA(model.parameters(), lr=LR, c=STRENGTH, mu=EXPONENT)
        make = PRUNERS.get(name)
        self.pruner = make(model, optimizer, steps) if make else None
        self.optimizer = optimizer
        self.gradients = Gradients(model, self.pruner, engine=engine, amp=amp)
        self.changes = 0
        if self.pruner is not None:
            self._count_changes(self.pruner)

    def _count_changes(self, pruner: Any) -> None:
        set_masks = pruner.set_masks

        def counted(masks: Any) -> None:
            self.changes += 1
            set_masks(masks)

        pruner.set_masks = counted

    def step(self, inputs: Tensor, labels: Tensor) -> tuple[float, bool]:
        """Seconds of this process, and whether the masks changed."""
        before, begin = self.changes, time.process_time()
        self.advance(inputs, labels)
        return time.process_time() - begin, self.changes > before

    def advance(self, inputs: Tensor, labels: Tensor) -> None:
        """One step, as the training loop takes it."""
        self.gradients(inputs, labels)
        if self.pruner is None or self.pruner.after_backward():
            self.optimizer.step()
        if self.pruner is not None:
            self.pruner.after_step()


Make = Callable[[nn.Module, Any, int], Any]

PRUNERS: dict[str, Make] = {
    "fixed masks": lambda m, o, steps: pruners.FixedZeros(m, o, steps=steps),
    "gradual magnitude": lambda m, o, steps: pruners.GradualMagnitude(
        m, o, sparsity=0.9, steps=steps, every=6
    ),
    "RPG growth_only": lambda m, o, steps: pruners.RPG(
        m, o, sparsity=0.9, steps=steps, every=6, linear=True
    ),
    "RPG every_step": lambda m, o, steps: pruners.RPG(
        m, o, sparsity=0.9, steps=steps, every=6, linear=True, mode="every_step"
    ),
    "SequentialAttention++": lambda m, o, steps: pruners.SequentialAttention(
        m, o, sparsity=0.9, steps=steps, block=4, schedule=PHASES, updates=4
    ),
    "ACDC": lambda m, o, steps: pruners.ACDC(m, o, sparsity=0.9, steps=steps, block=4),
    "powerpropagation": lambda m, o, steps: pruners.PowerPropagation(
        m, o, sparsity=0.9, steps=steps, block=4
    ),
    "channel group Lasso": lambda m, o, steps: pruners.ChannelGroupLasso(
        m, o, strength=1.0, beta=0.01, steps=steps
    ),
}


def overheads(build: Callable[[], nn.Module], inputs: Tensor, rounds: int) -> list[Line]:
    """Time of a step beyond that of plain SGD, in rounds of one step of each; see `EVERY`.

    A pruner goes through its whole schedule in these rounds. Target: below 10 % (RPG growth_only
    5 %), where a plain step takes 20 ms or more.
    """
    labels = torch.randint(10, (len(inputs),))
    names = ["plain", "gRDA", *PRUNERS]
    runs = {name: Trained(build().train(), rounds + 2, name) for name in names}
    for _ in range(2):
        for run in runs.values():
            run.step(inputs, labels)
    steps = []
    for n in range(rounds):  # from another one on in each round, so that all have all neighbours
        order = names[n % len(names) :] + names[: n % len(names)]
        steps.append({name: runs[name].step(inputs, labels) for name in order})
    plain = statistics.median(step["plain"][0] for step in steps)
    lines = [Line("plain SGD", median([step["plain"][0] for step in steps]))]
    for name in names[1:]:
        limit = "" if plain < SLOW else "< 5 %" if name == "RPG growth_only" else "< 10 %"
        lines.append(Line(f"  {name}", overhead(steps, name), limit))
    return lines


def overhead(steps: list[dict[str, tuple[float, bool]]], name: str) -> str:
    """Of ordinary steps, paired with plain ones, and with a change of the masks spread out."""
    ratios = [step[name][0] / step["plain"][0] for step in steps if not step[name][1]]
    changes = [step[name][0] / step["plain"][0] for step in steps if step[name][1]]
    ordinary = statistics.median(ratios)
    spread = (statistics.median(changes) - ordinary) / EVERY if changes else 0.0
    return f"{ordinary - 1 + max(spread, 0):+.1%} (a change of masks {spread:+.2%})"


BENCHMARKS: Benchmarks = [
    ("Networks: gRDA on the 161 parameters of a ResNet-50, 25.6 M entries", grda_step),
    (
        "Networks: overhead of a step, ResNet-20, 32x32, batch 128",
        lambda: overheads(lambda: models.resnet(20), torch.randn(128, 3, 32, 32), 24),
    ),
    (
        "Networks: overhead of a step, ResNet-8, 8x8, batch 64",
        lambda: overheads(lambda: models.resnet(8, in_channels=1), torch.randn(64, 1, 8, 8), 100),
    ),
    (
        "Networks: overhead of a step, MLP 64-128-128-10, batch 64",
        lambda: overheads(lambda: models.mlp((64, 128, 128, 10)), torch.randn(64, 64), 300),
    ),
]
