"""Trainings on several processes, started by torchrun; each process writes how they ended.

torchrun --nproc-per-node 2 -m tests.networks.ranks FOLDER
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from tests.networks.pruner_cases import RISE, TURNS
from tests.networks.training_toys import toy_data, toy_net
from theory_lab.core import UsageError
from theory_lab.networks import distributed
from theory_lab.networks.pruners import (
    ACDC,
    RPG,
    SNIP,
    ChannelGroupLasso,
    GradualMagnitude,
    PowerPropagation,
    Pruner,
    SequentialAttention,
    SynFlow,
)
from theory_lab.networks.train import Recipe, fit

RECIPE = Recipe(steps=15, batch_size=12, lr=0.1)
"""128 images: 5 steps an epoch for two processes, 8 images left over."""

Make = Callable[..., Pruner]
PRUNERS: dict[str, tuple[Make, bool]] = {
    "gradual": (partial(GradualMagnitude, sparsity=0.7, every=4), False),
    "rpg": (partial(RPG, sparsity=0.7, every=4), False),
    "attention": (partial(SequentialAttention, sparsity=0.7, block=(3, 6), schedule=RISE), False),
    "acdc": (partial(ACDC, sparsity=0.7, block=3, schedule=TURNS), False),
    "powerprop": (partial(PowerPropagation, sparsity=0.7, begin=0.2, end=0.8, every=3), False),
    "lasso": (partial(ChannelGroupLasso, strength=2.0, beta=0.2, prune_at=0.6), False),
    "snip": (partial(SNIP, sparsity=0.7), True),
    "synflow": (partial(SynFlow, sparsity=0.7, at=4, rounds=5), True),
    "attention-effective": (
        partial(SequentialAttention, sparsity=0.7, schedule=RISE, effective=True), True
    ),
}  # fmt: skip
"""By name; whether it takes `batches=`."""


def pruner(name: str, model: Any, optimizer: Any, steps: int, batches: Any) -> Pruner:
    make, takes_batches = PRUNERS[name]
    data = {"batches": batches} if takes_batches else {}
    return make(model, optimizer, steps=steps, **data)


def trained(name: str, device: torch.device) -> dict[str, Any]:
    """How a training ends, and the digest of the masks after each of its steps."""
    digests = []

    def watched(*arguments: Any) -> Pruner:
        made = pruner(name, *arguments)
        update = made.update

        def updated() -> None:
            update()
            digests.append(made.digest())

        made.update = updated  # type: ignore[method-assign]
        return made

    model = toy_net(seed=distributed.rank(), dropout=0.0)  # rank 0's weights count
    history = fit(model, toy_data(), RECIPE, pruner=watched, device=device, progress=False)
    return {"model": model.state_dict(), "history": history.as_dict(), "digests": digests}


def main(folder: Path) -> None:
    with distributed.processes() as device:
        rank = distributed.rank()
        torch.save({name: trained(name, device) for name in PRUNERS}, folder / f"rank{rank}")
        checked_stop(rank)


def checked_stop(rank: int) -> None:
    """One sentence and the exit code, as `processes` ends a process that went wrong."""
    if rank == 1:
        raise UsageError("This process has had enough.")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]))
