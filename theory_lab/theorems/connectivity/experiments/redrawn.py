"""Masks that are drawn again instead of pruned further: the denser one may be less effective."""

from __future__ import annotations

from typing import Any

import numpy as np

from theory_lab.core import Experiment
from theory_lab.core.seeds import Stream
from theory_lab.theorems.connectivity.experiments import instances
from theory_lab.theorems.connectivity.experiments.brute_force import active
from theory_lab.theorems.connectivity.experiments.instances import Density, Runs, Widths


def draw(
    widths: Widths, density: Density, more: Density, runs: Runs = 4000, *, rng: Stream
) -> dict[str, Any]:
    """Pairs of independent masks of a perceptron, of two densities."""
    net = instances.describe("mlp", widths)
    shape = (runs, instances.size(net))
    return net | dict(_mask=rng.random(shape) < density, _other=rng.random(shape) < more)


def run(problem: dict[str, Any], *, rng: Stream) -> dict[str, Any]:
    """`fewer` (runs,): 1 where the mask of density `more` has fewer active weights."""
    counts = [active(problem, problem[name]).sum(axis=1) for name in ("_mask", "_other")]
    return dict(fewer=np.less(counts[1], counts[0]))


REDRAWN = Experiment("connectivity.redrawn", draw, run)
