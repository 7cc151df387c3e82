"""The loader: augmented CIFAR images a second on one core."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.timing import Benchmarks, Line, alternate, ratio
from theory_lab.networks.datasets import CIFAR_MEAN, CIFAR_STD, Dataset
from theory_lab.networks.loader import Loader

IMAGES, SIDE, PAD, BATCH, ROUNDS = 20_000, 32, 4, 512, 7


def random_images() -> Dataset:
    """Noise in the shape of CIFAR-10: the pixels do not matter to the speed."""
    pixels = torch.randint(256, (IMAGES, SIDE, SIDE, 3)).to(torch.uint8)
    labels = torch.zeros(IMAGES, dtype=torch.int64)
    return Dataset(
        "noise", "noise", 10, pixels, labels, pixels, labels, CIFAR_MEAN, CIFAR_STD, PAD, True
    )


def by_pixel(data: Dataset) -> Callable[[], Tensor]:
    """The opponent: padded once; a batch by advanced indices of image, row and column."""
    assert isinstance(data.train, Tensor)
    padded = functional.pad(data.train, (0, 0, PAD, PAD, PAD, PAD))
    mean, std = torch.tensor(CIFAR_MEAN), torch.tensor(CIFAR_STD)
    scale, shift, line = 1 / (255 * std), -mean / std, torch.arange(SIDE)

    def epoch() -> Tensor:
        for index in torch.randperm(IMAGES).split(BATCH):
            dy, dx = torch.randint(2 * PAD + 1, (2, len(index), 1))
            mirrored = torch.rand(len(index), 1) < 0.5
            rows, columns = dy + line, dx + torch.where(mirrored, SIDE - 1 - line, line)
            pixels = padded[index[:, None, None], rows[:, :, None], columns[:, None, :]]
            batch = torch.addcmul(shift, pixels.float(), scale).permute(0, 3, 1, 2)
        return batch

    return epoch


def augmented_images() -> list[Line]:
    """Target: at least 50,000 images a second."""
    data = random_images()
    loader = Loader(data, BATCH, seed=0)
    pairs = alternate(lambda: [None for _ in loader], by_pixel(data), ROUNDS)
    ours, theirs = ((IMAGES / statistics.median(seconds)) for seconds in zip(*pairs, strict=True))
    return [
        Line("advanced indices", f"{theirs / 1000:.3g} k images/s"),
        Line("one gather of rows", f"{ours / 1000:.3g} k images/s", ">= 50 k images/s"),
        Line("  theirs / ours", ratio([b / a for a, b in pairs])),
    ]


BENCHMARKS: Benchmarks = [
    ("Networks: loader, 32x32 images cropped, mirrored, normalised", augmented_images),
]
