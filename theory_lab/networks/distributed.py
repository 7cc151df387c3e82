"""Several processes, started by torchrun: who we are, and that all of them hold the same masks."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from theory_lab.core import UsageError
from theory_lab.core.errors import TheoryLabError
from theory_lab.networks.devices import home_of

PATIENCE = timedelta(minutes=10)
"""How long a process waits for the others."""


@contextlib.contextmanager
def processes(device: str = "cpu") -> Iterator[torch.device]:
    """Join the processes that torchrun started, and leave them at the end.

    Yields this process's device: the CPU (gloo) or the CUDA device of its local rank (nccl). One
    process without torchrun is a world of its own. An error for people is said in one sentence,
    with the rank, and ends the process; torchrun then stops the others.
    """
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        yield torch.device(device)
        return
    place = _place(device)
    dist.init_process_group("nccl" if place.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield place
    except TheoryLabError as error:
        print(f"rank {rank()} of {world_size()}: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    dist.destroy_process_group()  # after an error it could wait for the others in vain


def _place(device: str) -> torch.device:
    if device != "cuda":
        return torch.device(device)
    local, devices = int(os.environ.get("LOCAL_RANK", 0)), torch.cuda.device_count()
    if local >= devices:
        raise UsageError(
            f"This is local process {local + 1}, but there are {devices} CUDA devices; start at most"
            " one process a device."
        )
    torch.cuda.set_device(local)
    return torch.device("cuda", local)


def is_parallel() -> bool:
    """Whether a process group of more than one process is there."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def rank() -> int:
    """The number of this process, 0 where there is one."""
    return dist.get_rank() if is_parallel() else 0


def world_size() -> int:
    """The number of processes."""
    return dist.get_world_size() if is_parallel() else 1


def averaging(model: nn.Module) -> nn.Module:
    """The model, or one whose gradients are means over the processes.

    Parameters start as those of rank 0, and BatchNorm's statistics are those of rank 0 from the
    next forward pass on. To be made after the pruner: it may add or replace parameters.
    """
    if not is_parallel():
        return model
    place = home_of(model)
    return nn.parallel.DistributedDataParallel(
        model, device_ids=[place.index] if place.type == "cuda" else None
    )


def sums(values: Sequence[float], device: torch.device) -> list[float]:
    """Sums over the processes, entry by entry."""
    return _reduced(values, device, dist.ReduceOp.SUM)


def largest(values: list[int], device: torch.device) -> list[int]:
    """The largest of the processes' values, entry by entry."""
    return [int(value) for value in _reduced(values, device, dist.ReduceOp.MAX)]


def _reduced(values: Sequence[float], device: torch.device, operation: Any) -> list[float]:
    if not is_parallel():
        return list(values)
    together = torch.tensor(values, dtype=torch.float64, device=device)
    dist.all_reduce(together, operation)
    return together.tolist()


def from_main(value: Any) -> Any:
    """The value of rank 0 (plain data), in every process."""
    if not is_parallel():
        return value
    values = [value]
    dist.broadcast_object_list(values, src=0)
    return values[0]


def share_model(model: nn.Module) -> None:
    """Every process takes the parameters and buffers of rank 0."""
    _share([*model.parameters(), *model.buffers()])


def share_buffers(model: nn.Module) -> None:
    """Every process takes the buffers (BatchNorm's statistics) of rank 0."""
    _share(model.buffers())


@torch.no_grad()
def _share(tensors: Iterable[Tensor]) -> None:
    for tensor in tensors if is_parallel() else ():
        values = tensor.detach().contiguous()  # whatever its layout is here
        dist.broadcast(values, src=0)
        tensor.copy_(values)


def add_up(tensors: Sequence[Tensor]) -> None:
    """Every tensor becomes its sum over the processes, in place."""
    if is_parallel():
        for tensor in tensors:
            dist.all_reduce(tensor)


def gathered(value: Any) -> list[Any]:
    """The values of all processes (plain data and CPU tensors), by rank."""
    values: list[Any] = [value] * world_size()
    if is_parallel():
        dist.all_gather_object(values, value)
    return values


def digest(masks: Mapping[str, Tensor]) -> str:
    """A SHA-256 over the names and bits of the masks."""
    found = hashlib.sha256()
    for name in sorted(masks):
        found.update(name.encode())
        found.update(masks[name].detach().to("cpu", torch.uint8).contiguous().numpy().tobytes())
    return found.hexdigest()


def share(masks: Mapping[str, Tensor]) -> None:
    """Every process takes the masks of rank 0, in place, and checks that all now hold the same."""
    if not is_parallel():
        return
    for name in sorted(masks):
        bits = masks[name].to(torch.uint8)
        dist.broadcast(bits, src=0)
        masks[name].copy_(bits.to(torch.bool))
    if len(set(gathered(digest(masks)))) > 1:
        raise RuntimeError("The masks of the processes differ after they were shared by rank 0.")
