"""Problems on another device. The tensors here are torch's own on the CPU, by the same path."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from theory_lab.core import Experiment, Measurement, UsageError
from theory_lab.core.seeds import Stream
from theory_lab.lab import backends
from theory_lab.lab.plan import Cell
from theory_lab.lab.worker import run_cell


def draw(size: int, *, rng):
    return dict(x=rng.standard_normal(size), size=size)


def run(problem, *, rng):
    noise = rng.normal(tuple(problem["x"].shape), like=problem["x"])
    return dict(
        total=problem["x"].sum(),
        noise=noise,
        bracket=Measurement.certified(0.0, 1.0),
        trace=dict(path=noise.cumsum(0)),
    )


@pytest.fixture
def tensors_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever device is asked for, the tensors are made here."""
    move, stream = backends.to_device, backends.DeviceStream
    monkeypatch.setattr(backends, "to_device", lambda problem, _: move(problem, "cpu"))
    monkeypatch.setattr(backends, "DeviceStream", lambda *name: stream(*name[:3], "cpu"))


@pytest.mark.usefixtures("tensors_on_the_cpu")
def test_a_cell_measures_the_same_on_tensors() -> None:
    experiment = Experiment("toy", draw, run, device_ready=True)
    cell = Cell("toy", (("size", 50),), 0)
    here, there = run_cell(experiment, cell), run_cell(experiment, cell, "cuda")
    assert there.facts.keys() == here.facts.keys()
    np.testing.assert_allclose(there.result("total").value, here.result("total").value, rtol=1e-14)
    assert there.result("bracket").kind == "certified"
    assert there.result("noise").shape == (50,)
    np.testing.assert_allclose(
        there.trace["path"], np.cumsum(there.result("noise").value), rtol=1e-6
    )


def test_device_noise_depends_on_its_name_alone() -> None:
    like = torch.zeros(1, dtype=torch.float64)

    def noise(replicate: int, purpose: str) -> torch.Tensor:
        return backends.DeviceStream({"a": 1}, replicate, purpose, "cpu").normal((1000,), like=like)

    assert torch.equal(noise(0, "noise"), noise(0, "noise"))
    assert not torch.equal(noise(0, "noise"), noise(1, "noise"))
    assert not torch.equal(noise(0, "noise"), noise(0, "start"))
    assert noise(0, "noise").dtype == torch.float64
    assert abs(noise(0, "noise").mean()) < 0.2


def test_a_named_stream_is_one_of_its_kind() -> None:
    stream = backends.DeviceStream({"a": 1}, 0, "noise", "cpu")
    assert isinstance(stream.named("start"), backends.DeviceStream)
    for opened in (stream, Stream({"a": 1}, 0, "noise")):
        with pytest.raises(UsageError, match="already is 'noise'"):
            opened.named("noise")


def test_numpy_only_experiments_stay_on_the_cpu() -> None:
    backends.require_ready(Experiment("toy", draw, run), "cpu")
    backends.require_ready(Experiment("toy", draw, run, device_ready=True), "cuda")
    with pytest.raises(UsageError, match="numpy arrays only"):
        backends.require_ready(Experiment("toy", draw, run), "cuda")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_a_missing_device_is_named() -> None:
    backends.require("cpu")
    with pytest.raises(UsageError, match="no cuda device"):
        backends.require("cuda")
