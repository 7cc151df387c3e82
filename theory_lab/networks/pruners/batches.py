"""What a pruner takes from its `batches=`."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from torch import Tensor

from theory_lab.core import UsageError
from theory_lab.networks.compatibility import pairs
from theory_lab.networks.pruners.base import Batches


def first_batches(
    batches: Batches | None, limit: int | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """The first `limit` batches, or all; UsageError where there is none."""
    found = pairs(() if batches is None else batches)
    first = next(found, None)
    if first is None:
        raise UsageError(
            "This pruner looks at data: give it batches=, (inputs, labels) to iterate, as often as"
            " it asks."
        )
    return itertools.islice(itertools.chain([first], found), limit)


def example_of(batches: Batches | None) -> Tensor:
    """The first input of the first batch, with its batch axis."""
    inputs, _ = next(first_batches(batches, 1))
    return inputs[:1]
