"""Several processes: one model, one mask, and the gradients of one process with all the shards."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.networks import ranks
from tests.networks.training_toys import toy_data, toy_net
from theory_lab.core import UsageError
from theory_lab.networks import distributed
from theory_lab.networks.gradients import task_loss
from theory_lab.networks.loader import Loader
from theory_lab.networks.prunable import prunable_weights
from theory_lab.networks.recipe import LearningRate

ROOT = Path(__file__).resolve().parents[2]
WEIGHTS = {weight.name for weight in prunable_weights(toy_net())}


def one_process(name: str, world: int) -> tuple[dict[str, Tensor], list[str]]:
    """The shards of all ranks one after the other, with BatchNorm's statistics of rank 0."""
    data, model = toy_data(), toy_net(seed=0, dropout=0.0)
    recipe, optimizer = ranks.RECIPE, ranks.RECIPE.sgd(model)
    loader = Loader(data, recipe.batch_size, seed=recipe.seed)
    plain = list(Loader(data, recipe.batch_size, seed=recipe.seed + 1, augment=False))
    pruner = ranks.pruner(name, model, optimizer, 15, plain)
    schedule, digests = LearningRate(optimizer, recipe, 15), []
    model.train()
    for epoch in range(3):
        batches = iter(loader)
        for step in range(5):
            schedule.set(5 * epoch + step)
            optimizer.zero_grad()
            for rank in range(world):
                before = [buffer.clone() for buffer in model.buffers()]
                inputs, labels = next(batches)
                loss = task_loss(model(inputs), labels) + pruner.loss_term()
                (loss / world).backward()
                if rank > 0:
                    for buffer, kept in zip(model.buffers(), before, strict=True):
                        buffer.copy_(kept)
            if pruner.after_backward():
                optimizer.step()
            pruner.after_step()
            digests.append(pruner.digest())
    pruner.finish()
    return model.state_dict(), digests


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], str]:
    """What each rank wrote, and what was said on stderr."""
    folder = tmp_path_factory.mktemp("ranks")
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "0",
        "--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0", "-m", "tests.networks.ranks", str(folder),
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert ran.returncode != 0
    assert [file.name for file in sorted(folder.iterdir())] == ["rank0", "rank1"], ran.stderr
    return [torch.load(file) for file in sorted(folder.iterdir())], ran.stderr


@pytest.mark.parametrize("name", ranks.PRUNERS)
def test_two_processes_are_one_that_accumulates_their_shards(
    name: str, two_ranks: tuple[list[dict[str, Any]], str]
) -> None:
    found, _ = two_ranks
    expected, digests = one_process(name, 2)
    for one in (of_rank[name] for of_rank in found):
        assert list(one["model"]) == list(expected)
        for tensor, value in expected.items():
            assert torch.equal(one["model"][tensor], value), tensor
        assert one["digests"] == digests
    weights = [value for tensor, value in expected.items() if tensor in WEIGHTS]
    assert sum(int((value == 0).sum()) for value in weights) > 50, "something must be pruned"


def test_two_processes_tell_one_history(two_ranks: tuple[list[dict[str, Any]], str]) -> None:
    for name in ranks.PRUNERS:
        first, second = (of_rank[name]["history"] for of_rank in two_ranks[0])
        first.pop("images_per_second")
        second.pop("images_per_second")
        assert first == second
        assert first["step"] == [5, 10, 15]


def test_a_process_that_goes_wrong_says_why_in_one_sentence(
    two_ranks: tuple[list[dict[str, Any]], str],
) -> None:
    _, stderr = two_ranks
    assert "rank 1 of 2: This process has had enough.\n" in stderr
    assert "UsageError" not in stderr


def test_one_process_needs_no_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    with distributed.processes() as device:
        assert device == torch.device("cpu")
        assert (distributed.rank(), distributed.world_size()) == (0, 1)
        assert not distributed.is_parallel()
        assert distributed.sums([1.5], device) == [1.5]
        assert distributed.largest([3], device) == [3]
        assert distributed.gathered("x") == ["x"]
        model = toy_net()
        assert distributed.averaging(model) is model


def test_more_processes_than_devices_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=r"local process 2, but there are 0 CUDA devices; .*\.$"):
        distributed.processes("cuda").__enter__()
