"""Residual networks: for small images of depth 6n + 2, the ImageNet kind, and wide ones.

The units are pytorchcv's. Sources: arXiv:1512.03385 (residual), arXiv:1605.07146 (wide).
"""

from __future__ import annotations

import torch
from pytorchcv.models.common.conv import conv3x3_block
from pytorchcv.models.resnet import ResNet
from pytorchcv.models.resnet_cifar import CIFARResNet
from pytorchcv.models.wrn_cifar import CIFARWRN
from torch import Tensor, nn

from theory_lab.core import UsageError

CIFAR_DEPTHS = (8, 20, 32, 44, 56, 110)
UNITS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}
"""Units in the four stages of the ImageNet kind; those of depth 50 are bottlenecks."""

SAFE_CHANNELS = 8
"""On the CPU, torch 2.13's gradient of a strided 1 x 1 convolution of 2 to 6 channels in the format
channels_last writes beyond its memory; such narrow networks (for tests) take the other format."""


def resnet(
    depth: int,
    *,
    classes: int = 10,
    width: int | None = None,
    in_channels: int = 3,
    small_images: bool = True,
) -> nn.Module:
    """A ResNet for images (b, in_channels, H, W) of any size from 8 x 8 on.

    Depths 8, 20, 32, 44, 56, 110: three stages of `width` (16), twice and four times as many
    channels. Depths 18, 34, 50: four stages that begin with `width` (64) channels, four times as
    many after the bottlenecks of depth 50, which stride in their 3 x 3 convolution; with
    `small_images` they begin with a 3 x 3 convolution and no pooling. UsageError for other depths.
    """
    if width is not None and width < 1:
        raise UsageError(f"The width of a ResNet is {width}, but must be at least 1.")
    if depth in CIFAR_DEPTHS:
        base, units = width or 16, (depth - 2) // 6
        channels = [[base * 2**stage] * units for stage in range(3)]
        model = CIFARResNet(
            channels, base, bottleneck=False, in_channels=in_channels, num_classes=classes
        )
        if base < SAFE_CHANNELS:
            model.register_forward_pre_hook(_channels_first_on_cpu)
        return _pooling_any_size(model)
    if depth in UNITS:
        return _imagenet_kind(depth, classes, width or 64, in_channels, small_images)
    known = ", ".join(str(d) for d in sorted((*CIFAR_DEPTHS, *UNITS)))
    raise UsageError(f"There is no ResNet of depth {depth}; there are {known}.")


def wide_resnet(depth: int, factor: int, *, classes: int = 10, in_channels: int = 3) -> nn.Module:
    """A wide ResNet with activations before its convolutions, WRN-depth-factor: three stages of
    16, 32 and 64 times `factor` channels. UsageError unless depth is 6n + 4."""
    if depth < 10 or depth % 6 != 4 or factor < 1:
        raise UsageError(
            f"There is no WRN-{depth}-{factor}; the depth is 6n + 4, such as 28, and the factor at"
            " least 1."
        )
    channels = [[16 * factor * 2**stage] * ((depth - 4) // 6) for stage in range(3)]
    return _pooling_any_size(CIFARWRN(channels, 16, in_channels, num_classes=classes))


def _channels_first_on_cpu(model: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    # One channel has the strides of both formats, and `contiguous` would leave it as it is.
    plain = torch.contiguous_format
    return tuple(x.clone(memory_format=plain) if x.device.type == "cpu" else x for x in inputs)


def _imagenet_kind(
    depth: int, classes: int, width: int, in_channels: int, small_images: bool
) -> nn.Module:
    bottleneck = depth >= 50
    expansion = 4 if bottleneck else 1
    channels = [[width * expansion * 2**s] * units for s, units in enumerate(UNITS[depth])]
    model = ResNet(
        channels,
        width,
        bottleneck=bottleneck,
        conv1_stride=False,
        in_channels=in_channels,
        num_classes=classes,
    )
    if small_images:
        stem = conv3x3_block(in_channels=in_channels, out_channels=width)
        nn.init.kaiming_uniform_(stem.conv.weight)
        model.get_submodule("features").init_block = stem
    return _pooling_any_size(model)


def _pooling_any_size(model: nn.Module) -> nn.Module:
    """The mean over the last map, whatever its size, where pytorchcv fixes that size."""
    model.get_submodule("features").final_pool = nn.AdaptiveAvgPool2d(1)
    return model
