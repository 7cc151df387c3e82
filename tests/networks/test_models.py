"""Models: published sizes, inputs and classes of the data, names."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from theory_lab.core import UsageError
from theory_lab.networks import models
from theory_lab.networks.datasets import Dataset

PARAMETERS = {
    "resnet20": (lambda: models.resnet(20), 272_474),
    "resnet32": (lambda: models.resnet(32), 466_906),
    "resnet56": (lambda: models.resnet(56), 855_770),
    "resnet8, width 4": (lambda: models.resnet(8, width=4), 5_214),
    "resnet18, small images": (lambda: models.resnet(18), 11_173_962),
    "resnet50, small images": (lambda: models.resnet(50), 23_520_842),
    "resnet50, ImageNet": (
        lambda: models.resnet(50, classes=1000, small_images=False), 25_557_032,
    ),
    "vgg19": (lambda: models.vgg(19), 20_040_522),
    "wrn28_10": (lambda: models.wide_resnet(28, 10), 36_479_194),
    "wrn28_2": (lambda: models.wide_resnet(28, 2), 1_467_610),
    "lenet_300_100": (models.lenet_300_100, 266_610),
    "lenet5": (models.lenet5, 61_706),
    "click_mlp, Criteo": (
        lambda: models.click_mlp([1] * 39, classes=1),
        39 * 10 + 390 * 400 + 400 + 2 * (400 * 400 + 400) + 401,
    ),
}  # fmt: skip
"""Published, or counted by hand."""


def images(side: int, channels: int, classes: int = 10) -> Dataset:
    pixels, labels = torch.zeros(2, side, side, channels, dtype=torch.uint8), torch.zeros(2).long()
    ones = (1.0,) * channels
    return Dataset("toy", "toy", classes, pixels, labels, pixels, labels, ones, ones)


TABLE = Dataset(
    "rows", "rows", 2, *(torch.zeros(2, n).long().squeeze(1) for n in (3, 1) * 2),
    vocabularies=(4, 2, 5),
)  # fmt: skip


@pytest.mark.parametrize("name", PARAMETERS)
def test_sizes(name: str) -> None:
    make, count = PARAMETERS[name]
    with torch.device("meta"):
        assert sum(parameter.numel() for parameter in make().parameters()) == count


@pytest.mark.parametrize("side", [8, 32])
@pytest.mark.parametrize("net", ["resnet8w4", "resnet20", "wrn10_1", "mlp"])
def test_any_side_channels_and_classes(net: str, side: int) -> None:
    data = images(side, channels=2, classes=7)
    assert models.build(net, data).eval()(data.example()).shape == (1, 7)


@pytest.mark.parametrize(
    ("net", "side", "channels"),
    [("lenet5", 28, 1), ("lenet5", 32, 3), ("lenet_300_100", 28, 1), ("vgg16", 32, 3)],
)
def test_networks_of_the_literature(net: str, side: int, channels: int) -> None:
    data = images(side, channels)
    assert models.build(net, data).eval()(data.example()).shape == (1, 10)


@pytest.mark.parametrize(("side", "stem", "kernel"), [(64, "conv", 3), (224, "conv.conv", 7)])
def test_large_images_get_the_stem_that_shrinks(side: int, stem: str, kernel: int) -> None:
    model = models.build("resnet18w4", images(side, 3))
    assert model.get_submodule(f"features.init_block.{stem}").kernel_size == (kernel, kernel)


def test_bottlenecks_stride_in_their_3x3_convolution() -> None:
    body = models.resnet(50, width=4).get_submodule("features.stage2.unit1.body")
    strides = [m.stride for m in body.modules() if isinstance(m, nn.Conv2d)]
    assert strides == [(1, 1), (2, 2), (1, 1)]


def test_widths_in_names() -> None:
    data = images(8, 1)
    narrow = models.build("resnet8w8", data)
    assert narrow.get_submodule("output").in_features == 32
    layers = [m for m in models.build("mlp-64-30-20-10", data) if isinstance(m, nn.Linear)]
    assert [layer.out_features for layer in layers] == [30, 20, 10]


def test_click_network_embeds_each_column_by_itself() -> None:
    model = models.build("click_mlp", TABLE)
    embeddings = model.get_submodule("embeddings")
    rows = torch.tensor([[3, 0, 4], [0, 1, 0]])
    found = embeddings(rows)
    table = embeddings.get_submodule("table").weight
    assert found.shape == (2, 30)
    # columns own 4, 2 and 5 rows of the table
    assert torch.equal(found[0], torch.cat([table[3], table[4], table[10]]))
    assert torch.equal(found[1], torch.cat([table[0], table[5], table[6]]))
    assert model(rows).shape == (2, 2)
    assert model.get_submodule("mlp.fc1").weight.shape == (400, 30)


def test_every_listed_name_is_a_network() -> None:
    fits = {"click_mlp": TABLE, "mlp-64-256-256-10": images(8, 1)}
    with torch.device("meta"):
        for net in models.NETS:
            assert isinstance(models.build(net, fits.get(net, images(32, 3))), nn.Module)


@pytest.mark.parametrize(
    ("net", "data", "message"),
    [
        ("resnet21", images(32, 3), "no ResNet of depth 21; there are 8, 18, 20"),
        ("resnet8w0", images(32, 3), "width of a ResNet is 0, but must be at least 1"),
        ("vgg17", images(32, 3), "no VGG of depth 17; there are 11, 13"),
        ("wrn27_2", images(32, 3), "6n [+] 4"),
        ("resnext50", images(32, 3), "no net 'resnext50'; there are mlp, .*click_mlp"),
        ("resnet20", TABLE, "take the net click_mlp"),
        ("click_mlp", images(8, 1), "any net but click_mlp"),
        ("mlp-60-10", images(8, 1), "leads from 64 inputs to 10 classes, not from 60 to 10"),
        ("vgg16", images(8, 1), "pools five times"),
        ("lenet5", images(8, 1), "from 16 pixels on, not 8"),
    ],
)
def test_errors_say_what_would_be_right(net: str, data: Dataset, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        models.build(net, data)


def test_weights_follow_the_global_seed() -> None:
    data, weights = images(8, 1), []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        weights.append(models.build("resnet8w4", data).get_parameter("output.weight"))
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_narrow_networks_do_not_meet_the_unsafe_convolution() -> None:
    """The format is torch's to choose only where its strided 1 x 1 convolutions are safe."""
    formats = []
    model = models.resnet(8, width=4, in_channels=1)
    strided = [m for m in model.modules() if isinstance(m, nn.Conv2d) and m.stride != (1, 1)]
    for layer in strided:
        layer.register_forward_hook(lambda _, inputs, __: formats.append(inputs[0].is_contiguous()))
    images = torch.randn(8, 1, 8, 8).to(memory_format=torch.channels_last)
    model(images.expand(8, 1, 8, 8)).sum().backward()
    assert formats
    assert all(formats)
