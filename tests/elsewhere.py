"""Cells measured on a device of its own, with the noise of the CPU: the same numbers to rounding.

An operation that meets arrays of two devices, or that needs numpy where the array is not, fails.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from tests.networks.another_device import another_device
from theory_lab.core import Experiment, Record
from theory_lab.core.seeds import Stream
from theory_lab.lab import backends
from theory_lab.lab.plan import Cell
from theory_lab.lab.worker import run_cell


class SameNoise(Stream):
    """The noise of the CPU, moved to where `like` is."""

    def __init__(self, problem: Any, replicate: int, purpose: str, device: str) -> None:
        super().__init__(problem, replicate, purpose)
        self.device = device

    def _open(self, purpose: str) -> SameNoise:
        return SameNoise(*self._address, purpose, self.device)

    def normal(self, *shape: Any, like: Any = None, **options: Any) -> Any:
        return self._moved(super().normal(*shape, **options, like=np.empty(0)), like)

    def integers(self, *bounds: Any, like: Any = None, **options: Any) -> Any:
        return self._moved(super().integers(*bounds, **options), like)

    @staticmethod
    def _moved(drawn: Any, like: Any) -> Any:
        assert isinstance(like, torch.Tensor), "noise for a device is drawn like one of its arrays"
        return torch.tensor(drawn, device=like.device)


def measured(
    experiment: Experiment, *, tensors_only: bool = False, **params: Any
) -> tuple[Record, Record]:
    """The records of one cell, on the CPU and on a device; `tensors_only`: on tensors of the CPU,
    which is a hundred times faster and shows less."""
    cell = Cell(experiment.id, tuple(experiment.complete(params).items()), 0)
    here, move = run_cell(experiment, cell), backends.to_device
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backends, "DeviceStream", SameNoise)
        if tensors_only:
            patch.setattr(backends, "to_device", lambda problem, _: move(problem, "cpu"))
            return here, run_cell(experiment, cell, "tensors")
        with another_device() as name:
            return here, run_cell(experiment, cell, name)


def assert_same(experiment: Experiment, *, rtol: float, atol: float = 0.0, **params: Any) -> None:
    """Facts and results of the cell are the same on a device."""
    here, there = measured(experiment, **params)
    assert here.results.keys() == there.results.keys()
    assert here.trace.keys() == there.trace.keys()
    for name in here.results:
        ours, theirs = here.result(name), there.result(name)
        assert ours.kind == theirs.kind, name
        for side in ("low", "high"):
            np.testing.assert_allclose(
                np.asarray(getattr(theirs, side), dtype=float),
                np.asarray(getattr(ours, side), dtype=float),
                rtol=rtol, atol=atol, err_msg=f"{name}, {side}",
            )  # fmt: skip


class Counted(TorchDispatchMode):
    """How many operations torch is given, views and allocations apart."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.count += not func.is_view and "empty" not in func.name()
        return result
