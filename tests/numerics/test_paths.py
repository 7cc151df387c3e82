"""Effective masks: against brute force on any graph, their laws, both array libraries, errors."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from theory_lab.numerics.paths import (
    Edge,
    Graph,
    Skip,
    effective_counts,
    effective_masks,
    largest_prefix,
)
from theory_lab.theorems.connectivity.bounds import effective as bounds
from theory_lab.theorems.connectivity.experiments.brute_force import active
from theory_lab.theorems.connectivity.strategies import described


@given(net=described())
def test_propagation_is_brute_force_on_any_graph(net: dict[str, np.ndarray]) -> None:
    np.testing.assert_array_equal(bounds.effective(net), active(net, net["mask"]))


@given(net=described(), seed=st.integers(0, 2**32 - 1))
def test_laws_of_effective_masks(net: dict[str, np.ndarray], seed: int) -> None:
    def effective(mask: np.ndarray) -> np.ndarray:
        return bounds.effective(dict(net, mask=mask)) > 0

    mask = net["mask"]
    other = np.random.default_rng(seed).random(mask.shape) < 0.5
    first, second, union = effective(mask), effective(other), effective(mask | other)
    assert np.all(first <= mask)
    np.testing.assert_array_equal(effective(first), first)
    assert np.all(first | second <= union)


@given(net=described())
def test_numpy_torch_batches_and_single_masks_agree(net: dict[str, np.ndarray]) -> None:
    graph = bounds.graph(net)
    masks = bounds.layers(graph, net["mask"])
    batch = effective_masks(graph, masks)
    tensors = effective_masks(graph, [torch.from_numpy(mask) for mask in masks])
    counts = effective_counts(graph, masks)
    for run in range(len(net["mask"])):
        single = effective_masks(graph, [mask[run] for mask in masks])
        for edge, alone in enumerate(single):
            np.testing.assert_array_equal(alone, batch[edge][run])
            np.testing.assert_array_equal(alone, tensors[edge][run].numpy())
            assert counts[edge][run] == alone.sum()


def test_a_network_worked_out_by_hand() -> None:
    """2 inputs, 3 hidden units, 1 output; hidden unit 1 has no output, 2 no input."""
    graph = Graph.chain((2, 3, 1))
    first = np.array([[True, False], [True, True], [False, False]])
    last = np.array([[True, False, True]])
    kept = effective_masks(graph, [first, last])
    np.testing.assert_array_equal(kept[0], [[True, False], [False, False], [False, False]])
    np.testing.assert_array_equal(kept[1], [[True, False, False]])


def test_a_skip_keeps_alive_what_a_dead_layer_would_kill() -> None:
    dead, alive = np.zeros((2, 2), dtype=bool), np.ones((2, 2), dtype=bool)
    edges = tuple(Edge(i, i + 1) for i in range(3))
    plain = Graph((2, 2, 2, 2), edges)
    residual = Graph((2, 2, 2, 2), edges, (Skip(1, 2),))
    assert sum(effective_counts(plain, [alive, dead, alive])) == 0
    assert sum(effective_counts(residual, [alive, dead, alive])) == 8


def test_effective_masks_are_new_arrays() -> None:
    graph, mask = Graph.chain((2, 2)), np.ones((2, 2), dtype=bool)
    effective_masks(graph, [mask])[0][0, 0] = False
    assert mask.all()


def test_sizes_and_shapes_of_a_described_network() -> None:
    graph = Graph((3, 8, 10), (Edge(0, 1, 1, (3, 3)), Edge(1, 2, area=4)))
    assert graph.shapes == [(8, 3, 3, 3), (10, 32)]
    assert graph.sizes == [216, 320]


@pytest.mark.parametrize(
    ("arguments", "cure"),
    [
        (((2, 2), (Edge(1, 0),)), "from a group to a later one"),
        (((2, 2), (Edge(0, 2),)), "of the 2 groups"),
        (((2, 3), (Edge(0, 1),), (Skip(0, 1),)), "else use an edge"),
    ],
)
def test_impossible_graphs_are_refused(arguments: Any, cure: str) -> None:
    with pytest.raises(ValueError, match=cure):
        Graph(*arguments)


def test_masks_that_do_not_fit_are_refused() -> None:
    graph, mask = Graph.chain((2, 3, 1)), np.ones((3, 2), dtype=bool)
    with pytest.raises(ValueError, match="2 edges, but 1 masks"):
        effective_masks(graph, [mask])
    with pytest.raises(ValueError, match="must end in"):
        effective_masks(graph, [mask.T, np.ones((1, 3), dtype=bool)])


@given(steps=st.lists(st.floats(0, 3), min_size=1, max_size=60), target=st.floats(1, 40))
def test_bisection_finds_the_largest_prefix(steps: list[float], target: float) -> None:
    compression = [1.0, *(1 + np.cumsum(steps)).tolist()]
    calls = []

    def look(removed: int) -> float:
        calls.append(removed)
        return compression[removed]

    size = len(steps)
    found = largest_prefix(look, size, target)
    fitting = [n for n in range(size) if compression[n] <= target]
    assert found == fitting[-1]
    assert len(calls) <= math.ceil(math.log2(size)) + 1


def test_bisection_needs_19_looks_for_266_200_weights() -> None:
    looks = []
    largest_prefix(lambda n: looks.append(n) or 266_200 / (266_201 - n), 266_200, 1000.0)
    assert len(looks) in (18, 19)
