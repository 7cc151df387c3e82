"""Timing on a device: what a stream of CUDA takes, not what starting its work takes the host."""

from __future__ import annotations

import itertools
import statistics
import time
import warnings
from collections.abc import Callable, Sequence

import torch

Work = Callable[[], object]


def wait(device: torch.device) -> None:
    """Until the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def durations(work: Sequence[Work], device: torch.device) -> list[float]:
    """Seconds of each piece of work, given to the device one after the other without a pause.

    On CUDA by events in the stream: idle time, where the host is too slow, counts; the host's own
    time counts no further.
    """
    if device.type != "cuda":
        return [_on_host(piece) for piece in work]
    marks = [torch.cuda.Event(enable_timing=True) for _ in range(len(work) + 1)]
    wait(device)
    marks[0].record()
    for piece, mark in zip(work, marks[1:], strict=True):
        piece()
        mark.record()
    wait(device)
    ends = itertools.pairwise(marks)
    return [begin.elapsed_time(end) * 1e-3 for begin, end in ends]


def seconds(work: Work, device: torch.device, rounds: int, warm_up: int = 3) -> float:
    """The median duration of one of `rounds` calls, after a warm-up."""
    for _ in range(warm_up):
        work()
    return statistics.median(durations([work] * rounds, device))


def host_seconds(work: Work, device: torch.device, rounds: int) -> float:
    """The median time that one call keeps the host, which does not wait for the device."""
    wait(device)
    times = [_on_host(work) for _ in range(rounds)]
    wait(device)
    return statistics.median(times)


def synchronisations(work: Work, device: torch.device) -> int | None:
    """How often one call makes the host wait for the device; None where nothing counts it."""
    if device.type != "cuda":
        return None
    wait(device)
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            work()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return sum("called a synchronizing" in str(warning.message) for warning in caught)


def captured(work: Work, device: torch.device) -> Work:
    """The work as a CUDA graph that replays it; as it is on other devices."""
    if device.type != "cuda":
        return work
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph.replay


def _on_host(work: Work) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin
