"""Checkpoints: everything that a resumed training needs, in one file that is whole or not there.

Model with buffers, optimiser, pruner, loader and the random streams; at equal thread count a
resumed run ends with the same bits on the CPU. A file is written beside its place and renamed, and
carries the SHA-256 of its content: torch's format alone reads flipped bits as other numbers.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch

from theory_lab.core import StorageError, UsageError
from theory_lab.networks import distributed
from theory_lab.networks.whole_files import write_whole

MAGIC = b"theory_lab training checkpoint 1\n"


class Stateful(Protocol):
    """What a checkpoint can hold: model, optimiser, pruner, loader."""

    def state_dict(self) -> Any: ...

    def load_state_dict(self, state: Any) -> Any: ...


def save(path: Path, parts: Mapping[str, Stateful], record: Mapping[str, Any]) -> None:
    """Write the states of the parts, the random streams and `record` (plain data and tensors).

    The file at `path` is the old one or the new one at any moment. Of several processes all call
    this, and rank 0 writes. StorageError where the disk does not take it.
    """
    random = distributed.gathered(random_state())
    if distributed.rank() > 0:
        return
    states = {name: part.state_dict() for name, part in parts.items()}
    content = io.BytesIO()
    torch.save({"parts": states, "random": random, "record": dict(record)}, content)
    payload = content.getbuffer()
    digest = hashlib.sha256(payload).digest()
    write_whole(path, MAGIC + digest, payload)


def read(path: Path) -> dict[str, Any]:
    """What `save` wrote, on the CPU, without touching anything; StorageError where it is damaged."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StorageError(f"The checkpoint {path} cannot be read: {error.strerror}.") from error
    start = len(MAGIC) + hashlib.sha256().digest_size
    payload = content[start:]
    if content[:start] != MAGIC + hashlib.sha256(payload).digest():
        raise StorageError(
            f"{path} is damaged or no checkpoint of a training; delete it to begin anew."
        )
    return torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)


def restore(content: Mapping[str, Any], parts: Mapping[str, Stateful]) -> dict[str, Any]:
    """Load what `read` returned into the parts and the random streams; returns the record."""
    if (held := sorted(content["parts"])) != (asked := sorted(parts)):
        raise StorageError(
            f"The checkpoint holds {', '.join(held)}, but this run has {', '.join(asked)};"
            " delete it to begin anew, or run what it was saved from."
        )
    if len(content["random"]) != distributed.world_size():
        raise StorageError(
            f"The checkpoint is of {len(content['random'])} processes, but these are"
            f" {distributed.world_size()}; start as many, or delete it to begin anew."
        )
    for name, part in parts.items():
        try:
            part.load_state_dict(content["parts"][name])
        except (RuntimeError, ValueError, LookupError, UsageError) as error:
            raise StorageError(
                f"The checkpoint's {name} is not that of this run; delete it to begin anew, or run"
                " what it was saved from."
            ) from error
    set_random_state(content["random"][distributed.rank()])
    return content["record"]


def random_state() -> dict[str, Any]:
    """torch's global random streams: the CPU's, and those of all CUDA devices if they are in use."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def set_random_state(state: Mapping[str, Any]) -> None:
    """Set what `random_state` returned; CUDA's only where there are as many devices."""
    torch.set_rng_state(state["cpu"])
    if state["cuda"] and torch.cuda.device_count() == len(state["cuda"]):
        torch.cuda.set_rng_state_all(state["cuda"])
