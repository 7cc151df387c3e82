"""Problems on another device. The tensors here are torch's own on the CPU, by the same path."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from theory_lab import console
from theory_lab.core import Experiment, Measurement, UsageError
from theory_lab.core.seeds import Stream
from theory_lab.lab import backends
from theory_lab.lab.desk import lay_out
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


STUDIES = Path(__file__).resolve().parents[2] / "studies"

STUDY = """
from theory_lab import Claim, Experiment, Source, Study, grid, instead

def draw(x: float, *, rng): return dict(x=x)
def run(at, *, rng): return dict(y=2 * at["x"])
def run_wrong(at, *, rng): return dict(y=3 * at["x"])

READY = Experiment("toy.ready", draw, run, device_ready={ready})
HERE = Experiment("toy.here", draw, run)
WRONG = Experiment("toy.wrong", draw, run_wrong)
def claim(name, experiment):
    return Claim(f"toy.{{name}}", Source("none", "none"), name, experiment=experiment,
                 predict=lambda f: 2 * f["x"], measure="y")
CLAIMS = [claim("ready", READY), claim("here", HERE)]
STUDY = Study("toy", claims=CLAIMS, cases=grid(x=[1.0, 2.0]),
              controls=[instead("another", claims=CLAIMS, experiment=WRONG)])
"""


def write_study(folder: Path, ready: bool) -> str:
    file = folder / f"toy_{ready}.py"
    file.write_text(STUDY.format(ready=ready))
    return str(file)


def test_a_study_runs_on_a_device_as_far_as_it_is_ready(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_study(tmp_path, ready=True)
    here, there = lay_out(file, "quick"), lay_out(file, "quick", device="cuda")
    assert {cell.experiment for cell in here.cells} == {"toy.ready", "toy.here", "toy.wrong"}
    assert not here.left_out
    assert {cell.experiment for cell in there.cells} == {"toy.ready"}
    assert there.left_out == ["toy.here", "toy.wrong"]
    console.tell_left_out(here)
    assert capsys.readouterr().err == ""
    console.tell_left_out(there)
    assert capsys.readouterr().err == (
        "toy: experiments that run on numpy arrays only are left out on cuda (here, wrong);"
        " --device cpu measures them.\n"
    )


@pytest.mark.parametrize("name", ["directional_pruning", "matrix_sensing", "scale_up"])
def test_presets_for_a_device_are_ready_for_it(name: str) -> None:
    desk = lay_out(str(STUDIES / f"{name}.py"), "cuda", device="cuda")
    assert desk.cells
    assert not desk.left_out


def test_a_study_of_which_nothing_is_ready_stays_on_the_cpu(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"toy .*numpy arrays only; use --device cpu"):
        lay_out(write_study(tmp_path, ready=False), "quick", device="cuda")


def test_what_a_dataclass_holds_moves_with_the_problem() -> None:
    turned = np.arange(6.0).reshape(2, 3)[:, ::-1]  # torch has no negative strides
    turned.flags.writeable = False
    problem = dict(held=Held(turned, 3), several=(1.0, 2.0), kind=Held)
    moved = backends.to_device(problem, "cpu")
    assert torch.equal(moved["held"].inner, torch.tensor([[2.0, 1, 0], [5, 4, 3]]))
    assert moved["held"].double == 6
    assert moved["several"] == (1.0, 2.0)
    assert moved["kind"] is Held


@dataclasses.dataclass(frozen=True)
class Held:
    inner: np.ndarray
    number: int
    double: int = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "double", 2 * self.number)


def test_device_indices_are_below_their_bound() -> None:
    stream = backends.DeviceStream({"a": 1}, 0, "noise", "cpu")
    like = torch.zeros(1)
    drawn = stream.integers(3, size=1000, like=like)
    assert drawn.dtype == torch.int64
    assert set(drawn.tolist()) == {0, 1, 2}
    assert set(stream.integers(5, 6, size=(4, 25), endpoint=True, like=like).ravel().tolist()) == {
        5,
        6,
    }
    again = backends.DeviceStream({"a": 1}, 0, "noise", "cpu").integers(3, size=1000, like=like)
    assert torch.equal(drawn, again)
    here = Stream({"a": 1}, 0)
    numbers, same = here.integers(3, size=9, like=like), Stream({"a": 1}, 0).integers(3, size=9)
    np.testing.assert_array_equal(numbers, same)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_a_missing_device_is_named() -> None:
    backends.require("cpu")
    with pytest.raises(UsageError, match="no cuda device"):
        backends.require("cuda")
