"""Masks that are drawn again instead of pruned further: the denser one may be less effective."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from theory_lab.core import Experiment
from theory_lab.core.checks import BadParameter
from theory_lab.core.seeds import Stream
from theory_lab.theorems.connectivity.experiments import instances
from theory_lab.theorems.connectivity.experiments.brute_force import active
from theory_lab.theorems.connectivity.experiments.enumeration import MOST_WEIGHTS
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


def check(values: Mapping[str, Any]) -> None:
    """Few enough weights to prune them in every possible way."""
    size = int(np.dot(values["widths"][1:], values["widths"][:-1]))
    if len(values["widths"]) < 2 or size > MOST_WEIGHTS:
        raise BadParameter(
            f"widths is {values['widths']!r} with {size} weights; give at least 2 widths and at most"
            f" {MOST_WEIGHTS} weights, which can be pruned in every possible way."
        )


REDRAWN = Experiment("connectivity.redrawn", draw, run, checks=(check,))
