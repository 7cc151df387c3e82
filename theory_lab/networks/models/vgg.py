"""VGG with BatchNorm and one linear layer, for small images. Source: arXiv:1409.1556."""

from __future__ import annotations

from collections import OrderedDict

from pytorchcv.models.common.conv import conv3x3_block
from torch import nn

from theory_lab.core import UsageError

UNITS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
"""Convolutions before each of the five poolings."""


def vgg(depth: int, *, classes: int = 10, width: int = 64, in_channels: int = 3) -> nn.Module:
    """VGG-11, 13, 16 or 19 for images (b, in_channels, H, W) with sides of at least 32.

    Stages of `width`, 2, 4, 8 and 8 times `width` channels; a mean over the last map and a linear
    layer take the place of the three large ones. UsageError for other depths.
    """
    if depth not in UNITS:
        known = ", ".join(str(d) for d in UNITS)
        raise UsageError(f"There is no VGG of depth {depth}; there are {known}.")
    features, channels = nn.Sequential(), in_channels
    for number, (units, factor) in enumerate(zip(UNITS[depth], (1, 2, 4, 8, 8), strict=True), 1):
        features.add_module(f"stage{number}", _stage(channels, width * factor, units))
        channels = width * factor
    return nn.Sequential(
        OrderedDict(
            features=features,
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            output=nn.Linear(channels, classes),
        )
    )


def _stage(in_channels: int, out_channels: int, units: int) -> nn.Sequential:
    stage = nn.Sequential()
    for number in range(1, units + 1):
        unit = conv3x3_block(in_channels=in_channels, out_channels=out_channels, bias=True)
        nn.init.kaiming_uniform_(unit.conv.weight)
        nn.init.zeros_(unit.conv.bias)
        stage.add_module(f"unit{number}", unit)
        in_channels = out_channels
    stage.add_module("pool", nn.MaxPool2d(2))
    return stage
