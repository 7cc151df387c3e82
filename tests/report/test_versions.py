"""A figure for each net and data set that was measured, and what stands beside its series."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.report import toys
from theory_lab.core import Study, grid
from theory_lab.report import figures
from theory_lab.report.plots import (
    Curves,
    Figure,
    Histogram,
    Level,
    Material,
    NothingToDraw,
    Published,
    Reference,
    Series,
)  # fmt: skip
from theory_lab.report.plots.looks import Looks

EACH = Figure(
    "each", "Products.", [toys.PRODUCT],
    [
        Curves(
            [Series("product", toys.TOY, "product", "a"), Series("far", toys.TOY, "product", "a", dict(a=9.0))],
            "a", "product",
        ),
        Curves([Series("nowhere", toys.TOY, "product", "a", dict(a=9.0))], "a", "nothing"),
    ],
    each=["n"], setting=lambda f: f"n is {f['n']}",
)  # fmt: skip


def drawn(figure: Figure, study: Study = toys.STUDY) -> dict[str, figures.Drawn]:
    judgement = toys.judged(replace(study, figures=[figure]))
    return {one.figure.id: one for one in figures.draw_all(judgement)}


def table_of(one: figures.Drawn) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(one.csv))


def test_one_figure_for_each_value_from_its_records_alone():
    found = drawn(EACH)
    assert set(found) == {"each.1", "each.2", "each.3"}
    for n in (1, 2, 3):
        one = found[f"each.{n}"]
        rows = table_of(one)
        np.testing.assert_allclose(rows["y"], rows["x"].abs() * n)
        assert one.figure.caption == f"n is {n}. Products."
        assert one.figure.heading == f"n is {n}"


def test_series_and_panels_without_a_record_are_left_out():
    rows = table_of(drawn(EACH)["each.1"])
    assert set(rows["series"]) == {"product"}
    assert "panel" not in rows, "one panel is left"


def test_nothing_is_left_of_a_figure_without_any_record():
    nowhere = replace(EACH, plot=EACH.panels[1])
    found = drawn(nowhere)
    assert not any(one.is_drawn for one in found.values())
    assert {one.lacking for one in found.values()} == {"There is no record of its cases."}


def test_only_the_cases_of_its_claims_are_shown():
    """Another claim's cases are of the same experiment, with other n."""
    study = Study(
        "toy", claims=[toys.PRODUCT, toys.HALVES],
        cases=[*grid(a=[1.0, 2.0], n=1, claims=[toys.PRODUCT]), *grid(a=1.0, n=2, claims=[toys.HALVES])],
    )  # fmt: skip
    assert set(drawn(EACH, study)) == {"each.1"}


def test_without_a_record_of_its_claims_it_is_not_drawn_and_says_so():
    judgement = toys.judged(replace(toys.STUDY, figures=[EACH]))
    (one,) = figures.draw_all(replace(judgement, records={}))
    assert (one.figure.id, one.is_drawn) == ("each", False)
    assert one.lacking == "There is no record of its cases."


@pytest.fixture(scope="module")
def material() -> Material:
    judgement = toys.judged()
    return Material(list(judgement.records.values()), {})


def panel(*marks, **options) -> Curves:
    series = [Series("product", toys.TOY, "product", "a", dict(n=2))]
    return Curves(series, "a", "product", marks=marks, **options)


def test_published_points_are_hollow_unjoined_and_named(material):
    points = [(0.5, 3.0), (1.5, 4.0)]
    figure = Figure("p", "P.", [], panel(Published("theirs, another data set", points)))
    canvas, table = figure.draw(material)
    rows = table[table["shown"] == "published"]
    assert [tuple(row) for row in rows[["x", "y"]].to_numpy()] == points
    (line,) = [one for one in canvas.axes[0].lines if one.get_label() == "theirs, another data set"]
    assert (line.get_linestyle(), line.get_markerfacecolor()) == ("None", "none")
    assert "theirs, another data set" in [t.get_text() for t in canvas.legends[0].get_texts()]


@pytest.mark.parametrize(("where", "count"), [(dict(n=2), 1), (dict(n=[2, 5]), 1), (dict(n=3), 0)])
def test_published_points_stand_beside_their_own_data_alone(where, count, material):
    table = panel(Published("theirs", [(1.0, 1.0)], where)).table(material)
    assert (table["shown"] == "published").sum() == count


def test_published_looks_differ_from_each_other_and_from_every_series():
    looks = Looks()
    theirs = [looks.published(str(number)) for number in range(8)]
    assert len({look["marker"] for look in theirs}) == 8
    assert all(looks.series(str(n))["linestyle"] != "none" for n in range(20))


def test_a_level_is_the_mean_of_what_was_measured(material):
    table = panel(Level("n = 1", toys.TOY, "product", dict(n=1, a=[1.0, 3.0]))).table(material)
    (row,) = table[table["shown"] == "mark"].itertuples()
    assert row.y == pytest.approx(2.0)
    assert np.isnan(row.x)
    nowhere = panel(Level("none", toys.TOY, "product", dict(a=9.0))).table(material)
    assert not (nowhere["shown"] == "mark").any()


def test_a_reference_line_goes_over_all_x(material):
    table = panel(Reference("twice", lambda f, a: f["n"] * a), xscale="log").table(material)
    rows = table[table["shown"] == "reference"]
    measured = table[(table["shown"] == "measured")]
    np.testing.assert_allclose(rows["y"], 2 * rows["x"])
    assert (rows["x"].min(), rows["x"].max()) == pytest.approx(
        (measured["x"].min(), measured["x"].max())
    )


def test_records_that_share_a_parameter_are_one_point_at_their_mean(material):
    series = Series("s", toys.TOY, "noisy", "product", dict(n=2, a=[1.0, 3.0]), point="n")
    (row,) = Curves([series], "x", "y").table(material).itertuples()
    assert row.x == pytest.approx(4.0)
    assert row.low < row.y < row.high


def test_several_parameters_name_a_series(material):
    series = Series(
        "{} and {}", toys.TOY, "path", where=dict(a=[1.0, 0.5], n=[1, 3]), by=("a", "n")
    )
    labels = Curves([series], "x", "y").table(material)["series"].drop_duplicates()
    assert list(labels) == ["0.5 and 1", "0.5 and 3", "1 and 1", "1 and 3"]


def test_a_function_in_where_chooses(material):
    found = material.of(toys.TOY, dict(a=lambda a: a > 2, n=1))
    assert {record.params["a"] for record in found} == {3.0}

    def odd(n):
        return n == 9

    with pytest.raises(NothingToDraw, match="with n=odd"):
        material.of(toys.TOY, dict(n=odd))


def test_an_axis_of_sparsities_stretches_the_dense_end(material):
    series = Series("s", toys.TOY, "product", lambda r: 1 - 0.1 / r.params["a"], dict(n=1))
    canvas, table = Figure("f", "F.", [], Curves([series], "s", "y", xscale="sparsity")).draw(
        material
    )
    (axes,) = canvas.axes
    assert table["x"].max() < 1
    places = axes.transData.transform([(x, 0) for x in (0.9, 0.95, 0.975)])[:, 0]
    assert places[2] - places[1] == pytest.approx(places[1] - places[0])
    assert {0.9, 0.95, 0.99} <= set(axes.get_xticks())


def test_counts_have_ticks_at_whole_numbers(material):
    (axes,) = Figure("f", "F.", [], panel()).draw(material)[0].axes
    assert any(x % 1 for x in axes.get_xticks())
    whole = Series("w", toys.TOY, "product", "n", dict(a=1.0))
    (axes,) = Figure("f", "F.", [], Curves([whole], "n", "y")).draw(material)[0].axes
    assert all(x % 1 == 0 for x in axes.get_xticks())


def test_beyond_an_end_that_is_left_open_markers_have_room(material):
    (axes,) = Figure("f", "F.", [], panel(ylim=(-100, None))).draw(material)[0].axes
    bottom, top = axes.get_ylim()
    assert bottom == -100
    assert top - 6.0 >= 0.03 * (top - bottom)


def test_a_long_legend_takes_nothing_from_the_panels(material):
    short = [Series("n = {}", toys.TOY, "product", "a", by="n")]
    long = [
        Series(f"a rather long name of a series, {a}", toys.TOY, "path", where=dict(a=a))
        for a in (0.5, 1.0, 2.0, 3.0)
    ] * 1
    heights = []
    for series in (short, [*long, *(replace(s, label=f"{s.label}, again") for s in long)]):
        canvas, _ = Figure("f", "F.", [], Curves(series, "x", "y")).draw(material)
        canvas.savefig(io.BytesIO(), format="png")
        heights.append(canvas.axes[0].get_window_extent().height)
    assert heights[1] > 0.85 * heights[0]


def test_a_histogram_of_a_partial_material_leaves_out_what_is_missing(material):
    partial = replace(material, partial=True)
    series = [Series("there", toys.TOY, "lengths", where=dict(a=2.0)),
              Series("not there", toys.TOY, "norms", where=dict(a=2.0))]  # fmt: skip
    table = Histogram(series, "x", "y", bins=4).table(partial)
    assert set(table["series"]) == {"there"}
    with pytest.raises(NothingToDraw):
        Histogram(series[1:], "x", "y").table(partial)
