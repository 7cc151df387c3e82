"""Moving a problem to a device, its noise, and the results back. torch is imported inside.

On the CPU everything is numpy. On another device the arrays of `draw` become torch tensors there,
and `run` (which must be written in array API and say so with `Experiment(device_ready=True)`) gets
a stream whose `normal(shape, like=x)` draws with the device's own generator. What a problem keeps in
dataclasses (a loss with its target) moves with it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from theory_lab.core import Measurement, UsageError
from theory_lab.core.seeds import Stream, bit_generator

DEVICES = ("cpu", "cuda")


def require(device: str) -> None:
    """UsageError where the device is not there."""
    if device == "cpu":
        return
    import torch

    if not torch.cuda.is_available():
        raise UsageError(
            f"This machine has no {device} device that torch can use; run with --device cpu."
        )


def to_device(problem: Mapping[str, Any], device: str) -> dict[str, Any]:
    """The problem with its arrays as tensors on the device, of the same dtype."""
    return {name: _moved(value, device) for name, value in problem.items()}


def _moved(value: Any, device: str) -> Any:
    import torch

    if isinstance(value, np.ndarray):
        return torch.tensor(value.copy("C"), device=device)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [field.name for field in dataclasses.fields(value) if field.init]
        moved = {name: _moved(getattr(value, name), device) for name in fields}
        return dataclasses.replace(value, **moved)
    return value


def to_numpy(results: Mapping[str, Any]) -> dict[str, Any]:
    """Results, and the arrays of their trace, back on the CPU as numpy."""
    return {name: _array(value) for name, value in results.items()}


def _array(value: Any) -> Any:
    if isinstance(value, Mapping):
        return to_numpy(value)
    if isinstance(value, Measurement) or not hasattr(value, "detach"):
        return value
    return value.detach().cpu().numpy()


class DeviceStream(Stream):
    """A stream whose `normal(shape, like=x)` and `integers(…, like=x)` are drawn where `x` is.

    Seeded by the same name as the CPU's stream: the same law, other bits.
    """

    def __init__(self, problem: Any, replicate: int, purpose: str, device: str) -> None:
        super().__init__(problem, replicate, purpose)
        import torch

        self.device = device
        seed = int(bit_generator(problem, replicate, purpose).random_raw() >> 1)
        self._generator = torch.Generator(device=device).manual_seed(seed)

    def _open(self, purpose: str) -> DeviceStream:
        return DeviceStream(*self._address, purpose, self.device)

    def normal(
        self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None, *, like: Any = None
    ) -> Any:
        if like is None:
            return super().normal(loc, scale, size)
        import torch

        return torch.randn(loc, generator=self._generator, dtype=like.dtype, device=like.device)

    def integers(
        self, low: Any, high: Any = None, size: Any = None, dtype: Any = np.int64,
        endpoint: bool = False, *, like: Any = None,
    ) -> Any:  # fmt: skip
        if like is None:
            return super().integers(low, high, size, dtype, endpoint)
        import torch

        first, last = (0, low) if high is None else (low, high)
        shape = (size,) if isinstance(size, int) else size
        return torch.randint(
            first, last + endpoint, shape, generator=self._generator, device=like.device
        )
