"""Sums over training batches that stay on the device until somebody looks."""

from __future__ import annotations

import math
import time

import torch
from torch import Tensor

CAPACITY = 256
"""So many losses wait on the device at most."""


class Meter:
    """Loss, accuracy and speed since the last reset. `add` never waits for the device."""

    def __init__(self, device: torch.device) -> None:
        self._waiting = torch.zeros(CAPACITY, device=device)
        self._sizes: list[int] = []
        self._hits = torch.zeros((), dtype=torch.int64, device=device)
        self.reset()

    def reset(self) -> None:
        """Begin anew, after `read`."""
        self.loss_sum, self.correct, self.images = 0.0, 0, 0
        self._timed, self._began = 0, time.perf_counter()

    @property
    def is_full(self) -> bool:
        """Whether `read` must come before the next `add`."""
        return len(self._sizes) == CAPACITY

    @torch.no_grad()
    def add(self, loss: Tensor, correct: Tensor, images: int) -> None:
        """One batch: its mean loss, how many were classified rightly (both 0-dim), its size."""
        self._waiting[len(self._sizes)] = loss
        self._hits += correct
        self._sizes.append(images)

    def read(self) -> int | None:
        """Fetch what waits; returns how many steps ago a loss was first not finite (the last step
        is 0 steps ago), None where all are."""
        losses = self._waiting[: len(self._sizes)].tolist()
        self.loss_sum += sum(size * x for size, x in zip(self._sizes, losses, strict=True))
        self.correct += int(self._hits)
        self.images += sum(self._sizes)
        self._timed += sum(self._sizes)
        self._sizes.clear()
        self._hits.zero_()
        bad = next((i for i, loss in enumerate(losses) if not math.isfinite(loss)), None)
        return None if bad is None else len(losses) - 1 - bad

    @property
    def images_per_second(self) -> float:
        """Of the images read since the reset, or since a run was resumed."""
        return self._timed / max(time.perf_counter() - self._began, 1e-9)

    @property
    def means(self) -> tuple[float, float]:
        """(mean loss, accuracy) of the images read since the reset."""
        images = max(self.images, 1)
        return self.loss_sum / images, self.correct / images

    def state_dict(self) -> dict[str, float]:
        """The sums, after `read`."""
        return {"loss_sum": self.loss_sum, "correct": self.correct, "images": self.images}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Go on from `state_dict()`; the clock starts anew."""
        self.reset()
        self.loss_sum = state["loss_sum"]
        self.correct, self.images = int(state["correct"]), int(state["images"])
