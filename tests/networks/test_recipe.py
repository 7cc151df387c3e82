"""Recipes: the course of the learning rate, the groups that decay, what is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tests.networks.training_toys import toy_net
from theory_lab.core import UsageError
from theory_lab.networks.recipe import SCHEDULES, LearningRate, Recipe


@given(
    st.sampled_from(SCHEDULES), st.integers(1, 300), st.floats(0, 0.9), st.sampled_from([0.1, 0.5])
)
def test_the_factor_is_positive_and_at_most_one(
    schedule: str, total: int, warmup: float, decay: float
) -> None:
    recipe = Recipe(steps=total, schedule=schedule, warmup=warmup, decay=decay)
    factors = [recipe.lr_factor(step, total) for step in range(total)]
    assert all(0 < factor <= 1 for factor in factors)
    top = max(range(total), key=factors.__getitem__)
    assert factors[: top + 1] == sorted(factors[: top + 1])
    assert factors[top:] == sorted(factors[top:], reverse=True)


def test_the_courses_by_hand() -> None:
    def course(**options: Any) -> list[float]:
        return [Recipe(steps=8, **options).lr_factor(step, 8) for step in range(8)]

    assert course(schedule="constant") == [1.0] * 8
    assert course(schedule="one_cycle") == [1 - step / 8 for step in range(8)]
    assert course(schedule="one_cycle", warmup=0.5) == [0.25, 0.5, 0.75, 1, 1, 0.75, 0.5, 0.25]
    assert course(schedule="milestones", warmup=0.25, milestones=(0.5, 0.75)) == [
        0.5, 1, 1, 1, 0.1, 0.1, pytest.approx(0.01), pytest.approx(0.01),
    ]  # fmt: skip
    halves = [(1 + math.cos(math.pi * step / 8)) / 2 for step in range(8)]
    assert course(schedule="cosine") == pytest.approx(halves)


def test_length_in_epochs_or_steps() -> None:
    assert Recipe(epochs=3).total_steps(10) == 30
    assert Recipe(steps=7).total_steps(10) == 7


def test_weights_decay_and_the_rest_does_not() -> None:
    model = toy_net()
    groups = Recipe(epochs=1, weight_decay=0.01).sgd(model).param_groups
    decays = {p: group["weight_decay"] for group in groups for p in group["params"]}
    assert decays == {p: 0.01 if p.ndim > 1 else 0.0 for p in model.parameters()}


def test_every_group_follows_with_its_own_learning_rate() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.4)
    schedule = LearningRate(optimizer, Recipe(steps=4), 4)
    schedule.set(0)
    optimizer.add_param_group({"params": [nn.Parameter(torch.ones(1))], "lr": torch.tensor(0.8)})
    kept = optimizer.param_groups[1]["lr"]
    schedule.set(2)
    assert [float(group["lr"]) for group in optimizer.param_groups] == pytest.approx([0.2, 0.4])
    assert optimizer.param_groups[1]["lr"] is kept, "a captured graph reads this tensor"
    schedule.set(0)
    assert [float(group["lr"]) for group in optimizer.param_groups] == pytest.approx([0.4, 0.8])


@pytest.mark.parametrize(
    "options",
    [
        {}, {"epochs": 1, "steps": 1}, {"epochs": 0}, {"steps": -1},
        *({"epochs": 1, name: value} for name, value in {
            "batch_size": 0, "lr": 0.0, "momentum": 1.0, "weight_decay": -1.0, "schedule": "linear",
            "warmup": 1.0, "milestones": (0.5, 1.5), "decay": 0.0, "label_smoothing": 1.0,
        }.items()),
        {"epochs": 1, "lr": math.nan},
    ],
)  # fmt: skip
def test_numbers_out_of_range_are_refused_in_one_sentence(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"^[^.]*(\d\.\d[^.]*)*\.$"):
        Recipe(**options)
