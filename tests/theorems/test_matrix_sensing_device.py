"""Ensembles of starts on a device: the numbers of the CPU where the noise is the same."""

from typing import Any

import numpy as np
import pytest

from tests.elsewhere import assert_same, measured
from theory_lab.theorems.matrix_sensing.experiments.budget import BUDGET
from theory_lab.theorems.matrix_sensing.experiments.column_norms import COLUMN_NORMS
from theory_lab.theorems.matrix_sensing.experiments.error_floor import (
    NETWORK_ERROR,
    OVERPARAMETERISED_ERROR,
    PRUNED_ERROR,
)
from theory_lab.theorems.matrix_sensing.experiments.phase_diagram import PHASE_DIAGRAM
from theory_lab.theorems.matrix_sensing.experiments.quadratic_network import NETWORK_POINTS
from theory_lab.theorems.matrix_sensing.experiments.stationary_points import STATIONARY_POINTS

SHAPE: dict[str, Any] = dict(d=4, k=3, eigenvalues=(1.5, 1.0), lam=0.1, beta=0.02)
FEW = SHAPE | dict(runs=2, steps=60)
SAMPLED = FEW | dict(n=60, sigma=0.1)
FLOOR: dict[str, Any] = dict(d=3, eigenvalues=(1.0,), n=300, sigma=0.3, sets=2, noises=2)
CELLS: dict[str, tuple[Any, dict[str, Any]]] = {
    "momentum": (STATIONARY_POINTS, FEW | dict(dense=True)),
    "aligned": (STATIONARY_POINTS, FEW | dict(method="aligned")),
    "real axes": (STATIONARY_POINTS, FEW | dict(
        d=64, eigenvalues=(), data="digits", components=1, runs=1)),
    "samples": (STATIONARY_POINTS, SAMPLED | dict(loss="empirical", method="aligned")),
    "network": (STATIONARY_POINTS, FEW | dict(loss="quadratic network")),
    "phase diagram": (PHASE_DIAGRAM, dict(
        d=3, k=2, eigenvalues=(1.0,), loads=(0.3, 1.5), widths=(0.01, 0.3), seeds=2, steps=60)),
    "budget": (BUDGET, SHAPE | dict(runs=5, patience=2.0)),
    "column norms": (COLUMN_NORMS, FEW),
    "idle columns": (OVERPARAMETERISED_ERROR, FLOOR | dict(columns=2, steps=60)),
}  # fmt: skip
LONG: dict[str, tuple[Any, dict[str, Any]]] = {
    "points": (STATIONARY_POINTS, SHAPE),
    "network points": (NETWORK_POINTS, SHAPE),
    "pruned error": (PRUNED_ERROR, FLOOR | dict(columns=3)),
    "network error": (NETWORK_ERROR, FLOOR | dict(columns=3)),
}
"""Descents to small gradients."""


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_measures_the_same_on_a_device(name: str) -> None:
    experiment, params = CELLS[name]
    assert experiment.device_ready
    # sixty steps away from small starts amplify rounding
    assert_same(experiment, rtol=1e-9, atol=1e-10, **params)


@pytest.mark.parametrize("name", LONG)
def test_a_long_descent_ends_at_the_same_points_on_tensors(name: str) -> None:
    experiment, params = LONG[name]
    assert experiment.device_ready
    # where descent ends, gradients and products of columns are as small as its tolerance
    assert_same(experiment, rtol=1e-6, atol=1e-8, tensors_only=True, **params)


def test_counts_on_tensors_are_those_of_the_cpu() -> None:
    here, there = measured(STATIONARY_POINTS, tensors_only=True, **SHAPE)
    for name in ("survivors", "nonzero"):
        np.testing.assert_array_equal(there.result(name).value, here.result(name).value)
        assert set(here.result(name).value) == {2}
