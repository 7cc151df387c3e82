"""A training on several processes, started by torchrun; each writes how it ended.

torchrun --nproc-per-node 2 -m tests.networks.ranks FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from tests.networks.training_toys import toy_data, toy_net
from theory_lab.core import UsageError
from theory_lab.networks import distributed
from theory_lab.networks.pruners import GradualMagnitude, Pruner
from theory_lab.networks.train import Recipe, fit

RECIPE = Recipe(steps=15, batch_size=12, lr=0.1)
"""128 images: 5 steps an epoch for two processes, 8 images left over."""


def pruner(model, optimizer, steps, batches) -> Pruner:  # type: ignore[no-untyped-def]
    return GradualMagnitude(model, optimizer, sparsity=0.7, steps=steps, every=4)


def main(folder: Path) -> None:
    digests = []

    def watched(*arguments) -> Pruner:  # type: ignore[no-untyped-def]
        made = pruner(*arguments)
        update = made.update

        def updated() -> None:
            update()
            digests.append(made.digest())

        made.update = updated  # type: ignore[method-assign]
        return made

    with distributed.processes() as device:
        rank = distributed.rank()
        model = toy_net(seed=rank, dropout=0.0)  # rank 0's weights count
        history = fit(model, toy_data(), RECIPE, pruner=watched, device=device, progress=False)
        content = {"model": model.state_dict(), "history": history.as_dict(), "digests": digests}
        torch.save(content, folder / f"rank{rank}")
        checked_stop(folder, rank)


def checked_stop(folder: Path, rank: int) -> None:
    """One sentence and the exit code, as `processes` ends a process that went wrong."""
    if rank == 1:
        raise UsageError("This process has had enough.")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]))
