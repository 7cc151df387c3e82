"""Trainings that are killed again and again, each in a fork of this process: run as a program.

    python -m tests.networks.resumed FOLDER

Each fork kills itself with SIGKILL at a random step: before it, in its middle, or in the middle of
writing a checkpoint; the next one goes on from the file. Prints a line a case: its name, the number
of kills, and whether the final weights are those of a run that was left alone, to the bit.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tests.networks.training_toys import same_bits, toy_data, toy_net
from theory_lab.networks.meter import Meter
from theory_lab.networks.optim import GRDA
from theory_lab.networks.pruners import RPG, SequentialAttention
from theory_lab.networks.recipe import LearningRate, Recipe
from theory_lab.networks.train import fit

RECIPE = Recipe(steps=30, batch_size=16, lr=0.1, label_smoothing=0.1, warmup=0.1)
KILLS = 4

Options = dict[str, Any]
CASES: dict[str, Options] = {
    "RPG": {"pruner": lambda m, o, steps, b: RPG(m, o, sparsity=0.8, steps=steps, every=6)},
    "SequentialAttention++": {
        "pruner": lambda m, o, steps, b: SequentialAttention(
            m, o, sparsity=0.5, block=(2, 2), steps=steps
        )
    },
    "gRDA": {"optimizer": lambda model: GRDA(model.parameters(), lr=0.1, c=0.3, mu=0.6)},
}


def train(options: Options, result: Path, checkpoint: Path | None) -> None:
    """One run, from the checkpoint if it is there, and its final weights."""
    model = toy_net(seed=4)
    fit(
        model, toy_data(), RECIPE, **options,
        checkpoint=checkpoint, checkpoint_every=1, progress=False,
    )  # fmt: skip
    torch.save(model.state_dict(), result)


def in_a_fork(work: Callable[[], None]) -> bool:
    """Whether the work came to its end."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return not os.WIFSIGNALED(status)


def die_in(owner: Any, name: str, call: int) -> None:
    """Kill this process in the middle of that call of the owner's function."""
    function, calls = getattr(owner, name), 0

    def counted(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)

    setattr(owner, name, counted)


def outcome(name: str, folder: Path) -> tuple[int, bool]:
    """(kills, whether the weights are those of the unbroken run)."""
    options, chance = CASES[name], random.Random(name)
    whole, broken, checkpoint = folder / "whole", folder / "broken", folder / "checkpoint"
    in_a_fork(lambda: train(options, whole, None))
    kills = 0
    for _ in range(KILLS):
        place = chance.choice(
            [(os, "replace"), (os, "fsync"), (LearningRate, "set"), (Meter, "add")]
        )
        call = chance.randint(1, 8)

        def killed(place: tuple[Any, str] = place, call: int = call) -> None:
            die_in(*place, call)
            train(options, broken, checkpoint)

        kills += not in_a_fork(killed)
    in_a_fork(lambda: train(options, broken, checkpoint))
    models = [toy_net(), toy_net()]
    for model, file in zip(models, (whole, broken), strict=True):
        model.load_state_dict(torch.load(file))
    return kills, same_bits(*models)


def warm_up() -> None:
    """What the first step of an optimiser imports, once and not in each fork; without autograd,
    which a fork could not go on with."""
    parameter = nn.Parameter(torch.ones(1))
    parameter.grad = torch.ones(1)
    torch.optim.SGD([parameter], lr=0.1).step()


if __name__ == "__main__":
    torch.set_num_threads(1)
    warm_up()
    for case in CASES:
        place = Path(sys.argv[1]) / case.replace(" ", "_")
        place.mkdir()
        print(f"{case}: {outcome(case, place)}")
