"""Batches of a data set: whole on its device, shuffled and augmented from a generator of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from theory_lab.core import UsageError
from theory_lab.networks.datasets import Dataset
from theory_lab.networks.inputs import inputs_of
from theory_lab.networks.prunable import is_count


class Epoch(NamedTuple):
    """One pass: the order of the examples, what augments them, and the generator before both."""

    order: Tensor
    draws: Tensor
    generator: Tensor


class Loader:
    """(inputs, labels) of `data`, batch by batch; every `for` is one pass, a new epoch.

    Inputs are normalised floats (b, C, H, W) in channels_last, or ids int64 (b, columns). Training
    batches are shuffled and, unless `augment` is False, augmented; test batches come in order. The
    order and the augmentation of an epoch depend on `seed` and the number of the pass alone: not
    on the device, and torch's global generator is neither read nor changed.

    `batch_size` counts the examples of one process. Of `world_size` processes the one of this
    `rank` gets batches rank, rank + world_size, …. `drop_last` (the default for training) keeps
    full batches, equally many in every process.

    `state_dict()` may be taken between any two batches; the first pass after `load_state_dict` goes
    on there and gives the very batches that were left, or is the next epoch where none were. In no
    other case is a pass that was left early gone on with. UsageError for impossible arguments.
    """

    def __init__(
        self,
        data: Dataset,
        batch_size: int,
        *,
        seed: int,
        train: bool = True,
        augment: bool | None = None,
        rank: int = 0,
        world_size: int = 1,
        dtype: torch.dtype = torch.float32,
        drop_last: bool | None = None,
    ) -> None:
        self._labels = data.train_labels if train else data.test_labels
        self._inputs = inputs_of(data, train, train if augment is None else augment, dtype)
        self._shuffle, self._drop_last = train, train if drop_last is None else drop_last
        self.batch_size, self._rank, self._world_size = batch_size, rank, world_size
        self._generator = torch.Generator().manual_seed(seed)
        self._epoch: Epoch | None = None
        self._position, self._is_resumed = 0, False
        self._check(data.note)

    def __len__(self) -> int:
        """The number of batches of a pass."""
        if self._drop_last:
            return len(self._labels) // (self.batch_size * self._world_size)
        batches = -(-len(self._labels) // self.batch_size)
        return len(range(self._rank, batches, self._world_size))

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        epoch = self._epoch if self._is_resumed and self._epoch else self._begin()
        self._is_resumed = False
        device = self._labels.device
        order, draws = epoch.order.to(device), epoch.draws.to(device)
        for position in range(self._position, len(self)):
            first = (position * self._world_size + self._rank) * self.batch_size
            part = slice(first, first + self.batch_size)
            self._position = position + 1
            index = order[part]
            yield self._inputs.batch(index, draws[part]), self._labels.index_select(0, index)

    def state_dict(self) -> dict[str, Any]:
        """Where the pass stands, equal in all processes of a run."""
        generator = self._epoch.generator if self._epoch else self._generator.get_state()
        position = self._position if self._epoch else None
        return {"generator": generator.clone(), "position": position, **self._identity()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict()`; UsageError where it is that of other data or batches."""
        if differing := [k for k, value in self._identity().items() if state.get(k) != value]:
            name = differing[0]
            raise UsageError(
                f"This state of a loader has {name} {state.get(name)}, but the loader"
                f" has {self._identity()[name]}; resume with what the run began with."
            )
        self._generator.set_state(state["generator"].cpu())
        self._epoch, self._position, self._is_resumed = None, 0, False
        if state["position"] is not None:
            self._begin()
            self._position = state["position"]
            self._is_resumed = self._position < len(self)

    def _begin(self) -> Epoch:
        count, generator = len(self._labels), self._generator
        before = generator.get_state()
        shuffled = self._shuffle
        order = torch.randperm(count, generator=generator) if shuffled else torch.arange(count)
        self._position = 0
        self._epoch = Epoch(order, self._inputs.draw(count, generator), before)
        return self._epoch

    def _identity(self) -> dict[str, int]:
        return {
            "examples": len(self._labels),
            "batch_size": self.batch_size,
            "world_size": self._world_size,
        }

    def _check(self, note: str) -> None:
        if not is_count(self.batch_size):
            raise UsageError(
                f"batch_size is {self.batch_size!r}, but it must be a whole number of at least 1."
            )
        if not 0 <= self._rank < self._world_size:
            raise UsageError(
                f"rank is {self._rank}, but it must be from 0 to world_size - 1 ="
                f" {self._world_size - 1}."
            )
        if self._drop_last and not len(self):
            raise UsageError(
                f"{self._world_size} x {self.batch_size} examples are more than the"
                f" {len(self._labels):,} of {note}; take a smaller batch."
            )
