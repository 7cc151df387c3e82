"""Ensembles of paths on a device: the numbers of the CPU where the noise is the same."""

from typing import Any

import pytest

from tests.elsewhere import assert_same
from theory_lab.theorems.directional_pruning.experiments.coupled import COUPLED
from theory_lab.theorems.directional_pruning.experiments.law import LAW, SECOND_ORDER
from theory_lab.theorems.directional_pruning.experiments.networks import NETWORKS
from theory_lab.theorems.directional_pruning.experiments.window import WINDOW

SHORT: dict[str, Any] = dict(time=1.0, step=2.0**-5, paths=21)
CELLS: dict[str, tuple[Any, dict[str, Any]]] = {
    "rows": (COUPLED, dict(d=6, rank=3, crossings=1, **SHORT)),
    "real rows": (COUPLED, dict(d=30, rank=4, data="diabetes", **SHORT)),
    "full batch": (COUPLED, dict(d=6, rank=3, sampling="full batch", **SHORT)),
    "additive noise": (COUPLED, dict(d=6, rank=3, sampling="additive", **SHORT)),
    "law": (LAW, dict(d=5, rank=3, **SHORT | dict(paths=230))),
    "second order": (SECOND_ORDER, dict(d=5, rank=3, **SHORT | dict(paths=230))),
    "tanh net": (NETWORKS, SHORT),
    "linear net": (NETWORKS, dict(activation="linear", outputs=2, **SHORT)),
    "window": (WINDOW, SHORT),
}


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_measures_the_same_on_a_device(name: str) -> None:
    experiment, params = CELLS[name]
    assert experiment.device_ready
    # paths amplify rounding, and the distance of coupled paths is divided by sqrt(step)
    assert_same(experiment, rtol=1e-9, atol=1e-12, **params)
