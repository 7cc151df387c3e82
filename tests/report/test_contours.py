"""Contours: the table is the array and its minima, and what is drawn is the table."""

from __future__ import annotations

import numpy as np
import pytest

from tests.report import toys
from theory_lab.core import Record
from theory_lab.report.plots import Contours, Figure, Material, trace
from theory_lab.report.plots.contours import GLOBAL, LOCAL

AXIS = np.linspace(-1.0, 2.0, 7)


@pytest.fixture
def panel() -> Contours:
    return Contours(toys.TOY, trace("axis"), trace("z"), trace("minima"), xlabel="x", ylabel="y")


@pytest.fixture
def material() -> Material:
    """(x - 1)^2 + 4 y^2, with its minimum and two made-up points."""
    z = (AXIS[:, None] - 1) ** 2 + 4 * AXIS[None, :] ** 2
    minima = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.3], [2.0, 0.0, 1e-9]])
    record = Record(toys.TOY.id, {}, 0, {}, {}, dict(axis=AXIS, z=z, minima=minima))
    return Material([record], {})


def test_the_table_holds_the_array_and_tells_minima_apart(
    panel: Contours, material: Material
) -> None:
    table = panel.table(material)
    cells = table[table["shown"] == "measured"]
    assert len(cells) == AXIS.size**2
    np.testing.assert_allclose(cells["z"], (cells["x"] - 1) ** 2 + 4 * cells["y"] ** 2)
    points = table[table["shown"] == "minimum"]
    assert points["series"].tolist() == [GLOBAL, LOCAL, GLOBAL]


def test_minima_are_drawn_where_they_are(panel: Contours, material: Material) -> None:
    canvas, _ = Figure("toy_contours", "", [], panel).draw(material)
    (axes,) = canvas.axes
    shown = np.vstack([line.get_xydata() for line in axes.lines])
    for point in ([1.0, 0.0], [0.0, 1.0], [2.0, 0.0]):
        assert np.any(np.all(np.isclose(shown, point), axis=1))
    assert [text.get_text() for text in canvas.legends[0].get_texts()] == [GLOBAL, LOCAL]
