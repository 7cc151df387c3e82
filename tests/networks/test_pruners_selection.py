"""Which weights are kept: exact counts, order of ties, quotas in integers, schedules."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.networks.pruner_cases import NETWORKS, STEPS, Run
from theory_lab.core import UsageError
from theory_lab.networks import models
from theory_lab.networks.pruners import LAMP, RPG, GradualMagnitude, Magnitude, Random
from theory_lab.networks.pruners.allocation import layer_counts
from theory_lab.networks.pruners.scored import ScoredPruner
from theory_lab.networks.selection import (
    DivergedError,
    keep_largest,
    keep_largest_each,
    kept_count,
    places_of_removal,
)
from theory_lab.numerics.quotas import QUOTAS, layer_sizes

layers = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=8), min_size=1, max_size=5)
shapes = st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), min_size=1, max_size=6)


@given(values=layers, data=st.data())
def test_the_largest_are_kept_those_that_stand_first_among_equals(
    values: list[list[int]], data: st.DataObject
) -> None:
    total = sum(map(len, values))
    count = data.draw(st.integers(len(values), total))
    masks = keep_largest([torch.tensor(layer, dtype=torch.float32) for layer in values], count)
    assert sum(int(mask.sum()) for mask in masks) == count
    best = {(number, layer.index(max(layer))) for number, layer in enumerate(values)}
    places = [(n, i) for n, layer in enumerate(values) for i in range(len(layer))]
    ranked = sorted(places, key=lambda at: (at not in best, -values[at[0]][at[1]], at))
    assert {at for at in places if masks[at[0]][at[1]]} == set(ranked[:count])


@given(values=layers)
def test_places_of_removal_are_the_order_of_the_selection(values: list[list[int]]) -> None:
    scores = [torch.tensor(layer, dtype=torch.float32) for layer in values]
    places, total = places_of_removal(scores), sum(map(len, values))
    for count in range(len(values), total + 1):
        kept = [place >= total - count for place in places]
        assert all(map(torch.equal, kept, keep_largest(scores, count)))


@given(values=layers, data=st.data())
def test_each_layer_keeps_its_own_count(values: list[list[int]], data: st.DataObject) -> None:
    counts = [data.draw(st.integers(0, len(layer) + 1)) for layer in values]
    masks = keep_largest_each([torch.tensor(layer) for layer in values], counts)
    for layer, count, mask in zip(values, counts, masks, strict=True):
        assert int(mask.sum()) == min(max(1, count), len(layer))


def test_float64_scores_are_told_apart_in_float64() -> None:
    scores = torch.tensor([1.0, 1.0 + 1e-12, 1.0 - 1e-12], dtype=torch.float64)
    assert keep_largest([scores], 1)[0].tolist() == [False, True, False]


def test_scores_that_are_no_numbers_and_impossible_counts() -> None:
    with pytest.raises(DivergedError, match="lower the learning rate"):
        keep_largest([torch.tensor([1.0, torch.nan])], 1)
    for count in (1, 5):
        with pytest.raises(UsageError, match="every layer keeps at least one"):
            keep_largest([torch.ones(2), torch.ones(2)], count)


@given(shapes=shapes, quota=st.sampled_from(["uniform", "ERK", "IGQ"]), data=st.data())
def test_layer_counts_meet_the_total_and_stay_at_the_quota(
    shapes: list[tuple[int, int]], quota: str, data: st.DataObject
) -> None:
    sizes = [int(size) for size in layer_sizes(shapes)]
    total = data.draw(st.integers(len(sizes), sum(sizes)))
    counts = layer_counts(shapes, quota, total, sizes)
    assert sum(counts) == total
    assert all(1 <= count <= size for count, size in zip(counts, sizes, strict=True))
    wanted = QUOTAS[quota](shapes, sum(sizes) / total) * layer_sizes(shapes)
    if wanted.min() >= 1:
        assert np.abs(np.array(counts) - wanted).max() < 1 + 1e-9
    fewer = data.draw(st.integers(len(sizes), total))
    later = layer_counts(shapes, quota, fewer, counts)
    assert sum(later) == fewer
    assert all(1 <= after <= before for after, before in zip(later, counts, strict=True))


@given(
    sparsity=st.floats(0, 0.95),
    begin=st.integers(0, 30),
    length=st.integers(1, 60),
    every=st.integers(1, 70),
    schedule=st.sampled_from(["cubic", "exponential"]),
)
def test_a_schedule_rises_to_the_target_and_is_met_at_its_end(
    sparsity: float, begin: int, length: int, every: int, schedule: str
) -> None:
    pruner = gradual(
        sparsity=sparsity, steps=100, begin=begin, end=begin + length, every=every,
        schedule=schedule,
    )  # fmt: skip
    due = [step for step in range(1, 101) if pruner.is_due(step)]
    assert due == sorted({*range(begin + every, begin + length, every), begin + length})
    planned = [pruner.scheduled(step) for step in due]
    assert planned == sorted(planned)
    assert planned[-1] == sparsity


@pytest.mark.parametrize("make", [GradualMagnitude, RPG, Magnitude, LAMP, Random])
@given(
    widths=st.lists(st.integers(1, 12), min_size=2, max_size=5),
    sparsity=st.floats(0, 0.99),
    allocation=st.sampled_from(["global", "uniform", "ERK", "IGQ"]),
)
def test_any_network_meets_any_target_that_leaves_each_layer_a_weight(
    make: type[ScoredPruner], widths: list[int], sparsity: float, allocation: str
) -> None:
    model = models.mlp(widths)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    every = {"every": 1} if issubclass(make, GradualMagnitude) else {}
    options = dict(sparsity=sparsity, steps=4, allocation=allocation, **every)
    total = sum(weight.numel() for weight in model.parameters() if weight.ndim == 2)
    if kept_count(total, sparsity) < len(widths) - 1:
        with pytest.raises(UsageError, match="every layer keeps at least one"):
            make(model, optimizer, **options)
        return
    pruner = make(model, optimizer, **options)
    data = torch.ones(3, widths[0]), torch.zeros(3, dtype=torch.int64)
    Run(model, optimizer, pruner).train(4, [data])
    kept = [int((weight != 0).sum()) for weight in model.parameters() if weight.ndim == 2]
    masks = [int(mask.sum()) for mask in pruner.masks().values()]
    assert sum(masks) == kept_count(total, sparsity)
    assert all(mask >= 1 for mask in masks)
    assert all(k <= mask for k, mask in zip(kept, masks, strict=True))
    assert pruner.reached()


def gradual(**options: Any) -> GradualMagnitude:
    model = NETWORKS["mlp"]()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return GradualMagnitude(model, optimizer, **({"sparsity": 0.5, "steps": STEPS} | options))


def test_skipped_layers_stay_dense_and_do_not_count() -> None:
    pruner = gradual(skip=["fc1", "fc3.weight"], every=1)
    assert list(pruner.masks()) == ["fc2.weight"]
    for _ in range(STEPS):
        pruner.after_step()
    assert int(pruner.masks()["fc2.weight"].sum()) == kept_count(24 * 16, 0.5)
    assert (pruner.model.get_parameter("fc1.weight") != 0).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"schedule": "square"}, "no schedule 'square'; choose one of cubic, exponential"),
        ({"allocation": "LAMP"}, "no allocation 'LAMP'; choose one of global"),
        ({"begin": 5, "end": 5}, "it takes whole numbers with 0 <= begin < end <= steps"),
        ({"end": STEPS + 1}, "it takes whole numbers with 0 <= begin < end <= steps"),
        ({"every": 0}, "every is 0, but masks change every 1 or more iterations"),
        ({"steps": 0}, "steps is 0, but a training has a whole number of at least 1"),
        ({"steps": 1.5}, "steps is 1.5, but a training has a whole number of at least 1"),
        ({"sparsity": None}, "sparsity is None, but it must be at least 0"),
        ({"sparsity": 1.0}, "at least 0 and less than 1"),
    ],
)
def test_impossible_options_say_what_is_possible(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        gradual(**options)
    assert "\n" not in str(caught.value)
