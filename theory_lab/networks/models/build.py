"""Networks by name, made to fit a data set."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from torch import nn

from theory_lab.core import UsageError
from theory_lab.networks.datasets import Dataset
from theory_lab.networks.models.click import click_mlp
from theory_lab.networks.models.resnet import resnet, wide_resnet
from theory_lab.networks.models.small import lenet5, lenet_300_100, mlp
from theory_lab.networks.models.vgg import vgg

SMALL = 64
"""Images up to this side need no stem that shrinks them."""
HIDDEN = (256, 256)
"""The hidden layers of the network `mlp`."""
NETS = (
    "mlp", "mlp-64-256-256-10", "lenet_300_100", "lenet5", "vgg16", "vgg19", "resnet8", "resnet8w8",
    "resnet20", "resnet32", "resnet56", "resnet18", "resnet50", "wrn28_10", "click_mlp",
)  # fmt: skip
"""Names that `build` takes; the numbers in them are depth, width (w) and factor, or all widths."""


def build(net: str, data: Dataset) -> nn.Module:
    """The network of this name, with the inputs and classes of `data`.

    Weights are drawn from torch's global generator. UsageError for a name we do not have, with
    those we have, and for a network that cannot take such data.
    """
    for pattern, make in _MAKERS.items():
        if found := re.fullmatch(pattern, net):
            if data.is_table != (net == "click_mlp"):
                takes = "the net click_mlp" if data.is_table else "any net but click_mlp"
                raise UsageError(f"The net {net} cannot take {data.name}; take {takes}.")
            return make(data, *(int(n) for n in re.findall(r"\d+", "-".join(found.groups("")))))
    raise UsageError(f"There is no net {net!r}; there are {', '.join(NETS)}.")


def _resnet(data: Dataset, depth: int, width: int | None = None) -> nn.Module:
    channels, side = data.input_shape[:2]
    return resnet(
        depth,
        classes=data.classes,
        width=width,
        in_channels=channels,
        small_images=side <= SMALL,
    )


def _wide_resnet(data: Dataset, depth: int, factor: int) -> nn.Module:
    return wide_resnet(depth, factor, classes=data.classes, in_channels=data.input_shape[0])


def _vgg(data: Dataset, depth: int) -> nn.Module:
    channels, side = data.input_shape[:2]
    if side < 32:
        raise UsageError(
            f"VGG pools five times; {data.name} with {side} pixels a side is too small."
        )
    return vgg(depth, classes=data.classes, in_channels=channels)


def _mlp(data: Dataset, *widths: int) -> nn.Module:
    ends = (math.prod(data.input_shape), data.classes)
    if not widths:
        return mlp((ends[0], *HIDDEN, ends[1]))
    if (widths[0], widths[-1]) != ends:
        raise UsageError(
            f"An MLP for {data.name} leads from {ends[0]} inputs to {ends[1]} classes, not from"
            f" {widths[0]} to {widths[-1]}."
        )
    return mlp(widths)


def _lenet_300_100(data: Dataset) -> nn.Module:
    return lenet_300_100(features=math.prod(data.input_shape), classes=data.classes)


def _lenet5(data: Dataset) -> nn.Module:
    channels, side = data.input_shape[:2]
    return lenet5(classes=data.classes, in_channels=channels, side=side)


def _click_mlp(data: Dataset) -> nn.Module:
    return click_mlp(data.vocabularies, classes=data.classes)


_MAKERS: dict[str, Callable[..., nn.Module]] = {
    r"resnet(\d+)": _resnet,
    r"resnet(\d+)w(\d+)": _resnet,
    r"wrn(\d+)_(\d+)": _wide_resnet,
    r"vgg(\d+)": _vgg,
    r"mlp((?:-\d+)*)": _mlp,
    r"lenet_300_100": _lenet_300_100,
    r"lenet5": _lenet5,
    r"click_mlp": _click_mlp,
}
