"""gRDA: known answers, invariants, and numpy = torch."""

from typing import Any

import numpy as np
import pytest
import torch

from tests.elsewhere import Counted
from tests.tolerances import rtol
from theory_lab.core.seeds import Stream
from theory_lab.data.diabetes import diabetes
from theory_lab.lab.backends import DeviceStream
from theory_lab.numerics.prox import soft_threshold
from theory_lab.solvers import averaging
from theory_lab.solvers.averaging import block_paths, dual_averaging, threshold
from theory_lab.theorems.directional_pruning.experiments.losses import (
    AdditiveNoise,
    AllRows,
    GaussianRows,
    SampledRows,
)
from theory_lab.theorems.directional_pruning.experiments.networks import TwoLayers

RNG = np.random.default_rng(0)
ROWS, LABELS = RNG.standard_normal((4, 6)), RNG.standard_normal(4)
SETTINGS: dict[str, Any] = dict(step=0.02, steps=30, strengths=(0.0, 0.4), exponents=(1.0, 0.51))


def start(paths: int) -> np.ndarray:
    return np.repeat(np.linspace(-1, 1.5, 6)[None], paths, axis=0)


def test_without_threshold_it_is_gradient_descent() -> None:
    found, _ = dual_averaging(AllRows(ROWS, LABELS), start(1), stream=None, **SETTINGS)
    w = start(1)[0]
    for _ in range(30):
        w = w - 0.02 * ROWS.T @ (ROWS @ w - LABELS)
    np.testing.assert_allclose(found.weights[0, 0], w, rtol=rtol())


def test_weights_are_the_soft_threshold_of_the_accumulator() -> None:
    found, seen = dual_averaging(
        AllRows(ROWS, LABELS), start(1), stream=None, watch=[10], **SETTINGS
    )
    for n, at in ((10, seen[10]), (30, found)):
        level = threshold(0.02, 0.4, 0.51, n)
        assert level == pytest.approx(0.4 * np.sqrt(0.02) * (0.02 * n) ** 0.51)
        v, w = at.dual[1, 0], at.weights[1, 0]
        np.testing.assert_allclose(w, np.sign(v) * np.maximum(np.abs(v) - level, 0), atol=1e-15)
        np.testing.assert_array_equal(w, soft_threshold(v, level))


def test_blocks_change_no_path_without_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = dual_averaging(AllRows(ROWS, LABELS), start(7), stream=None, **SETTINGS)
    monkeypatch.setattr(averaging, "CPU_BLOCK", 24)
    parts, _ = dual_averaging(AllRows(ROWS, LABELS), start(7), stream=None, **SETTINGS)
    np.testing.assert_allclose(parts.weights, whole.weights, rtol=rtol())


@pytest.mark.parametrize(
    "loss",
    [
        GaussianRows(ROWS.T, np.ones(6), 0.3),
        SampledRows(ROWS, LABELS),
        AdditiveNoise(ROWS.T, np.ones(6), 0.1),
    ],
)
def test_mean_of_sampled_gradients_is_the_gradient(loss: Any) -> None:
    w, stream = start(200_000), Stream({}, 0)
    sampled = np.empty((1, *w.T.shape))
    loss.gradient(w.T[None], loss.sample(len(w), stream), 1.0, sampled)
    sampled = sampled[0].T
    optimum = np.linalg.lstsq(ROWS, LABELS)[0] if isinstance(loss, SampledRows) else np.ones(6)
    expected = ROWS.T @ (ROWS @ (w[0] - optimum))
    spread = sampled.std(axis=0) / np.sqrt(len(w))
    assert np.all(np.abs(sampled.mean(axis=0) - expected) <= 6 * spread)


class Replayed:
    """A stream that gives the same normals to every backend."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(5)

    def normal(self, shape: tuple[int, ...], *, like: Any) -> Any:
        drawn = self.rng.standard_normal(shape)
        return torch.from_numpy(drawn) if isinstance(like, torch.Tensor) else drawn

    def integers(self, high: int, *, size: int, like: Any) -> Any:
        drawn = self.rng.integers(high, size=size)
        return torch.from_numpy(drawn) if isinstance(like, torch.Tensor) else drawn


def tensor(x: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(x))


LOSSES: dict[str, Any] = {
    "Gaussian rows": lambda of: GaussianRows(of(ROWS.T), of(np.ones(6)), 0.3),
    "sampled rows": lambda of: SampledRows(of(ROWS), of(LABELS)),
    "all rows": lambda of: AllRows(of(ROWS), of(LABELS)),
    "additive noise": lambda of: AdditiveNoise(of(ROWS.T), of(np.ones(6)), 0.1),
    "tanh net": lambda of: TwoLayers(of(ROWS[:2, :4]), of(LABELS[None]), 2, "tanh", 0.1),
    "linear net": lambda of: TwoLayers(of(ROWS[:2, :4]), of(LABELS[None]), 2, "linear", 0.1),
}


@pytest.mark.parametrize("name", LOSSES)
def test_torch_and_numpy_agree(name: str) -> None:
    make = LOSSES[name]
    ours, _ = dual_averaging(make(np.asarray), start(5), stream=Replayed(), **SETTINGS)
    theirs, _ = dual_averaging(make(tensor), tensor(start(5)), stream=Replayed(), **SETTINGS)
    np.testing.assert_allclose(theirs.weights.numpy(), ours.weights, rtol=1e-10, atol=1e-12)


def operations(loss: Any, steps: int, pairs: int, paths: int) -> int:
    settings = dict(step=0.02, steps=steps, strengths=(0.1,) * pairs, exponents=(0.51,) * pairs)
    begin = tensor(start(paths))
    with Counted() as counted:
        dual_averaging(loss, begin, stream=DeviceStream({}, 0, "noise", "cpu"), **settings)
    return counted.count


@pytest.mark.parametrize("name", LOSSES)
def test_a_step_gives_the_device_few_operations_whatever_its_size(name: str) -> None:
    """A device waits for the host where a step is many small operations."""
    loss = LOSSES[name](tensor)
    step = operations(loss, 3, 2, 5) - operations(loss, 2, 2, 5)
    assert step == operations(loss, 3, 7, 50) - operations(loss, 2, 7, 50)
    assert 5 <= step <= (25 if "net" in name else 11)


def test_a_block_holds_all_paths_of_a_device_and_few_of_a_cpu() -> None:
    many = torch.empty((100_000, 20), dtype=torch.float64, device="meta")
    assert block_paths(many, 5) >= len(many)
    assert block_paths(tensor(start(5)), 5) == block_paths(start(5), 5) == 32_768 // 30


def test_soft_threshold_obeys_moreau() -> None:
    v = np.linspace(-2, 2, 41)
    np.testing.assert_allclose(soft_threshold(v, 0.7) + np.clip(v, -0.7, 0.7), v, rtol=rtol())


def test_diabetes_is_all_there() -> None:
    features, scores = diabetes()
    assert features.shape == (442, 10)
    np.testing.assert_allclose(np.sum(features**2, axis=0), 1, rtol=1e-6)  # as stored
    assert (scores.min(), scores.max()) == (25, 346)
