"""The paths of a model against ones sent through it, and the channels inside its blocks."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from theory_lab.core import UsageError
from theory_lab.networks import graph, models
from theory_lab.networks.prunable import prunable_weights
from theory_lab.numerics.paths import Edge, Graph, effective_masks

MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "mlp": (lambda: models.mlp((64, 24, 16, 10)), (1, 8, 8)),
    "lenet5": (models.lenet5, (1, 28, 28)),
    "resnet8": (lambda: models.resnet(8, width=4), (3, 8, 8)),
    "resnet20": (lambda: models.resnet(20, width=6), (3, 32, 32)),
    "resnet18": (lambda: models.resnet(18, width=4), (3, 16, 16)),
    "resnet18, ImageNet": (lambda: models.resnet(18, width=4, small_images=False), (3, 64, 64)),
    "resnet50": (lambda: models.resnet(50, width=4), (3, 16, 16)),
    "vgg16": (lambda: models.vgg(16, width=4), (3, 32, 32)),
    "wrn10_1": (lambda: models.wide_resnet(10, 1), (3, 8, 8)),
}
POOLS = (nn.MaxPool2d, nn.AvgPool2d)


def masks_of(model: nn.Module, density: float) -> dict[str, Tensor]:
    drawn = torch.Generator().manual_seed(1)
    return {
        weight.name: torch.rand(weight.parameter.shape, generator=drawn) < density
        for weight in prunable_weights(model)
    }


def active_by_ones(model: nn.Module, masks: dict[str, Tensor], shape: tuple[int, ...]) -> dict:
    """Which weights carry part of the output when ones run through positive weights.

    Weights are the mask, scaled so that no sum overflows; biases 0; BatchNorm an identity; pools
    are means. With circular padding a constant image stays constant: pixels are alike, as in paths.
    """
    ones = copy.deepcopy(model).double().eval()
    for name, module in list(ones.named_modules()):
        parent, _, child = name.rpartition(".")
        if isinstance(module, nn.BatchNorm2d):
            setattr(ones.get_submodule(parent), child, nn.Identity())
        elif isinstance(module, POOLS):
            setattr(ones.get_submodule(parent), child, nn.AvgPool2d(2))
        elif isinstance(module, nn.Conv2d):
            module.padding_mode = "circular"
    for parameter in ones.parameters():
        parameter.data.zero_()
    weights = dict(ones.named_parameters())
    for name, mask in masks.items():
        weights[name].data.copy_(mask / max(1, mask[0].numel()) ** 0.5)
    chosen = [weights[name] for name in masks]
    output = ones(torch.ones(1, *shape, dtype=torch.float64)).sum()
    gradients = torch.autograd.grad(output, chosen)
    return {
        name: (gradient * weight != 0).numpy()
        for name, gradient, weight in zip(masks, gradients, chosen, strict=True)
    }


@pytest.mark.parametrize("density", [1.0, 0.2, 0.05])
@pytest.mark.parametrize("name", MODELS)
def test_active_weights_are_those_that_carry_ones(name: str, density: float) -> None:
    make, shape = MODELS[name]
    model = make()
    found = graph.of(model, torch.zeros(2, *shape))
    masks = masks_of(model, density)
    expected = active_by_ones(model, masks, shape)
    assert sorted(found.names) == sorted(masks)
    active = effective_masks(found.graph, [masks[n].numpy() for n in found.names])
    for edge, mask in zip(found.names, active, strict=True):
        np.testing.assert_array_equal(mask, expected[edge], err_msg=edge)
    if density == 0.05:  # a density at which something is cut off, else the test shows nothing
        assert sum(int(m.sum()) for m in active) < sum(int(m.sum()) for m in masks.values())


def test_an_mlp_is_a_chain() -> None:
    found = graph.of(models.mlp((64, 24, 16, 10)), torch.zeros(1, 1, 8, 8))
    assert found.graph == Graph.chain((64, 24, 16, 10))
    assert found.names == ("fc1.weight", "fc2.weight", "fc3.weight")


def test_the_click_network_begins_with_its_embedded_columns() -> None:
    model = models.click_mlp((4, 2, 5), hidden=(8, 6))
    found = graph.of(model, torch.zeros(1, 3, dtype=torch.int64))
    assert found.graph == Graph.chain((30, 8, 6, 2))


def test_flattened_pixels_belong_to_their_channel() -> None:
    found = graph.of(models.lenet5(), torch.zeros(1, 1, 28, 28))
    assert found.graph.edges[2] == Edge(2, 3, area=25)
    assert found.graph.units == (1, 6, 16, 120, 84, 10)


@pytest.mark.parametrize("name", MODELS)
def test_masks_have_the_shapes_of_the_parameters(name: str) -> None:
    make, shape = MODELS[name]
    model = make()
    found = graph.of(model, torch.zeros(1, *shape))
    assert found.graph.shapes == [tuple(model.get_parameter(n).shape) for n in found.names]


def test_the_model_is_left_as_it_was() -> None:
    model = models.resnet(8, width=4).train()
    model.get_submodule("features.stage2").eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    graph.of(model, torch.randn(4, 3, 8, 8))
    assert modes == [module.training for module in model.modules()]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


class Half(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return weight / 2


def test_a_parametrised_layer_keeps_its_name() -> None:
    model, shape = models.resnet(8, width=4), (1, 3, 8, 8)
    plain = graph.of(model, torch.zeros(shape))
    for weight in prunable_weights(model):
        parametrize.register_parametrization(weight.layer, "weight", Half())
    assert graph.of(model, torch.zeros(shape)) == plain
    assert len(graph.inner_channels(model)) == 3


@pytest.mark.parametrize(
    ("make", "count"),
    [
        (lambda: models.resnet(8), 3),
        (lambda: models.resnet(20), 9),
        (lambda: models.resnet(18, width=8), 8),
        (lambda: models.resnet(50, width=8), 32),  # two in each of 16 bottlenecks
        (lambda: models.vgg(16, width=8), 12),  # all but the last, which feeds the linear layer
        (lambda: models.wide_resnet(16, 1), 6),
        (lambda: models.mlp((64, 8, 10)), 0),
    ],
)
def test_removing_an_inner_channel_touches_three_modules(
    make: Callable[[], nn.Module], count: int
) -> None:
    """In evaluation mode: filter, scale and shift of a channel zeroed changes no output once the
    next convolution does not read it."""
    model = make().eval()
    found = graph.inner_channels(model)
    assert len(found) == count
    image = torch.randn(1, 3, 32, 32) if count else None
    for conv, norm, following in found[:: max(1, count // 3)]:
        cut = copy.deepcopy(model)
        with torch.no_grad():
            cut.get_submodule(following).weight[:, 1] = 0
            before = cut(image)
            cut.get_submodule(conv).weight[1] = 7
            cut.get_submodule(norm).weight[1] = 5
            cut.get_submodule(norm).bias[1] = 3
            assert torch.equal(cut(image), before)
            cut.get_submodule(norm).bias[0] += 3  # a channel that is read: the check can fail
            assert not torch.equal(cut(image), before)


def test_the_stream_is_not_inside() -> None:
    convs = {found.conv for found in graph.inner_channels(models.resnet(20))}
    assert convs == {
        f"features.stage{s}.unit{u}.body.conv1.conv" for s in (1, 2, 3) for u in (1, 2, 3)
    }


class Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x) if x.sum() > 0 else x


class Gated(Branching):
    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x) * x


class Shared(Branching):
    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.fc(x))


class Broadcast(Branching):
    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x) + self.one(x)


class Constant(Branching):
    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x) + self.fc.bias.relu()


class Unread(Branching):
    def forward(self, x: Tensor) -> Tensor:
        self.fc(x)
        return x


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Branching(), "Branching cannot be traced"),
        (Gated(), "mul mixes channels"),
        (Shared(), "^The layer fc mixes .* used once"),
        (Broadcast(), "add mixes channels"),
        (Constant(), "relu mixes channels"),
        (Unread(), "last layer computes"),
        (nn.Sequential(nn.Conv2d(4, 4, 1, groups=2)), "ungrouped"),
    ],
)
def test_what_paths_do_not_know_is_an_error(model: nn.Module, message: str) -> None:
    example = torch.zeros(1, 4, 2, 2) if isinstance(model, nn.Sequential) else torch.zeros(1, 4)
    with pytest.raises(UsageError, match=message) as caught:
        graph.of(model, example)
    assert "\n" not in str(caught.value)


def test_channels_of_a_layer_called_twice_stay() -> None:
    layer = nn.Linear(6, 6)
    model = nn.Sequential(layer, nn.ReLU(), layer, nn.ReLU(), nn.Linear(6, 5), nn.Linear(5, 2))
    assert [found.conv for found in graph.removable_channels(model)] == ["4"]
    conv, norm = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)
    model = nn.Sequential(conv, norm, nn.ReLU(), conv, norm, nn.ReLU(), nn.Conv2d(4, 2, 1))
    assert graph.inner_channels(model) == []
