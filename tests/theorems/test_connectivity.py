"""Connectivity: formulas against other ways to the same numbers, and experiments against laws."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from tests.tolerances import rtol
from theory_lab.core import BadParameter, Experiment, Measurement
from theory_lab.core.seeds import Stream
from theory_lab.theorems.connectivity import strategies
from theory_lab.theorems.connectivity.bounds import effective, flows
from theory_lab.theorems.connectivity.bounds import random_pruning as chains
from theory_lab.theorems.connectivity.experiments import random_pruning, saliency
from theory_lab.theorems.connectivity.experiments.brute_force import BRUTE_FORCE
from theory_lab.theorems.connectivity.experiments.enumeration import ENUMERATION
from theory_lab.theorems.connectivity.experiments.laws import LAWS
from theory_lab.theorems.connectivity.experiments.padding import PADDING
from theory_lab.theorems.connectivity.experiments.quotas import COLLAPSE, QUOTA
from theory_lab.theorems.connectivity.experiments.redrawn import REDRAWN
from theory_lab.theorems.connectivity.experiments.synflow_rounds import SYNFLOW_ROUNDS


def measure(experiment: Experiment, **params: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The problem and the results of one cell."""
    problem, asked = experiment.split(experiment.complete(params))
    drawn = dict(experiment.draw(**problem, rng=Stream(problem, 0)))
    return drawn, dict(experiment.run(drawn, **asked, rng=Stream(problem, 0, "noise")))


@pytest.mark.parametrize("law", chains.LAWS)
@settings(max_examples=30)
@given(data=strategies.st.data())
def test_chains_are_the_enumeration(law: str, data: Any) -> None:
    params = data.draw(strategies.pruned(law))
    _, found = measure(ENUMERATION, **params)
    network = (params["widths"], params["kept"], law)
    assert chains.expected_effective(*network) == pytest.approx(found["effective"], rel=1e-11)
    assert chains.death_probability(*network) == pytest.approx(found["dead"], abs=1e-12)


@pytest.mark.parametrize(("law", "kept"), [("bernoulli", 0.3), ("exact counts", 9)])
def test_a_law_its_mean_and_its_zero_agree(law: str, kept: float) -> None:
    before, layer = chains.Layer(5, 4, kept, law), chains.Layer(6, 5, kept, law)
    start = np.eye(5)[4]
    middle = before.step(start)
    end = layer.step(middle)
    assert end.sum() == pytest.approx(1, rel=rtol())
    assert end @ np.arange(7) == pytest.approx(layer.mean(middle), rel=rtol())
    assert end @ np.arange(7) == pytest.approx(layer.mean_after(before, start), rel=rtol())
    assert end[0] == pytest.approx(layer.none(middle), rel=1e-10)


def test_births_are_the_hits_of_all_subsets() -> None:
    rows, columns, alive, kept = 3, 3, 2, 4
    cells = list(itertools.product(range(rows), range(columns)))
    hits = [
        len({row for row, column in chosen if column < alive})
        for chosen in itertools.combinations(cells, kept)
    ]
    law = chains.Layer(rows, columns, kept, "exact counts").step(np.eye(columns + 1)[alive])
    np.testing.assert_allclose(law, np.bincount(hits, minlength=rows + 1) / len(hits), rtol=1e-13)


def test_death_is_the_same_from_both_ends() -> None:
    kept = (3.0, 4.0, 2.0)
    there = chains.death_probability((5, 4, 3, 2), kept, "exact counts")
    back = chains.death_probability((2, 3, 4, 5), kept[::-1], "exact counts")
    assert there == pytest.approx(back, rel=1e-12)


@pytest.mark.parametrize(
    ("layers", "width", "mean_field", "exact"), [(5, 50, 206.65, 206.50), (8, 30, 21.69, 21.17)]
)
def test_mean_field_of_deep_networks(
    layers: int, width: int, mean_field: float, exact: float
) -> None:
    widths, densities = (width,) * (layers + 1), (0.03,) * layers
    assert chains.mean_field(widths, densities) == pytest.approx(mean_field, abs=5e-3)
    found = chains.expected_effective(widths, densities, "bernoulli")
    assert found == pytest.approx(exact, abs=5e-3)


def test_a_layer_without_weights_leaves_nothing() -> None:
    network = ((784, 300, 100, 10), (118.0, 15.0, 0.0), "exact counts")
    assert chains.expected_effective(*network) == 0
    assert chains.death_probability(*network) == 1


@pytest.mark.parametrize("size", [40, 20_000])
def test_subsets_are_subsets_and_uniform(size: int) -> None:
    rng, count, sets = Stream({"size": size}, 0), 12, 2000
    drawn = np.reshape(
        list(random_pruning._subsets(rng, size, np.full(sets, count))), (sets, count)
    )
    assert all(len(set(one)) == count for one in drawn.tolist())
    halves = (drawn < size // 2).sum(axis=1)
    variance = count / 4 * (size - count) / (size - 1)  # hypergeometric
    assert halves.mean() == pytest.approx(count / 2, abs=5 * np.sqrt(variance / sets))
    assert halves.var() == pytest.approx(variance, rel=0.2)


def test_sampled_perceptrons_are_those_of_the_enumeration() -> None:
    """widths 2, 3, 2 with 3 and 3 weights: the law of the number of active weights."""
    problem = dict(widths=(2, 3, 2), kept=np.array([3.0, 3.0]), law="exact counts")
    active = random_pruning._active(problem, 20_000, Stream({}, 0))
    expected = chains.expected_effective((2, 3, 2), (3.0, 3.0), "exact counts")
    assert active.mean() == pytest.approx(expected, abs=5 * active.std() / np.sqrt(20_000))


@given(net=strategies.described(runs=2))
def test_masks_are_packed_alike_on_both_sides(net: dict[str, np.ndarray]) -> None:
    mask = net["mask"]
    np.testing.assert_array_equal(saliency.words(mask), effective.words(mask))


@settings(max_examples=25)
@given(params=strategies.networks())
def test_saliency_is_what_the_objective_loses_without_the_weight(params: dict[str, Any]) -> None:
    """R is linear in every weight, so that w dR/dw = R - R(w = 0)."""
    drawn, _ = measure(saliency.FLOW, runs=1, **params)
    scores = saliency.saliency(
        drawn,
        np.abs(drawn["values"]) * drawn["mask"],
        saliency._passed(
            drawn, np.abs(drawn["values"]) * drawn["mask"], np.ones((1, params["widths"][0]))
        ),
    )
    whole = flows.total(drawn)[0, 0]
    for place in range(min(12, scores.shape[1])):
        without = drawn["mask"].copy()
        without[0, place] = False
        lost = whole - flows.total(dict(drawn, mask=without))[0, 0]
        assert scores[0, place] == pytest.approx(lost, abs=1e-10 * max(1.0, whole))


@pytest.mark.parametrize(("stride", "seen"), [(1, [1, 9, 9, 9]), (2, [1, 4, 9, 9])])
def test_taps_that_see_a_pixel(stride: int, seen: list[int]) -> None:
    for side, taps in zip(range(1, 5), seen, strict=True):
        _, found = measure(PADDING, widths=(1, 1), density=1.0, side=side, stride=stride, runs=1)
        assert found["active"].sum() == taps == effective.taps_that_see_a_pixel(side, stride)


def test_stacked_corner_taps_shift_the_image_out() -> None:
    for depth, used in ((2, 2), (3, 0), (4, 0)):
        drawn, found = measure(
            PADDING, widths=(1,) * (depth + 1), density=1.0, side=3, taps="one corner", runs=1
        )
        assert found["active"].sum() == used
        assert effective.effective(drawn).sum() == depth


def test_collapse_is_bracketed() -> None:
    _, found = measure(COLLAPSE, widths=(784, 300, 100, 10))
    bracket = found["first_dead"]
    assert isinstance(bracket, Measurement)
    assert bracket.low <= 2000 <= bracket.high


def test_synflow_in_one_round_breaks_every_path_and_in_many_hardly_any() -> None:
    shape = dict(widths=(60, 40, 20, 5), compression=50.0)
    gaps = [measure(SYNFLOW_ROUNDS, rounds=rounds, **shape)[1]["gap"] for rounds in (1, 100)]
    assert gaps[0] == 1
    assert gaps[1] <= 0.05


BAD: list[tuple[Experiment, dict[str, Any], str]] = [
    (BRUTE_FORCE, dict(kind="mlp", widths=(3,), density=0.5), "at least 2"),
    (BRUTE_FORCE, dict(kind="residual", widths=(3, 3), density=0.5), "exactly 6"),
    (BRUTE_FORCE, dict(kind="cnn", widths=(3, 3), density=0.5), "one of"),
    (BRUTE_FORCE, dict(kind="mlp", widths=(3, 0), density=0.5), "at least 1"),
    (BRUTE_FORCE, dict(kind="mlp", widths=(3, 3), density=0.0), "greater than 0"),
    (REDRAWN, dict(widths=(5, 5), density=0.5, more=0.6), "at most 18"),
    (LAWS, dict(kind="mlp", widths=(3, 3), density=0.5, more=1.5), "at most 1"),
    (ENUMERATION, dict(widths=(3, 3), kept=(0.5, 0.5)), "one number for each layer"),
    (ENUMERATION, dict(widths=(5, 5), kept=(0.5,)), "at most 18"),
    (ENUMERATION, dict(widths=(3, 3), kept=(1.5,)), "densities"),
    (ENUMERATION, dict(widths=(3, 3), kept=(10.0,), law="exact counts"), "whole numbers"),
    (random_pruning.RANDOM_PRUNING, dict(widths=(3,), quota="IGQ", compression=2.0), "at least 2"),
    (random_pruning.RANDOM_PRUNING,
     dict(widths=(3, 3), quota="IGQ", compression=2.0, draws=10, block=3), "multiple of block"),
    (saliency.FLOW, dict(kind="mlp", widths=(3, 3), density=0.5), "hidden units"),
    (QUOTA, dict(quota="IGQ", compression=0.5), "at least 1"),
    (QUOTA, dict(quota="equal", compression=2.0), "one of"),
]  # fmt: skip


@pytest.mark.parametrize(("experiment", "params", "cure"), BAD)
def test_bad_parameters_are_refused_with_a_cure(
    experiment: Experiment, params: dict[str, Any], cure: str
) -> None:
    with pytest.raises(BadParameter, match=cure):
        experiment.complete(params)
