"""Every prefix of a pruning order: the effective compression of each, by brute force."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from theory_lab.core import Experiment
from theory_lab.core.checks import at_least, one_of
from theory_lab.core.seeds import Stream
from theory_lab.theorems.connectivity.experiments import instances
from theory_lab.theorems.connectivity.experiments.brute_force import active
from theory_lab.theorems.connectivity.experiments.instances import Kind, Widths, check_widths

BATCH = 100


def draw(
    kind: Kind, widths: Widths, target: Annotated[float, at_least(1)], *, rng: Stream
) -> dict[str, Any]:
    """`ranks` (W,): the place of each weight in a random order of removal."""
    net = instances.describe(kind, widths)
    return net | dict(target=target, ranks=rng.permutation(instances.size(net)))


def run(
    problem: dict[str, Any],
    *,
    order: Annotated[str, one_of(("nested", "drawn again"))] = "nested",
    rng: Stream,
) -> dict[str, Any]:
    """`prefix`: the last prefix whose effective compression is at most `target`; the compression
    `achieved` there; `following`: the share of weights that is active one prefix later. `drawn again`:
    every prefix in an order of its own."""
    ranks, again = problem["ranks"], rng.named("orders")
    size = len(ranks)
    removed = np.arange(size)[:, None]
    if order == "drawn again":
        ranks = again.permuted(np.tile(ranks, (size, 1)), axis=1)
    counts = [
        active(problem, part).sum(axis=1)
        for part in np.array_split(ranks >= removed, size // BATCH + 1)
    ]
    with np.errstate(divide="ignore"):
        compression = np.append(size / np.concatenate(counts), np.inf)
    prefix = int(np.flatnonzero(compression <= problem["target"])[-1])
    return dict(
        prefix=prefix,
        achieved=compression[prefix],
        following=1 / compression[prefix + 1],
        trace=dict(compression=np.minimum(compression[:-1], 1e9)),
    )


TARGET = Experiment("connectivity.target", draw, run, checks=(check_widths,))
