"""Figures: what is drawn is the table, each series has a look of its own, same bytes."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.report import toys
from theory_lab.core import Study, grid
from theory_lab.report import figures
from theory_lab.report.plots import (
    Boundary,
    Curves,
    Figure,
    Geometric,
    HeatMap,
    Histogram,
    Material,
    NothingToDraw,
    Plane,
    PredictedMeasured,
    Series,
    Way,
    entry,
    hits,
    share_above,
    style,
)  # fmt: skip
from theory_lab.report.plots.looks import COLOURS, Looks


@pytest.fixture(scope="module")
def material() -> Material:
    judgement = toys.judged()
    evidence = {a.claim.id: a.evidence for a in judgement.assessments}
    return Material(list(judgement.records.values()), evidence)


@pytest.fixture(scope="module")
def drawn() -> list[figures.Drawn]:
    return figures.draw_all(toys.judged())


def table_of(one: figures.Drawn) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(one.csv))


def test_two_drawings_have_the_same_bytes(drawn):
    again = figures.draw_all(toys.judged())
    assert [(a.png, a.csv) for a in drawn] == [(b.png, b.csv) for b in again]


def test_a_users_matplotlibrc_changes_nothing(drawn, tmp_path):
    (tmp_path / "matplotlibrc").write_text(
        "axes.linewidth: 9\ntext.color: red\nsavefig.pad_inches: 2\n"
    )
    code = (
        "import hashlib; from tests.report import toys; from theory_lab.report import figures;"
        "print([hashlib.sha256(d.png).hexdigest() for d in figures.draw_all(toys.judged())])"
    )
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                           env={"MATPLOTLIBRC": str(tmp_path / "matplotlibrc"), "PATH": "", "HOME": str(tmp_path)})  # fmt: skip
    import hashlib

    assert asked.stdout.strip() == str([hashlib.sha256(one.png).hexdigest() for one in drawn])


def test_pngs_are_small_and_say_nothing_of_their_origin(drawn):
    for one in drawn:
        assert len(one.png) < 150_000
        assert b"Software" not in one.png
        assert b"tIME" not in one.png
        with Image.open(io.BytesIO(one.png)) as image:
            assert image.width > 800
            assert not image.info.get("Software")


def test_csv_has_four_digits(drawn):
    for one in drawn:
        for number in re.findall(r"(?<=,)-?\d*\.?\d+(?:e[-+]\d+)?(?=[,\n])", one.csv):
            mantissa = number.lstrip("-").partition("e")[0].replace(".", "").strip("0")
            assert len(mantissa) <= 4, number


def points_of(axes) -> set[tuple[float, float]]:
    lines = [*axes.lines, *(c.lines[0] for c in axes.containers if hasattr(c, "lines"))]
    xy = [np.column_stack(line.get_data()) for line in lines if len(line.get_xdata())]
    return {(float(x), float(y)) for x, y in np.vstack(xy)}


def test_the_csv_is_what_is_drawn(material, drawn):
    canvas, _ = toys.SWEEP.draw(material)
    table = table_of(drawn[0])
    for panel, axes in zip((1, 2), canvas.axes, strict=False):
        rows = table[(table["panel"] == panel) & (table["shown"] != "mark")]
        written = set(zip(rows["x"].astype(float), rows["y"].astype(float), strict=True))
        assert written <= points_of(axes)
    canvas, _ = toys.AGAINST.draw(material)
    table = table_of(drawn[1])
    assert set(zip(table["predicted"], table["measured"], strict=True)) <= points_of(canvas.axes[0])


def test_the_theorys_line_goes_through_the_measurements(drawn):
    table = table_of(drawn[0])
    rows = table[(table["series"] == "n = 2") & (table["panel"] == 1)]
    predicted = rows[rows["shown"] == "predicted"].set_index("x")["y"]
    for row in rows[rows["shown"] == "measured"].itertuples():
        assert row.y == predicted[row.x] == 2 * row.x


def test_what_lies_outside_of_the_limits_is_in_no_table(drawn):
    table = table_of(drawn[0])
    path = table[table["panel"] == 2]
    assert path["y"].min() >= 1e-6
    assert len(path[path["series"] == "a = 1"]) == 20  # 2^-19 is the last above 1e-6


def test_axes_are_labelled_and_the_legend_is_outside_of_the_data(material):
    for figure in (toys.SWEEP, toys.AGAINST):
        canvas, _ = figure.draw(material)
        canvas.savefig(io.BytesIO(), format="png")
        (legend,) = canvas.legends
        for axes in canvas.axes:
            assert axes.get_xlabel()
            assert axes.get_ylabel()
            assert not legend.get_window_extent().overlaps(axes.get_window_extent())


def assert_distinct_looks(canvas) -> None:
    looks = [(str(h.get_marker()), str(h._dash_pattern)) for h in canvas.legends[0].legend_handles]
    assert len(set(looks)) == len(looks)


def test_no_two_series_of_a_legend_look_alike_in_grey(material):
    for figure in (toys.SWEEP, toys.AGAINST):
        assert_distinct_looks(figure.draw(material)[0])


def test_looks_differ_far_beyond_the_number_of_colours():
    looks = Looks()
    seen = [looks.series(str(number)) for number in range(3 * len(COLOURS))]
    assert len({(look["marker"], str(look["linestyle"])) for look in seen}) == len(seen)
    assert looks.series("0") == seen[0]


def test_neighbouring_colours_differ_in_grey():
    luminance = [
        sum(w * int(c[i : i + 2], 16) for w, i in ((0.299, 1), (0.587, 3), (0.114, 5)))
        for c in COLOURS
    ]
    assert all(abs(a - b) > 10 for a, b in pairwise(luminance))
    assert max(luminance) < 160  # dark enough on white


def test_geometric_line_starts_at_its_anchor():
    x, y = np.arange(6.0), np.array([8.0, 4.0, 1.0, 0.5, 0.25, 0.125])
    line = Geometric(lambda f: f["rate"], below=2.0)({"rate": 0.5}, x, y)
    assert np.isnan(line[:2]).all()
    np.testing.assert_allclose(line[2:], y[2:])


def test_a_heat_map_with_the_curve_on_which_a_condition_changes(material):
    panel = HeatMap(
        toys.TOY, "a", "n", hits("n", 2), xlabel="a", ylabel="n", zlabel="share",
        boundaries=[Boundary("a n = 3", lambda f, a, n: a * n < 3)],
    )  # fmt: skip
    canvas, table = Figure("map", "Map.", [], panel).draw(material)
    cells = table[table["shown"] == "measured"]
    assert len(cells) == 13  # 4 x 3 cases and the control's
    assert set(cells.loc[cells["y"] == 2, "z"]) == {1.0}
    curve = table[table["shown"] == "predicted"]
    inside = curve[(curve["x"] > 0) & (curve["y"] > 0)]
    assert len(inside) > 50
    np.testing.assert_allclose(inside["x"] * inside["y"], 3.0, rtol=2e-3)
    steps = np.hypot(inside["x"].diff(), inside["y"].diff()).dropna()
    assert steps.max() < 0.5  # the points follow each other along the curve
    assert canvas.axes[0].get_xlabel() == "a"


def test_ways_in_the_plane_over_level_lines(material):
    corners = np.array([[1.0, 0.0], [3.0, 1.0], [2.0, 4.0]])
    panel = Plane(
        toys.TOY,
        [Way("way", lambda record: corners), Way("arrow", lambda record: corners[1:], arrow=True)],
        lambda facts, points: facts["a"] * np.sum(points**2, axis=1),
        xlabel="x", ylabel="y", zlabel="height", where=dict(a=2.0, n=3),
    )  # fmt: skip
    canvas, table = Figure("plane", "Plane.", [], panel).draw(material)
    way = table[table["series"] == "way"]
    np.testing.assert_array_equal(way[["x", "y"]], corners)
    grid = table[table["shown"] == "grid"]
    np.testing.assert_allclose(grid["z"], 2 * (grid["x"] ** 2 + grid["y"] ** 2), rtol=2e-3)
    assert grid["x"].min() < 0 < 3 < grid["x"].max()  # the axes are in sight, and all points
    assert [text.get_text() for text in canvas.legends[0].get_texts()] == ["way", "arrow"]


def test_a_histogram_counts_every_entry_once(material):
    panel = Histogram(
        [Series("lengths", toys.TOY, "lengths", where=dict(n=1))], "length", "count", bins=7
    )
    table = panel.table(material)
    assert table["count"].sum() == pytest.approx(20)


def test_quantities(material):
    record = material.of(toys.TOY, dict(a=2.0, n=3))[0]
    assert entry("halves", 1)(record) == 1.5
    assert hits("n", 3)(record) == 1.0
    shares = share_above("lengths")(record)
    assert shares[0] == 1.0
    assert shares[-1] == pytest.approx(1 / 20)
    alike = replace(record, trace={"alike": np.array([1.0, 1.0 - 1e-13, 0.5, 0.0])})
    assert share_above("alike")(alike)[-1] == 0.5  # rounding does not tell equals apart


def test_a_name_that_no_record_has_is_an_error_with_the_names_there_are(material):
    figure = Figure("f", "F.", [], Curves([Series("s", toys.TOY, "nothing", "a")], "x", "y"))
    with pytest.raises(Exception, match=r"no 'nothing' to draw; its records hold a, bracket"):
        figure.draw(material)


def test_missing_records_leave_a_figure_out_and_say_so(material):
    figure = Figure(
        "f", "F.", [], Curves([Series("s", toys.TOY, "product", "a", dict(n=9))], "x", "y")
    )
    with pytest.raises(NothingToDraw):
        figure.draw(material)
    one = figures.draw(figure, material)
    assert not one.is_drawn
    assert one.lacking == "There is no record of toy.products with n=9."


def test_a_study_without_figures_gets_predicted_against_measured():
    study = Study("plain", claims=toys.CLAIMS[:2], cases=grid(a=[1.0, 2.0], n=[1, 2], replicates=3))
    (one,) = figures.draw_all(toys.judged(study))
    assert one.figure.id == "plain"
    assert {"toy.product", "toy.with_a_rather_long_name.of_two_parts"} == set(
        table_of(one)["series"]
    )
    assert isinstance(one.figure.panels[0], PredictedMeasured)


def test_declaring_a_figure_imports_no_drawing():
    code = "import sys, theory_lab.report.plots; print({'matplotlib', 'pandas', 'PIL'} & set(sys.modules))"
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert asked.stdout.strip() == "set()"


def test_few_colours_are_the_right_ones(drawn):
    """Every series keeps its colour, and the grid stays grey."""
    with Image.open(io.BytesIO(drawn[0].png)) as image:
        pixels = np.unique(np.asarray(image.convert("RGB")).reshape(-1, 3), axis=0).astype(int)
    for colour in (*COLOURS[:6], "#e5e5e5"):
        wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        assert np.abs(pixels - wanted).max(axis=1).min() <= 4, colour


@pytest.mark.parametrize(("scale", "place"), [("log", 20.0), ("sparsity", 0.95)])
def test_points_at_one_place_stand_between_two_ticks_or_on_one(scale: str, place: float) -> None:
    _, (axes,) = style.canvas(1)
    style.scale(axes, scale, "linear")
    axes.plot([place, place * 1.0000001], [1.0, 2.0], "o")
    style.widen(axes)
    style.tidy(axes)
    low, high = axes.get_xlim()
    assert low < place < high
    assert any(low < tick < high for tick in axes.get_xticks())
    (spot,) = axes.transAxes.inverted().transform(axes.transData.transform([(place, 1.0)]))
    assert spot[0] == pytest.approx(0.5, abs=0.01)
