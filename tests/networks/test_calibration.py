"""The calibration of a device: what it divides by, and every line of it at tiny sizes."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from theory_lab.data import files
from theory_lab.lab.backends import DeviceStream
from theory_lab.networks import measures, models

STUDIES = Path(__file__).resolve().parents[2] / "studies"
sys.path.insert(0, str(STUDIES))

import calibrate  # noqa: E402
from benchmarks import calibration, device, ensembles, roofline  # noqa: E402

CPU = torch.device("cpu")


def test_operations_are_those_of_three_passes_over_the_layers() -> None:
    model, image = models.resnet(8, width=4), torch.zeros(1, 3, 32, 32)
    counted = roofline.operations_per_image(model, image)
    assert counted == 6 * measures.total_operations(model, image).dense


def test_the_least_time_is_that_of_the_nearer_ceiling() -> None:
    convolution = torch.nn.Conv2d(3, 5, 3, padding=1, bias=False)
    image = torch.zeros(1, 3, 8, 8)
    operations = 6 * 64 * convolution.weight.numel()
    entries = 2 * (3 + 5) * 64 + 3 * 64
    busy, slow = roofline.Ceilings(1.0, math.inf), roofline.Ceilings(math.inf, 1.0, width=4)
    assert roofline.seconds_per_image(convolution, image, busy) == operations
    assert roofline.seconds_per_image(convolution, image, slow) == 4 * entries


def test_the_operations_of_an_epoch_are_known() -> None:
    """12.2, 166.6 and 1573 TFLOP in 50,000 images."""
    nets = (models.resnet(20), models.resnet(18), models.wide_resnet(28, 10))
    for net, known in zip(nets, (12.2, 166.6, 1573), strict=True):
        counted = roofline.operations_per_image(net, torch.zeros(1, 3, 32, 32)) * 50_000 / 1e12
        assert counted == pytest.approx(known, rel=4e-3)


def test_operations_of_a_descent_are_those_of_its_products() -> None:
    def operations(steps: int) -> int:
        with FlopCounterMode(display=False) as counted:
            ensembles.descended(torch.tensor, ensembles.sensing_problem(7, 3, 2), steps)
        return counted.get_total_flops()

    assert operations(3) - operations(2) == ensembles.descent_cost(2, 7, 3)[0]


def test_bytes_of_a_step_are_those_of_weights_and_accumulators() -> None:
    """Each read and written once, as a step that is one kernel would; float64."""
    found = ensembles.follow(torch.tensor, DeviceStream({}, 0, "noise", "cpu"), 3, 1)[0]
    numbers = found.weights.numel() + found.dual.numel()
    assert ensembles.path_cost(3, found.weights.shape[2])[1] == 2 * 8 * numbers


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch.compile's own
def test_every_line_is_measured_and_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "folders", lambda: [tmp_path])  # no images to decode
    monkeypatch.setattr("benchmarks.loader.IMAGES", 64)
    sizes = dataclasses.replace(
        calibration.SMOKE, rounds=2, matrix=16, epochs={"resnet8w4": 1}, rival="resnet8w4"
    )
    calibrate.show(calibration.measured(CPU, sizes), tmp_path / "kept.json")
    rows = json.loads((tmp_path / "kept.json").read_text())["rows"]
    shown = capsys.readouterr().out
    assert all(row["what"] in shown for row in rows)
    for name in (
        *calibration.PRUNERS,
        "graph: images/s",
        "GRDA compiled",
        "copy, read and written",
        "a step of all paths",
        "certified points from all starts",
    ):
        assert any(row["what"] == name for row in rows), name
    assert all(row["value"] is None or math.isfinite(row["value"]) for row in rows)
    times = [row["value"] for row in rows if row["unit"] in ("ms", "GB/s", "TFLOP/s", "TFLOP")]
    assert min(times) > 0


def test_waits_are_not_counted_where_nothing_waits() -> None:
    assert device.synchronisations(lambda: None, CPU) is None
    assert calibration.said(None) != calibration.said(0)


def test_without_a_gpu_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["calibrate.py"])
    with pytest.raises(SystemExit) as ended:
        calibrate.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        "This machine has no cuda device that torch can use; run with --device cpu.\n"
    )


def test_lines_that_cannot_be_kept_are_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(
        calibrate, "measured", lambda *_: iter([calibration.Row("A", "b", 1.0, "s")])
    )
    place = tmp_path / "file" / "kept.json"
    monkeypatch.setattr(sys, "argv", ["calibrate.py", "--device", "cpu", "--json", str(place)])
    with pytest.raises(SystemExit) as ended:
        calibrate.main()
    assert ended.value.code == 3
    assert "kept.json cannot be written" in capsys.readouterr().err
