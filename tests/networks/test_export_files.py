"""Models in safetensors files: every bit comes back, and no other model's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.utils import parametrize

from theory_lab.core import StorageError, UsageError
from theory_lab.networks import export, measures, models
from theory_lab.networks.prunable import prunable_weights
from theory_lab.networks.pruners import Pruner

SMALL = export.Architecture("resnet8w8", 10, (3, 16, 16))


def make(seed: int = 0) -> nn.Module:
    """A ResNet-8 with statistics of its own in BatchNorm."""
    torch.manual_seed(seed)
    model = SMALL.build()
    model(torch.randn(4, 3, 16, 16))
    return model


def bits(model: nn.Module) -> dict[str, bytes]:
    return {
        name: tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        for name, tensor in model.state_dict().items()
    }


def test_every_bit_comes_back(tmp_path: Path) -> None:
    model = make()
    with torch.no_grad():  # what equality of numbers would not tell apart
        model.output.bias[:4] = torch.tensor([-0.0, torch.nan, torch.inf, 1e-42])
    model.to(memory_format=torch.channels_last)
    export.save(model, tmp_path / "sub" / "model.safetensors", SMALL)
    assert bits(export.load(tmp_path / "sub" / "model.safetensors")) == bits(model)
    other = make(1)
    assert export.load(tmp_path / "sub" / "model.safetensors", into=other) is other
    assert bits(other) == bits(model)
    assert [p.name for p in (tmp_path / "sub").iterdir()] == ["model.safetensors"]


@pytest.mark.parametrize(
    "architecture",
    [
        export.Architecture("mlp-12-7-3", 3, (1, 3, 4)),
        export.Architecture("lenet5", 10, (1, 28, 28)),
        export.Architecture("click_mlp", 2, (3,), (5, 9, 2)),
    ],
    ids=lambda a: a.net,
)
def test_other_networks(architecture: export.Architecture, tmp_path: Path) -> None:
    model = architecture.build()
    export.save(model, tmp_path / "m", architecture)
    assert bits(export.load(tmp_path / "m")) == bits(model)


def test_loading_draws_no_random_numbers(tmp_path: Path) -> None:
    export.save(make(), tmp_path / "m", SMALL)
    state = torch.get_rng_state()
    export.load(tmp_path / "m")
    assert torch.equal(state, torch.get_rng_state())


class Masked(nn.Module):
    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", mask)

    def forward(self, weight: Tensor) -> Tensor:
        return weight * self.mask


def test_a_masked_model_is_baked_into_a_plain_one(tmp_path: Path) -> None:
    model, plain = make(), make(1)
    conv = model.features.stage1.unit1.body.conv1.conv
    parametrize.register_parametrization(conv, "weight", Masked(torch.rand(8, 8, 3, 3) < 0.3))
    with pytest.raises(UsageError, match=r"finish\(\) the pruner"):
        export.save(model, tmp_path / "m", SMALL)
    finished = export.dense(model)
    weight = finished.features.stage1.unit1.body.conv1.conv.weight
    assert torch.equal(weight, conv.weight)
    assert not torch.signbit(weight[weight == 0]).any()
    assert isinstance(weight, nn.Parameter)
    assert parametrize.is_parametrized(conv)  # the model itself is left as it is
    export.save(finished, tmp_path / "m", SMALL)
    assert bits(export.load(tmp_path / "m", into=plain)) == bits(finished)
    example = torch.randn(2, 3, 16, 16)
    assert torch.equal(plain.eval()(example), model.eval()(example))


def test_a_block_sparse_model_comes_back(tmp_path: Path) -> None:
    model = make()
    with torch.no_grad():
        model.features.stage3.unit1.body.conv2.conv.weight[8:] = 0
    sparse = export.block_sparse(model, (8, 8))
    export.save(sparse, tmp_path / "m", SMALL)
    export.save(model, tmp_path / "dense", SMALL)
    again = export.load(tmp_path / "m").eval()
    assert bits(again) == bits(sparse)
    example = torch.randn(2, 3, 16, 16)
    assert torch.equal(again(example), sparse(example))
    assert (tmp_path / "m").stat().st_size < (tmp_path / "dense").stat().st_size


def test_fewer_channels_and_blocks_together(tmp_path: Path) -> None:
    model = make()
    conv1, conv2 = (getattr(model.features.stage3.unit1.body, name) for name in ("conv1", "conv2"))
    with torch.no_grad():
        conv2.conv.weight[:, :10] = 0
        conv2.conv.weight[9:] = 0
    model = export.remove_channels(model, torch.zeros(1, 3, 16, 16))
    sparse = export.block_sparse(model, (8, 8))
    export.save(sparse, tmp_path / "m", SMALL)
    again = export.load(tmp_path / "m").eval()
    assert bits(again) == bits(sparse)
    example = torch.randn(2, 3, 16, 16)
    assert torch.equal(again(example), sparse(example))
    assert conv1.conv.out_channels == 32  # the model itself keeps its channels


def test_a_finished_pruner_leaves_a_model_that_loads_into_a_plain_one(tmp_path: Path) -> None:
    model = make()
    pruner = Pruner(model, torch.optim.SGD(model.parameters()), sparsity=0.9, steps=1)
    generator = torch.Generator().manual_seed(0)
    masks = [torch.rand(m.shape, generator=generator) < 0.1 for m in pruner.masks().values()]
    pruner.set_masks(masks)
    pruner.finish()
    export.save(model, tmp_path / "m", SMALL)
    plain = export.load(tmp_path / "m", into=make(1))
    for weight, mask in zip(prunable_weights(plain), masks, strict=True):
        assert not weight.parameter[~mask].any()
    assert measures.sparsity(plain) == measures.sparsity(model) > 0.85


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (lambda: models.resnet(8, width=4), r"is \(8, 3, 3, 3\) of torch.float32 in the file and"),
        (lambda: models.resnet(20, width=8), "is not in the file"),
        (lambda: models.mlp((4, 3)), "is not in the file"),
        (lambda: make().double(), "in the file and .* of torch.float64 in the model"),
    ],
)
def test_another_architecture_is_refused_in_one_sentence(other, says: str, tmp_path: Path) -> None:
    export.save(make(), tmp_path / "m", SMALL)
    model = other()
    before = bits(model)
    with pytest.raises(UsageError, match=says) as error:
        export.load(tmp_path / "m", into=model)
    assert str(error.value).endswith(".")
    assert "\n" not in str(error.value)
    assert bits(model) == before


def test_a_file_without_an_architecture_needs_a_model(tmp_path: Path) -> None:
    export.save(make(), tmp_path / "m")
    with pytest.raises(UsageError, match="pass a model as into="):
        export.load(tmp_path / "m")
    assert bits(export.load(tmp_path / "m", into=make(1))) == bits(make())


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Path]:
    path = tmp_path_factory.mktemp("files") / "m"
    architecture = export.Architecture("mlp-6-5-2", 2, (1, 2, 3))
    export.save(architecture.build(), path, architecture)
    return path.read_bytes(), path.with_name("damaged")


@given(st.data())
def test_any_flipped_bit_is_noticed(content: tuple[bytes, Path], data: st.DataObject) -> None:
    whole, path = content
    place = data.draw(st.integers(0, len(whole) - 1))
    damaged = bytearray(whole)
    damaged[place] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(damaged)
    with pytest.raises(StorageError):
        export.load(path)


@given(st.data())
def test_a_shortened_file_is_noticed(content: tuple[bytes, Path], data: st.DataObject) -> None:
    whole, path = content
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(StorageError):
        export.load(path)


def test_a_file_of_somebody_else(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(2)}, tmp_path / "m")
    with pytest.raises(StorageError, match=r"not written by export\.save"):
        export.load(tmp_path / "m")
    (tmp_path / "text").write_text("not a model")
    with pytest.raises(StorageError, match="no safetensors file"):
        export.load(tmp_path / "text")


def test_files_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="There is no file"):
        export.load(tmp_path / "none")
    with pytest.raises(StorageError):
        export.load(tmp_path)
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StorageError, match="cannot be written"):
        export.save(make(), tmp_path / "file" / "m")


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export.save(make(), tmp_path / "m", SMALL)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageError, match="No space left"):
        export.save(make(1), tmp_path / "m", SMALL)
    assert bits(export.load(tmp_path / "m")) == bits(make())
    assert [p.name for p in tmp_path.iterdir()] == ["m"]
