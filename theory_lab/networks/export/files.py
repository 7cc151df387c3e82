"""Models as safetensors files, with their architecture and a checksum."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from theory_lab.core import StorageError, UsageError
from theory_lab.networks.datasets import Dataset
from theory_lab.networks.export.block_sparse import BlockSparse, replace
from theory_lab.networks.models import build
from theory_lab.networks.whole_files import write_whole


@dataclass(frozen=True)
class Architecture:
    """How to make the plain model: the net's name in `models.build`, and what fits it to its data.

    `input_shape`: (C, H, W) of images; `vocabularies`: the ids of each column of a table.
    """

    net: str
    classes: int
    input_shape: tuple[int, ...]
    vocabularies: tuple[int, ...] = ()

    @classmethod
    def of(cls, net: str, data: Dataset) -> Architecture:
        """That of `models.build(net, data)`."""
        return cls(net, data.classes, data.input_shape, data.vocabularies)

    @classmethod
    def parse(cls, text: str) -> Architecture | None:
        """From the JSON of its fields; null is None."""
        fields = json.loads(text)
        lists = ("input_shape", "vocabularies")
        return fields and cls(**(fields | {name: tuple(fields[name]) for name in lists}))

    def build(self) -> nn.Module:
        """A fresh model; torch's global generator is left as it is."""
        if self.vocabularies:
            inputs = torch.empty(0, len(self.vocabularies), dtype=torch.int64)
        else:
            channels, height, width = self.input_shape
            inputs = torch.empty(0, height, width, channels, dtype=torch.uint8)
        labels = torch.empty(0, dtype=torch.int64)
        data = Dataset(
            "the file", "", self.classes, inputs, labels, inputs, labels,
            vocabularies=self.vocabularies,
        )  # fmt: skip
        with torch.random.fork_rng(devices=[]):
            return build(self.net, data)


def save(model: nn.Module, path: str | Path, architecture: Architecture | None = None) -> None:
    """Write all parameters and buffers, bit by bit; the file appears whole or not at all.

    With an architecture `load(path)` makes the model itself, also one whose channels were removed
    or whose weights are stored in blocks.
    """
    from safetensors.torch import save as serialize

    if architecture is not None and not isinstance(architecture, Architecture):
        raise UsageError(
            f"architecture is {architecture!r}, but it must be an Architecture, for example"
            " Architecture.of('resnet20', data)."
        )
    if any(parametrize.is_parametrized(module) for module in model.modules()):
        raise UsageError(
            "The model holds masks or other parametrisations; finish() the pruner or take"
            " export.dense(model) before saving."
        )
    tensors = {n: t.detach().cpu().contiguous() for n, t in model.state_dict().items()}
    text = json.dumps(asdict(architecture) if architecture else None)
    metadata = {"architecture": text, "sha256": _digest(tensors, text)}
    write_whole(Path(path), serialize(tensors, metadata))


def load(path: str | Path, into: nn.Module | None = None) -> nn.Module:
    """The model of a file: a new one of its architecture, or `into`, changed in place.

    StorageError where the file is missing or damaged; UsageError where it holds another
    architecture than `into`, or does not say which and has nothing to go into.
    """
    tensors, architecture = _read(Path(path))
    if into is None:
        if architecture is None:
            raise UsageError(f"{path} does not name its architecture; pass a model as into=.")
        into = _shaped(architecture.build(), tensors)
    if mismatch := _mismatch(into.state_dict(), tensors):
        raise UsageError(f"{path} holds another architecture than the model: {mismatch}.")
    into.load_state_dict(tensors)
    return into


def _mismatch(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> str:
    """The first difference in names, shapes or types; empty where there is none."""
    for name in [*expected, *found]:
        if name not in found:
            return f"{name} is not in the file"
        if name not in expected:
            return f"{name} is not in the model"
        has, wants = found[name], expected[name]
        if has.shape != wants.shape or has.dtype != wants.dtype:
            return (
                f"{name} is {tuple(has.shape)} of {has.dtype} in the file and"
                f" {tuple(wants.shape)} of {wants.dtype} in the model"
            )
    return ""


def _shaped(model: nn.Module, tensors: Mapping[str, Tensor]) -> nn.Module:
    """The model with the layers of the file: fewer channels, or blocks."""
    for name, layer in list(model.named_modules()):
        if f"{name}.weight" in tensors:
            own = {own: t for n, t in tensors.items() if (own := n.removeprefix(f"{name}.")) != n}
            _narrow(layer, own)
        elif isinstance(layer, (nn.Linear, nn.Conv2d)) and f"{name}.values" in tensors:
            count, rows, columns = tensors[f"{name}.values"].shape
            shape = tensors[f"{name}.shape"].tolist()
            _narrow(layer, {"weight": torch.empty(shape), "bias": torch.empty(shape[0])})
            replace(model, name, BlockSparse(layer, (rows, columns), count))
    return model


def _narrow(layer: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Give a layer the shapes of the file, in its tensors and in what it says of itself."""
    state = layer.state_dict(keep_vars=True)
    for name in tensors.keys() & state.keys():
        if state[name].shape != tensors[name].shape:
            state[name].data = tensors[name].clone()
    shape = state["weight"].shape
    if isinstance(layer, nn.Conv2d):
        layer.out_channels, layer.in_channels = shape[0], shape[1] * layer.groups
    elif isinstance(layer, nn.Linear):
        layer.out_features, layer.in_features = shape
    elif isinstance(layer, nn.BatchNorm2d):
        layer.num_features = shape[0]


def _digest(tensors: Mapping[str, Tensor], architecture: str) -> str:
    """A SHA-256 over names, types, shapes and bytes, and the architecture's text."""
    found = hashlib.sha256(architecture.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        found.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def _read(path: Path) -> tuple[dict[str, Tensor], Architecture | None]:
    """The tensors and the architecture of a file whose checksum is right."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise StorageError(f"There is no file {path}; save a model there first.") from None
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (SafetensorError, ValueError, TypeError) as error:
        raise StorageError(f"{path} is no safetensors file, or a damaged one: {error}.") from error
    if not {"architecture", "sha256"} <= metadata.keys():
        raise StorageError(f"{path} was not written by export.save; load it with safetensors.")
    text = metadata["architecture"]
    if metadata["sha256"] != _digest(tensors, text):
        raise StorageError(f"{path} is damaged: its checksum is wrong; save the model again.")
    return tensors, Architecture.parse(text)
