"""Several processes, started by torchrun: who we are, and that all of them hold the same masks."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
import torch.distributed as dist
from torch import Tensor


def is_parallel() -> bool:
    """Whether a process group of more than one process is there."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


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
    digests: list[str | None] = [None] * dist.get_world_size()
    dist.all_gather_object(digests, digest(masks))
    if len(set(digests)) > 1:
        raise RuntimeError("The masks of the processes differ after they were shared by rank 0.")
