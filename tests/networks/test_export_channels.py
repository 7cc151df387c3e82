"""Dead channels are removed, the outputs stay."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.tolerances import rtol
from theory_lab.networks import export, graph, measures, models
from theory_lab.networks.pruners import ChannelGroupLasso

MODELS: dict[str, Callable[[], nn.Module]] = {
    "resnet8": lambda: models.resnet(8, width=8),
    "resnet20": lambda: models.resnet(20, width=4),
    "resnet18": lambda: models.resnet(18, width=8),
    "resnet50": lambda: models.resnet(50, width=4),
    "wide": lambda: models.wide_resnet(10, 1),
    "vgg16": lambda: models.vgg(16, width=8),
}
EXAMPLE = torch.zeros(1, 3, 32, 32)


def trained(make: Callable[[], nn.Module]) -> nn.Module:
    """A model with random statistics, scales and shifts in BatchNorm, in float64."""
    torch.manual_seed(0)
    model = make().double()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight.data, module.running_var):
                tensor.uniform_(0.5, 2)
            for tensor in (module.bias.data, module.running_mean):
                tensor.normal_()
        elif isinstance(module, nn.Conv2d) and module.bias is not None:
            module.bias.data.normal_()
    return model


@torch.no_grad()
def silence(model: nn.Module, inner: graph.InnerChannels, channels: list[int]) -> None:
    """What pruning a channel zeroes: filter, bias, gamma, beta, and the next layer's column."""
    conv, norm, following = (model.get_submodule(name) for name in inner)
    for tensor in (conv.weight, conv.bias, norm.weight, norm.bias):
        if tensor is not None:
            tensor[channels] = 0
    following.weight[:, channels] = 0


def silence_random(model: nn.Module, share: float) -> dict[graph.InnerChannels, list[int]]:
    """Silence about a share of the inner channels; all of the first layer's in a residual network.

    (In a plain one that would silence all that comes after.)
    """
    is_residual = not isinstance(model, nn.Sequential)
    generator, silent = torch.Generator().manual_seed(1), {}
    for number, inner in enumerate(graph.inner_channels(model)):
        width = model.get_submodule(inner.conv).out_channels
        chosen = (torch.rand(width, generator=generator) < share).nonzero().flatten().tolist()
        silent[inner] = list(range(width)) if is_residual and number == 0 else chosen
        silence(model, inner, silent[inner])
    return silent


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_outputs_are_those_of_the_silenced_network(name: str, training: bool) -> None:
    model = trained(MODELS[name])
    silent = silence_random(model, 0.4)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    smaller = export.remove_channels(model, EXAMPLE.double())
    for inner, channels in silent.items():
        left = max(1, model.get_submodule(inner.conv).out_channels - len(channels))
        assert smaller.get_submodule(inner.conv).out_channels == left
        assert smaller.get_submodule(inner.conv).weight.shape[0] == left
        assert smaller.get_submodule(inner.following).weight.shape[1] == left
    assert all(torch.equal(before[name], now) for name, now in model.state_dict().items())
    assert not any(m._forward_hooks or m._backward_hooks for m in smaller.modules())
    assert smaller.training
    x = torch.randn(4, 3, 32, 32, dtype=torch.float64)
    with torch.no_grad():
        wanted, found = model.train(training)(x), smaller.train(training)(x)
    # sums of fewer terms in another order, through up to 50 layers
    torch.testing.assert_close(found, wanted, rtol=0, atol=100 * rtol() * float(wanted.abs().max()))
    assert measures.total_operations(smaller, x).dense < measures.total_operations(model, x).dense


def test_a_filter_of_zeros_alone_is_not_removed() -> None:
    """BatchNorm's shift reaches the next layer: removing the channel would change the outputs."""
    model = trained(MODELS["resnet8"])
    inner = graph.inner_channels(model)[0]
    conv, norm, following = (model.get_submodule(name) for name in inner)
    norm.bias.data[:3], norm.running_mean[:3], norm.running_var[:3] = 0.5, 0, 1
    with torch.no_grad():
        conv.weight[:3] = 0
    assert export.dead_channels(model) == {}
    norm.bias.data[0] = -0.5  # ReLU stops the shift, in training and in evaluation
    norm.bias.data[1], norm.running_mean[1] = -0.5, -9  # in training only
    norm.running_mean[2] = 9  # in evaluation only
    assert export.dead_channels(model) == {inner: [0]}
    norm.weight.data[4], norm.bias.data[4] = 0, -1  # no scale: a shift below 0
    norm.weight.data[5], norm.bias.data[5] = 0, 1  # a shift above 0
    with torch.no_grad():
        following.weight[:, 6] = 0  # nobody listens
    assert export.dead_channels(model) == {inner: [0, 4, 6]}


@pytest.mark.parametrize(
    ("model", "example", "widths"),
    [
        (models.mlp((12, 16, 8, 3)), torch.zeros(1, 12), [9, 5, 3]),
        (models.lenet5(), torch.zeros(1, 1, 28, 28), [5, 9, 68, 48, 10]),
    ],
)
def test_channels_leave_a_network_without_batch_norm(
    model: nn.Module, example: Tensor, widths: list[int]
) -> None:
    torch.manual_seed(1)
    layers = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    pruner = ChannelGroupLasso(
        model, torch.optim.SGD(model.parameters(), lr=0.1), strength=1.0, beta=0.01, steps=1
    )
    pruner.prune([torch.arange(c.count) < w for c, w in zip(pruner.channels, widths, strict=False)])
    with torch.no_grad():
        layers[1].weight[:, 0] = 1.0  # read, but of a filter and a bias of zeros
        layers[0].weight[0], layers[0].bias[0] = 0.0, 0.0
    smaller = export.remove_channels(model, example)
    left = [m for m in smaller.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert [layer.weight.shape[0] for layer in left] == [widths[0] - 1, *widths[1:]]
    x = torch.randn(4, *example.shape[1:])
    with torch.no_grad():
        torch.testing.assert_close(smaller(x), model.eval()(x))


def test_a_dense_network_keeps_every_channel() -> None:
    model = trained(MODELS["resnet20"])
    smaller = export.remove_channels(model, EXAMPLE.double())
    assert {n: t.shape for n, t in smaller.state_dict().items()} == {
        n: t.shape for n, t in model.state_dict().items()
    }


def test_a_smaller_network_trains() -> None:
    model = trained(MODELS["resnet8"]).float()
    silence_random(model, 0.5)
    smaller = export.remove_channels(model, EXAMPLE)
    optimizer = torch.optim.SGD(smaller.parameters(), lr=0.1)
    x, labels = torch.randn(8, 3, 16, 16), torch.arange(8)
    losses = []
    for _ in range(8):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(smaller.train()(x), labels)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize("net", ["resnet8w8", "resnet18", "vgg16"])
def test_a_smaller_network_comes_back_from_its_file(net: str, tmp_path: Path) -> None:
    architecture = export.Architecture(net, 10, (3, 32, 32))
    model = trained(architecture.build).float()
    silence_random(model, 0.5)
    smaller = export.remove_channels(model, EXAMPLE).eval()
    export.save(smaller, tmp_path / "m", architecture)
    again = export.load(tmp_path / "m").eval()
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(again(x), smaller(x))
    widths = {n: repr(m) for n, m in smaller.named_modules() if not list(m.children())}
    assert widths == {n: repr(m) for n, m in again.named_modules() if not list(m.children())}


@pytest.mark.parametrize("options", [{"affine": False}, {"track_running_stats": False}])
def test_batch_norm_without_parameters_or_statistics(options: dict[str, bool]) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6, **options), nn.ReLU(), nn.Conv2d(6, 4, 3)
    )  # fmt: skip
    with torch.no_grad():
        model[3].weight[:, 2] = 0  # ignored
        model[0].weight[4], model[0].bias[4] = 0, 1  # constant
    images = torch.randn(2, 3, 8, 8)
    model.train()(images)
    model.eval()
    smaller = export.remove_channels(model, images)
    # A constant of its batch becomes beta = 0; by running statistics of less it stays above 0.
    assert smaller[0].out_channels == (5 if "affine" in options else 4)
    assert torch.allclose(smaller(images), model(images), rtol=0, atol=1e-6)


@pytest.mark.parametrize("groups", [2, 6])
def test_channels_of_a_grouped_convolution_stay(groups: int) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(6, 6, 1, groups=groups), nn.ReLU(), nn.Conv2d(6, 4, 1)).eval()
    with torch.no_grad():
        model[2].weight[:, 2] = 0
    images = torch.randn(2, 6, 4, 4)
    assert torch.equal(export.remove_channels(model, images)(images), model(images))
