"""What an export gains in time, measured."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from theory_lab.networks.measures.latencies import Latency, latencies


class SpeedUp(NamedTuple):
    """The times of the model before and after, taken in turns."""

    before: Latency
    after: Latency

    @property
    def factor(self) -> float:
        """Median before over median after: above 1 where the export is faster."""
        return self.before.median / self.after.median


def speed_up(
    before: nn.Module, after: nn.Module, example: Tensor, *, repetitions: int = 30
) -> SpeedUp:
    """The times of two models on one input, with the threads that torch has now."""
    return SpeedUp(*latencies([before, after], example, repetitions=repetitions))
