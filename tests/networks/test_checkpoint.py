"""Checkpoints: resume to the bit after SIGKILL, every part needed, damage noticed."""

from __future__ import annotations

import dataclasses
import math
import random
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.networks import resumed
from tests.networks.training_toys import same_bits, toy_data, toy_net
from theory_lab.core import StorageError
from theory_lab.networks import checkpoint, train
from theory_lab.networks.checkpoint import Stateful
from theory_lab.networks.loader import Loader
from theory_lab.networks.optim import GRDA
from theory_lab.networks.pruners import RPG
from theory_lab.networks.train import fit

ROOT = Path(__file__).resolve().parents[2]


def test_killed_runs_end_with_the_same_bits(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.networks.resumed", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == [
        f"{case}: ({resumed.KILLS}, True)" for case in resumed.CASES
    ], ran.stderr


def stopped(options: resumed.Options, file: Path) -> None:
    """Leave a checkpoint in the middle of an epoch, of pruning, and of the random streams."""
    toy = toy_net(seed=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "LOOK_SECONDS", math.inf)  # the clock is read with checkpoints alone
        history = fit(
            toy, toy_data(), resumed.RECIPE, **options,
            checkpoint=file, checkpoint_every=21, evaluate_every=0, deadline=0, progress=False,
        )  # fmt: skip
    assert history.note == "The deadline came after step 21 of 30."


def finished(options: resumed.Options, file: Path | None) -> torch.nn.Module:
    model = toy_net(seed=4)
    fit(model, toy_data(), resumed.RECIPE, **options, checkpoint=file, progress=False)
    return model


@pytest.mark.parametrize("lost", [None, "model", "optimizer", "pruner", "loader", "random"])
def test_every_part_of_a_checkpoint_is_needed(
    lost: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = resumed.CASES["RPG"]
    stopped(options, tmp_path / "run")
    restore = checkpoint.restore

    def forgetful(content: Mapping[str, Any], parts: Mapping[str, Stateful]) -> dict[str, Any]:
        kept = {name: state for name, state in content["parts"].items() if name != lost}
        if lost == "random":
            monkeypatch.setattr(checkpoint, "set_random_state", lambda state: None)
        here = {name: part for name, part in parts.items() if name != lost}
        return restore({**content, "parts": kept}, here)

    monkeypatch.setattr(checkpoint, "restore", forgetful)
    assert same_bits(finished(options, tmp_path / "run"), finished(options, None)) == (lost is None)


def test_a_finished_run_is_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = resumed.CASES["gRDA"]
    first = finished(options, tmp_path / "run")
    monkeypatch.setattr(train._Run, "_advance", None)
    assert same_bits(first, finished(options, tmp_path / "run"))


# --- files ----------------------------------------------------------------------------------------


def parts() -> dict[str, Stateful]:
    model = toy_net()
    return {
        "model": model,
        "optimizer": GRDA(model.parameters(), lr=0.1, c=0.1),
        "loader": Loader(toy_data(), 16, seed=0),
    }


def test_round_trip_leaves_one_file(tmp_path: Path) -> None:
    file, saved, loaded = tmp_path / "deep" / "run", parts(), parts()
    for value in saved["model"].state_dict().values():
        value.fill_(3)
    checkpoint.save(file, saved, {"step": 3, "rows": [1.5]})
    assert checkpoint.restore(checkpoint.read(file), loaded) == {"step": 3, "rows": [1.5]}
    assert same_bits(saved["model"], loaded["model"])  # type: ignore[arg-type]
    assert [found.name for found in file.parent.iterdir()] == ["run"]


def test_a_flipped_bit_anywhere_is_noticed(tmp_path: Path) -> None:
    file, chance = tmp_path / "run", random.Random(1)
    checkpoint.save(file, parts(), {})
    whole = file.read_bytes()
    for _ in range(100):
        content = bytearray(whole)
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        file.write_bytes(content)
        with pytest.raises(StorageError, match=r"is damaged .* delete it to begin anew\.$"):
            checkpoint.read(file)


@pytest.mark.parametrize("content", [b"", b"short", checkpoint.MAGIC, checkpoint.MAGIC * 4])
def test_what_is_no_checkpoint_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "run").write_bytes(content)
    with pytest.raises(StorageError, match="no checkpoint"):
        finished({}, tmp_path / "run")


def test_another_run_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "run"
    stopped(resumed.CASES["RPG"], file)
    with pytest.raises(StorageError, match=r"with pruner 'RPG', not 'none'; delete it .*\.$"):
        finished({}, file)
    with pytest.raises(StorageError, match="with optimizer 'SGD', not 'GRDA'"):
        finished(resumed.CASES["gRDA"], file)
    other = dataclasses.replace(resumed.RECIPE, steps=31)
    with pytest.raises(StorageError, match="with steps 30, not 31"):
        fit(toy_net(), toy_data(), other, **resumed.CASES["RPG"], checkpoint=file, progress=False)
    denser = {"pruner": lambda m, o, steps, b: RPG(m, o, sparsity=0.7, steps=steps, every=6)}
    with pytest.raises(StorageError, match=r"with pruner's target 0\.8, not 0\.7"):
        finished(denser, file)
    stopped(resumed.CASES["gRDA"], tmp_path / "gRDA")
    weaker = {"optimizer": lambda model: GRDA(model.parameters(), lr=0.1, c=0.2, mu=0.6)}
    with pytest.raises(StorageError, match=r"with optimizer's c \[0.3\], not \[0.2\]"):
        finished(weaker, tmp_path / "gRDA")
    small = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(108, 4))
    with pytest.raises(StorageError, match=r"with network 'Sequential .*, not 'Sequential of 436"):
        fit(small, toy_data(), resumed.RECIPE, checkpoint=file, progress=False)
    with pytest.raises(StorageError, match="holds loader, model, optimizer, pruner, but this run"):
        checkpoint.restore(checkpoint.read(file), parts())


@pytest.mark.parametrize("capturable", [False, True])
def test_a_run_goes_on_with_the_optimizer_that_it_stopped_with(
    capturable: bool, tmp_path: Path
) -> None:
    model = toy_net()
    optimizer = GRDA(model.parameters(), lr=0.1, c=0.1, capturable=capturable)
    options: Any = dict(optimizer=optimizer, checkpoint=tmp_path / "run", progress=False)
    assert fit(model, toy_data(), resumed.RECIPE, deadline=0.0, **options).status == "deadline"
    assert fit(model, toy_data(), resumed.RECIPE, **options).status == "done"


def test_a_disk_that_refuses_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"cannot be written: .*\."):
        checkpoint.save(tmp_path / "file" / "run", {}, {})
    (tmp_path / "run").mkdir()
    with pytest.raises(StorageError, match="cannot be read"):
        checkpoint.read(tmp_path / "run")
    with pytest.raises(StorageError, match="cannot be written"):
        checkpoint.save(tmp_path / "run", {}, {})
    assert sorted(found.name for found in tmp_path.iterdir()) == ["file", "run"]
