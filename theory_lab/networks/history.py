"""What is kept of a training run, as plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class History:
    """Rows of a training run, its end, and the figures of the finished model.

    A row ends an epoch (or as many of them as are between two evaluations) and the run: `step`
    steps were done; `loss` and `accuracy` are means over the training batches since the last row,
    as they were met (augmented, before their step, penalties left out); `test_loss`,
    `test_accuracy` and `sparsity` (share of exact zeros of the prunable weights) are those of the
    model at that step. Accuracies are shares. `status` is "done", "deadline" (stopped in time; the
    checkpoint goes on from there) or "diverged" (`note` says where). `final` holds train_loss,
    train_accuracy (plain images), test_loss, test_accuracy and sparsity of the finished model:
    what it is at the end, never a running maximum. It is empty after a deadline.
    """

    status: str = "running"
    note: str = ""
    step: list[int] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    test_loss: list[float] = field(default_factory=list)
    test_accuracy: list[float] = field(default_factory=list)
    sparsity: list[float] = field(default_factory=list)
    images_per_second: list[float] = field(default_factory=list)
    final: dict[str, float] = field(default_factory=dict)

    def add(self, **row: float) -> None:
        """Append one row, a value for each column."""
        for column, value in row.items():
            getattr(self, column).append(value)

    def as_dict(self) -> dict[str, Any]:
        """Lists, numbers and strings alone."""
        return asdict(self)
