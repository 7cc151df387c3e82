"""Scores of the one-shot pruners against their definitions, and how they prune."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.networks.pruner_cases import CLASSES, NETWORKS, SPARSITY, STEPS, batches
from tests.tolerances import rtol
from theory_lab.core import UsageError
from theory_lab.networks import models
from theory_lab.networks.pruners import LAMP, SNIP, Magnitude, Random, SynFlow
from theory_lab.networks.pruners.connectivity import Connectivity
from theory_lab.networks.pruners.saliency import OneShotPruner, lamp_scores
from theory_lab.networks.selection import DivergedError
from theory_lab.numerics.quotas import QUOTAS, layer_sizes


def made(make: Callable[..., OneShotPruner], model: nn.Module, **options: Any) -> OneShotPruner:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    defaults = {"sparsity": SPARSITY, "steps": STEPS, "batches": batches()}
    return make(model, optimizer, **(defaults | options))


def dense(pruner: OneShotPruner) -> list[Tensor]:
    return [torch.ones_like(mask) for mask in pruner.masks().values()]


@given(
    values=st.lists(st.integers(-5, 5), min_size=1, max_size=12),
    rows=st.integers(1, 3),
)
def test_lamp_divides_by_all_that_are_at_least_as_large(values: list[int], rows: int) -> None:
    weight = torch.tensor(values * rows, dtype=torch.float32).reshape(rows, -1)  # many ties
    scores = lamp_scores(weight)
    for w, score in zip(weight.flatten().tolist(), scores.flatten().tolist(), strict=True):
        larger = sum(v * v for v in weight.flatten().tolist() if abs(v) >= abs(w))
        assert score == pytest.approx(w * w / larger if w else 0.0, rel=rtol())


@pytest.mark.parametrize("network", NETWORKS)
def test_snip_is_the_mean_gradient_times_the_weight(network: str) -> None:
    torch.manual_seed(1)
    model = NETWORKS[network]()
    data = batches(2)
    data[1] = (data[1][0][:7], data[1][1][:7])  # batches of unequal size
    pruner = made(SNIP, model, at=STEPS, batches=data)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    scores = pruner.saliency(dense(pruner))
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    model.train()
    for inputs, labels in data:
        nn.functional.cross_entropy(model(inputs), labels, reduction="sum").backward()
    for weight, score in zip(pruner.weights, scores, strict=True):
        assert weight.parameter.grad is not None
        expected = (weight.parameter.grad / 23 * weight.parameter).abs().detach()
        torch.testing.assert_close(score, expected, rtol=10 * rtol(np.float32), atol=1e-8)


def test_snip_takes_as_many_batches_as_it_is_told() -> None:
    model = NETWORKS["mlp"]()
    limited = made(SNIP, model, at=STEPS, batch_limit=1)
    one = made(SNIP, model, at=STEPS, batches=batches()[:1])
    pairs = zip(limited.order(), one.order(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    with pytest.raises(UsageError, match="give it batches="):
        made(SNIP, model, batches=[])


def test_synflow_is_the_sum_over_the_paths_through_a_weight() -> None:
    torch.manual_seed(2)
    widths = (4, 3, 3, 2)
    model = models.mlp(widths)
    pruner = made(SynFlow, model, at=STEPS, batches=[(torch.zeros(1, 4), torch.zeros(1))])
    absolute = [weight.parameter.detach().double().abs() for weight in pruner.weights]
    expected = [torch.zeros_like(weight) for weight in absolute]
    for path in itertools.product(*map(range, widths)):
        steps = list(itertools.pairwise(path))
        flow = torch.stack([w[j, i] for w, (i, j) in zip(absolute, steps, strict=True)]).prod()
        for total, (i, j) in zip(expected, steps, strict=True):
            total[j, i] += flow
    for score, total in zip(pruner.saliency(dense(pruner)), expected, strict=True):
        torch.testing.assert_close(score, total, rtol=rtol(), atol=0.0)


@pytest.mark.parametrize(
    ("model", "example"),
    [
        (NETWORKS["mlp"](), torch.zeros(1, 1, 8, 8)),
        (models.click_mlp((5, 3), hidden=(8, 8)), torch.zeros(1, 2, dtype=torch.int64)),
        (models.lenet5(classes=CLASSES, side=16), torch.zeros(1, 1, 16, 16)),
        (models.resnet(8, width=4, in_channels=1), torch.zeros(1, 1, 16, 16)),
    ],
    ids=["mlp", "click", "lenet5", "resnet8"],
)
@pytest.mark.parametrize("density", [0.3, 0.05])
def test_synflow_sees_what_is_active(model: nn.Module, example: Tensor, density: float) -> None:
    pruner = made(SynFlow, model, at=STEPS, batches=[(example, torch.zeros(1))])
    assert isinstance(pruner, SynFlow)
    generator = torch.Generator().manual_seed(7)
    masks = [torch.rand(mask.shape, generator=generator) < density for mask in dense(pruner)]
    flows = [score > 0 for score in pruner.saliency(masks)]
    active = Connectivity(model, example, list(pruner.masks())).active_masks(masks)
    pairs = list(zip(flows, active, strict=True))
    assert not any((flow & ~path).any() for flow, path in pairs)
    if not any(weight.is_convolution for weight in pruner.weights):  # taps may see padding alone
        assert all(torch.equal(flow, path) for flow, path in pairs)
    if density == 0.3:  # the test sees something
        assert all(flow.any() for flow, _ in pairs)


def test_many_rounds_of_synflow_leave_hardly_a_gap() -> None:
    gaps = []
    for rounds in (1, 100):
        torch.manual_seed(3)
        pruner = made(SynFlow, models.mlp((64, 50, 50, 10)), sparsity=0.98, rounds=rounds)
        masks = list(pruner.masks().values())
        connectivity = Connectivity(pruner.model, batches()[0][0][:1], list(pruner.masks()))
        kept = sum(int(mask.sum()) for mask in masks)
        gaps.append(1 - connectivity.active_count(masks) / kept)
    assert gaps[0] > 0.2
    assert gaps[1] < 0.05


@pytest.mark.parametrize("size", [1e38, 1e-30], ids=["overflow", "underflow"])
def test_synflow_beyond_float64_is_an_error(size: float) -> None:
    deep = models.mlp((64, *[8] * 10, 4))
    with torch.no_grad():
        for weight in deep.parameters():
            weight.fill_(size)
    with pytest.raises(UsageError, match="beyond float64") as caught:
        made(SynFlow, deep)
    assert "\n" not in str(caught.value)


def test_synflow_of_a_network_without_a_path_is_no_error() -> None:
    """Zero flow is an answer where nothing can flow, and not one that underflowed."""
    model = NETWORKS["mlp"]()
    pruner = made(SynFlow, model, at=STEPS)
    assert not any(score.any() for score in pruner.saliency([~mask for mask in dense(pruner)]))
    with torch.no_grad():
        model.get_parameter("fc2.weight").zero_()
    assert not any(score.any() for score in pruner.saliency(dense(pruner)))


def test_a_deep_network_is_within_float64() -> None:
    """100 layers of 64: the flow is about 1e64 as initialised, beyond float32."""
    torch.manual_seed(6)
    pruner = made(SynFlow, models.mlp((64, *[64] * 99, 4)), at=STEPS)
    flows = [float(score.sum()) for score in pruner.saliency(dense(pruner))]
    assert flows[0] > torch.finfo(torch.float32).max
    assert flows == pytest.approx([flows[0]] * 100, rel=rtol())  # what comes in goes out


def test_rounds_remove_in_the_order_of_the_rounds() -> None:
    """A prefix of the order is what fewer weights removed would be: rounds are nested."""
    pruner = made(SNIP, NETWORKS["mlp"](), rounds=6, at=STEPS)
    places = torch.cat([scores.flatten() for scores in pruner.order()])
    assert places.sort().values.tolist() == list(range(1, pruner.size + 1))
    masks, order = dense(pruner), pruner.order()
    for progress in range(1, 7):
        removed = round(pruner.size * (1 - (1 - SPARSITY) ** (progress / 6)))
        worth = [
            s.masked_fill(~m, -1.0) for s, m in zip(pruner.saliency(masks), masks, strict=True)
        ]
        masks = pruner.without(worth, removed)
        assert all(map(torch.equal, masks, pruner.without(order, removed)))


@pytest.mark.parametrize("quota", ["uniform", "ERK", "IGQ"])
@pytest.mark.parametrize("network", NETWORKS)
def test_random_masks_follow_their_quota_and_their_seed(network: str, quota: str) -> None:
    torch.manual_seed(4)
    model = NETWORKS[network]()
    one, same, other = (
        made(Random, model, allocation=quota, seed=seed, at=STEPS) for seed in (1, 1, 2)
    )
    masks, again, others = (p.select(p.order(), SPARSITY) for p in (one, same, other))
    assert all(map(torch.equal, masks, again))
    assert not all(map(torch.equal, masks, others))
    shapes = [tuple(mask.shape) for mask in masks]
    densities = QUOTAS[quota](shapes, one.size / (one.size - round(SPARSITY * one.size)))
    for mask, wanted in zip(masks, densities * layer_sizes(shapes), strict=True):
        assert abs(int(mask.sum()) - wanted) <= 1 or (wanted < 1 and int(mask.sum()) == 1)
    state = torch.get_rng_state()
    made(Random, model, seed=5)
    assert torch.equal(torch.get_rng_state(), state)  # the global generator stays as it was


def test_magnitude_keeps_the_largest() -> None:
    torch.manual_seed(5)
    model = NETWORKS["mlp"]()
    before = torch.cat([w.detach().flatten() for w in model.parameters() if w.ndim == 2]).abs()
    masks = made(Magnitude, model).masks().values()
    mask = torch.cat([mask.flatten() for mask in masks])
    assert before[mask].min() >= before[~mask].max()


def test_lamp_does_not_see_the_scale_of_a_layer() -> None:
    torch.manual_seed(5)
    kept = {}
    for make in (LAMP, Magnitude):
        model = NETWORKS["mlp"]()
        with torch.no_grad():
            model.get_parameter("fc3.weight").mul_(0.01)
        kept[make] = int(made(make, model).masks()["fc3.weight"].sum())
    assert kept[LAMP] > 6
    assert kept[Magnitude] == 1  # all but the one that no layer loses


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (Magnitude, {"sparsity": 1.0}, "at least 0 and less than 1"),
        (Magnitude, {"sparsity": -0.1}, "at least 0 and less than 1"),
        (Magnitude, {"sparsity": float("nan")}, "at least 0 and less than 1"),
        (Magnitude, {"sparsity": 0.9999}, "every layer keeps at least one"),
        (Magnitude, {"sparsity": 0.9999, "allocation": "ERK"}, "every layer keeps at least one"),
        (Magnitude, {"allocation": "fair"}, "choose one of global, uniform, uniform"),
        (Random, {"allocation": "uniform+"}, "choose a smaller one, or another quota"),
        (Magnitude, {"at": STEPS + 1}, "a whole number from 0 to steps"),
        (Magnitude, {"skip": ["fc9"]}, "no prunable weight 'fc9'; it has fc1.weight"),
        (SNIP, {"rounds": 0}, "rounds is 0, but it takes a whole number of at least 1"),
        (SynFlow, {"batches": None}, "give it batches="),
    ],
)
def test_impossible_options_say_what_is_possible(
    make: Callable[..., OneShotPruner], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        made(make, NETWORKS["mlp"](), **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("which", [slice(None), slice(1)], ids=["all", "one"])
def test_lamp_of_weights_that_are_not_numbers_has_diverged(which: slice) -> None:
    model = NETWORKS["mlp"]()
    with torch.no_grad():
        model.fc1.weight.view(-1)[which] = torch.nan
    with pytest.raises(DivergedError):
        made(LAMP, model)
