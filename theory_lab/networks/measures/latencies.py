"""Measured time of a forward pass."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from theory_lab.core import UsageError
from theory_lab.networks.compatibility import taking
from theory_lab.networks.modes import mode
from theory_lab.networks.prunable import is_count


class Latency(NamedTuple):
    """Seconds of one forward pass: the median of the repetitions and their quartiles."""

    median: float
    lower: float
    upper: float


def latency(model: nn.Module, example: Tensor, *, repetitions: int = 30) -> Latency:
    """The time of `model(example)` in eval mode, as this machine and its threads give it now."""
    return latencies([model], example, repetitions=repetitions)[0]


def latencies(
    models: Sequence[nn.Module], example: Tensor, *, repetitions: int = 30, warm_up: int = 3
) -> list[Latency]:
    """The times of several models on one input, in turns, so that all meet the same noise."""
    if not is_count(repetitions):
        raise UsageError(
            f"repetitions is {repetitions!r}, but it must be a whole number of at least 1."
        )
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.inference_mode())
        for model in models:
            stack.enter_context(mode(model, training=False))
            with taking(model, example):
                model(example)
        rounds = [[_time(m, example) for m in models] for _ in range(warm_up + repetitions)]
    times = torch.tensor(rounds[warm_up:], dtype=torch.float64)
    median, lower, upper = times.quantile(torch.tensor([0.5, 0.25, 0.75], dtype=times.dtype), 0)
    found = zip(median.tolist(), lower.tolist(), upper.tolist(), strict=True)
    return [Latency(*each) for each in found]


def _time(model: nn.Module, example: Tensor) -> float:
    _wait(example)
    start = time.perf_counter()
    model(example)
    _wait(example)
    return time.perf_counter() - start


def _wait(example: Tensor) -> None:
    """A GPU works on its own: wait until it is done."""
    if example.is_cuda:
        torch.cuda.synchronize(example.device)
