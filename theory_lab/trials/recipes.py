"""From the numbers of a cell to a recipe of training, and the files a long training keeps.

Files lie in the folder that the runner names, beside the ledger: a cache, never a record. Their
names hold the SHA-256 of all that decides what is in them, the code of the package included.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from theory_lab.core.seeds import canonical_json
from theory_lab.trials.problems import Problem, data_of, fresh_model

if TYPE_CHECKING:
    from torch import nn

    from theory_lab.networks.history import History
    from theory_lab.networks.recipe import Recipe

CHECKPOINTS = "THEORY_LAB_CHECKPOINTS"
CHECKPOINT_SECONDS = 30.0
"""Between two checkpoints of a training at least: on a fast device one takes as long as an epoch."""
DEPENDED_ON = ("core", "data", "networks", "numerics", "trials")
"""The rooms whose code decides how a training ends."""


def recipe(problem: Problem, **numbers: Any) -> Recipe:
    """The recipe of these numbers, with the problem's seed."""
    from theory_lab.networks.recipe import Recipe

    return Recipe(seed=problem["seed"], **numbers)


def dense_run(
    problem: Problem,
    device: str,
    *,
    engine: str = "eager",
    evaluate_every: int = 0,
    **numbers: Any,
) -> tuple[nn.Module, History]:
    """The problem's network trained without pruning by a recipe of these numbers, and its history,
    a row every `evaluate_every` epochs (0: the last alone).

    Trials share it: the first one trains and keeps it, under a lock, the others read it.
    """
    from theory_lab.networks import train

    model, data = fresh_model(problem, device), data_of(problem, device)
    how = dict(engine=engine, evaluate_every=evaluate_every)
    with kept_file("dense", problem, device, **how, **numbers) as file:
        history = _read(model, file)
        if history is None:
            history = train.fit(
                model, data, recipe(problem, **numbers), progress=False, engine=engine,
                evaluate_every=evaluate_every, checkpoint=unfinished(file),
                checkpoint_seconds=CHECKPOINT_SECONDS,
            )  # fmt: skip
            _write(model, history, file)
            finished(file)
    return model, history


def dense_model(problem: Problem, device: str, **options: Any) -> nn.Module:
    """The model of a `dense_run` with these options."""
    return dense_run(problem, device, **options)[0]


@contextlib.contextmanager
def kept_file(kind: str, problem: Problem, device: str, **numbers: Any) -> Iterator[Path | None]:
    """The place of a file of this kind, for us alone while the context lasts; None without a folder
    to keep it in."""
    folder = os.environ.get(CHECKPOINTS)
    if not folder:
        yield None
        return
    from filelock import FileLock

    content = [kind, dict(problem), device, numbers, _code()]
    file = Path(folder) / f"{kind}-{hashlib.sha256(canonical_json(content).encode()).hexdigest()}"
    file.parent.mkdir(parents=True, exist_ok=True)
    # The lock's own file stays: whoever waits for it holds it open, and one who came after its
    # removal would lock another file of the same name.
    with FileLock(file.with_suffix(".lock")):
        yield file


def unfinished(file: Path | None) -> Path | None:
    """Where a training keeps its checkpoint while it goes on."""
    return None if file is None else file.with_suffix(".unfinished")


def finished(file: Path | None) -> None:
    """The training has ended: its checkpoint is of no more use."""
    if file is not None:
        file.with_suffix(".unfinished").unlink(missing_ok=True)


def _read(model: nn.Module, file: Path | None) -> History | None:
    """Load what is kept; None where there is nothing, or nothing whole."""
    import torch

    from theory_lab.networks.history import History

    if file is None:
        return None
    try:
        kept = torch.load(file, map_location=next(model.parameters()).device, weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError):
        return None
    model.load_state_dict(kept["model"])
    model.eval()
    return History(**kept["history"])


def _write(model: nn.Module, history: History, file: Path | None) -> None:
    """By rename."""
    import torch

    if file is None:
        return
    part = file.with_suffix(".part")
    torch.save({"model": model.state_dict(), "history": history.as_dict()}, part)
    os.replace(part, file)


@functools.cache
def _code() -> str:
    """A SHA-256 of the package's code that a training depends on, and of torch's version."""
    import torch

    root, found = Path(__file__).resolve().parents[1], hashlib.sha256(torch.__version__.encode())
    for room in DEPENDED_ON:
        for file in sorted((root / room).rglob("*.py")):
            found.update(file.read_bytes())
    return found.hexdigest()
