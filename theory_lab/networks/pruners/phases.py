"""Phases of a training: dense, sparsification, sparse, by shares of its iterations.

The tables are those of arXiv:2402.17902 (SequentialAttention++), whose ACDC schedule on ImageNet is
that of the AC/DC authors' configuration. It does not state how a cycle of sparsification, sparse
and dense is divided, nor where the clicks' schedule sparsifies: equal thirds, and the last cycle as
one sparsification phase as on ImageNet, are our reading.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from theory_lab.core import UsageError
from theory_lab.networks.prunable import check_choice

Kind = Literal["dense", "sparsification", "sparse"]
KINDS: tuple[Kind, ...] = ("dense", "sparsification", "sparse")


class Phase(NamedTuple):
    """A kind of phase and its share of all iterations."""

    kind: Kind
    share: float


Phases = tuple[Phase, ...]


class Cycles(NamedTuple):
    """A dense phase, `number` cycles of a share each, `extra` after the last, a sparse phase."""

    dense: float
    number: int
    share: float
    extra: float
    sparse: float

    def alternating(self) -> Phases:
        """Each cycle half sparse, half dense; the last dense half is longer by `extra`."""
        sparse, dense = Phase("sparse", self.share / 2), Phase("dense", self.share / 2)
        cycles = [sparse, dense] * (self.number - 1)
        last = Phase("dense", self.share / 2 + self.extra)
        return Phase("dense", self.dense), *cycles, sparse, last, Phase("sparse", self.sparse)

    def sparsifying(self) -> Phases:
        """Each cycle in thirds sparsification, sparse, dense; the last with `extra` is one
        sparsification phase."""
        third = self.share / 3
        kinds: tuple[Kind, ...] = ("sparsification", "sparse", "dense")
        cycles = [Phase(kind, third) for kind in kinds] * (self.number - 1)
        last = Phase("sparsification", self.share + self.extra)
        return Phase("dense", self.dense), *cycles, last, Phase("sparse", self.sparse)


CYCLES = {
    "imagenet": Cycles(dense=0.10, number=7, share=0.10, extra=0.05, sparse=0.15),
    "criteo": Cycles(dense=0.20, number=10, share=0.06, extra=0.0, sparse=0.20),
}
ALTERNATING = {name: cycles.alternating() for name, cycles in CYCLES.items()}
SPARSIFYING = {name: cycles.sparsifying() for name, cycles in CYCLES.items()}


def phases_of(schedule: str | Sequence[tuple[Kind, float]], tables: Mapping[str, Phases]) -> Phases:
    """The phases of a preset, or those given as (kind, share).

    UsageError unless they begin dense, end sparse, and their shares are positive and sum to 1.
    """
    if isinstance(schedule, str):
        return tables[check_choice("schedule", schedule, tables)]
    try:
        phases = tuple(Phase(kind, float(share)) for kind, share in schedule)
    except (TypeError, ValueError):
        raise UsageError(
            f"schedule is {schedule!r}, but it must be one of {', '.join(tables)}, or (kind, share)"
            " pairs."
        ) from None
    if unknown := sorted({phase.kind for phase in phases} - set(KINDS)):
        raise UsageError(
            f"A phase is called {unknown[0]!r}, but must be one of {', '.join(KINDS)}."
        )
    if not phases or phases[0].kind != "dense" or phases[-1].kind != "sparse":
        raise UsageError("A schedule must begin with a dense phase and end with a sparse one.")
    total = math.fsum(phase.share for phase in phases)
    if not (min(phase.share for phase in phases) > 0 and abs(total - 1) < 1e-6):
        raise UsageError(
            f"The shares of the phases sum to {total:g}; they must be > 0 and sum to 1."
        )
    return phases


class Timetable:
    """Phases laid out on `steps` iterations, counted from 0; phase p has iterations
    ends[p-1] <= i < ends[p]. The first phase, from which the others are entered, has one at least;
    the last phase also owns whatever comes after."""

    def __init__(self, phases: Phases, steps: int) -> None:
        shares = [phase.share for phase in phases]
        self.phases = phases
        self.ends = [max(1, round(math.fsum(shares[: i + 1]) * steps)) for i in range(len(shares))]

    def index(self, iteration: int) -> int:
        """The number of the phase that owns this iteration; an empty phase owns none."""
        owners = (i for i, end in enumerate(self.ends) if iteration < end)
        return next(owners, len(self.phases) - 1)

    def since_begin(self, iteration: int) -> int:
        """How many iterations of its phase came before this one."""
        index = self.index(iteration)
        return iteration - (self.ends[index - 1] if index else 0)

    def length(self, index: int) -> int:
        """The number of iterations of a phase."""
        return self.ends[index] - (self.ends[index - 1] if index else 0)
