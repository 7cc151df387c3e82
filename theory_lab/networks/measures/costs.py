"""What a model costs: operations, bytes, and measured time. One never follows from another."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from theory_lab.networks.measures.latencies import Latency, latency
from theory_lab.networks.measures.operations import Operations, total_operations
from theory_lab.networks.measures.storage import StoredBytes, stored_bytes


class Cost(NamedTuple):
    """`parameters` counts every trainable number, `nonzero` those that are not zero; `operations`
    are those of one input; `latency` is that of the whole example."""

    parameters: int
    nonzero: int
    operations: Operations
    stored: StoredBytes
    latency: Latency


def cost(
    model: nn.Module,
    example: Tensor,
    *,
    block: int | tuple[int, int] = (8, 8),
    repetitions: int = 30,
) -> Cost:
    """The cost of `model(example)`; zeros save time only once an export has removed them."""
    parameters = list(model.parameters())
    return Cost(
        sum(parameter.numel() for parameter in parameters),
        sum(int(parameter.count_nonzero()) for parameter in parameters),
        total_operations(model, example),
        stored_bytes(model, block),
        latency(model, example, repetitions=repetitions),
    )
