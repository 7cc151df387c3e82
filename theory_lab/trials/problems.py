"""What a training starts from: data, a network and a seed. torch is imported inside functions.

Everything random in a training comes from the problem's `seed`: the start of the weights, the order
of the images, their augmentation. Methods that are compared share the problem, hence all of these.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from theory_lab.core.checks import at_least

if TYPE_CHECKING:
    from torch import nn

    from theory_lab.networks.datasets import Dataset

Problem = Mapping[str, Any]
Count = Annotated[int, at_least(0)]


def draw(
    data: str, net: str, train_size: Count = 0, test_size: Count = 0, *, rng: Any
) -> dict[str, Any]:
    """So many examples of the training and the test set; 0 takes all. `note` names the data."""
    found = dataset(data, train_size, test_size)
    return dict(
        data=data,
        net=net,
        train_size=train_size,
        test_size=test_size,
        note=found.note,
        examples=len(found.train_labels),
        seed=int(rng.integers(2**31)),
    )


def dataset(data: str, train_size: int, test_size: int, device: str = "cpu") -> Dataset:
    """The data set on a device, read and moved there once in a process."""
    if device == "cpu":
        return _on_cpu(data, train_size, test_size)
    return _moved(data, train_size, test_size, device)


@functools.lru_cache(maxsize=1)
def _moved(data: str, train_size: int, test_size: int, device: str) -> Dataset:
    return _on_cpu(data, train_size, test_size).to(device)


@functools.lru_cache(maxsize=2)
def _on_cpu(data: str, train_size: int, test_size: int) -> Dataset:
    from theory_lab.networks import datasets

    found = datasets.load(data, train_size=train_size or None)
    if not test_size:
        return found
    chosen = datasets.spread(len(found.test_labels), test_size)
    return dataclasses.replace(
        found,
        note=f"{found.note}, {len(chosen):,} test examples",
        test=found.test[chosen],
        test_labels=found.test_labels[chosen],
    )


def data_of(problem: Problem, device: str) -> Dataset:
    """The problem's data on a device."""
    return dataset(problem["data"], problem["train_size"], problem["test_size"], device)


def fresh_model(problem: Problem, device: str, seed: int | None = None) -> nn.Module:
    """The problem's network at its start; torch's global streams are left as they were."""
    import torch

    from theory_lab.networks import models

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(problem["seed"] if seed is None else seed)
        model = models.build(problem["net"], data_of(problem, "cpu"))
    return model.to(device)
