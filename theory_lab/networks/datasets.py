"""Data sets as tensors, with what a loader and a table must know of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from theory_lab.core import UsageError
from theory_lab.data import files, mnist_standard
from theory_lab.data import mnist as mnist_pack
from theory_lab.data.bank_marketing import bank_marketing
from theory_lab.data.cifar10 import cifar10
from theory_lab.data.cifar10_jpeg import cifar10_jpeg
from theory_lab.data.criteo import criteo
from theory_lab.data.digits import digits
from theory_lab.data.imagenet import ImageFiles, imagenet
from theory_lab.data.split import Split
from theory_lab.data.tables import Table
from theory_lab.networks.devices import device_of
from theory_lab.networks.prunable import is_count

CIFAR_MEAN, CIFAR_STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
DIGITS_TEST = 360
"""The last fifth of the 1,797 digits. Neighbours in the file look alike (each writer's stand together),
so that a random fifth is easier: the nearest neighbour errs on 4.4 % here, on 0.3 to 2.5 % there."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training and test examples on one device, and how they are normalised and augmented.

    Images are uint8 (n, H, W, C) with `mean` and `std` per channel of value / 255; training images
    are shifted by up to `crop` pixels each way, and mirrored with probability 1/2 where `flip`.
    Those of ImageNet stay on the disk (`ImageFiles`) and are cropped at random when decoded.
    Rows of a table are int64 (n, columns): column j holds ids below `vocabularies[j]`, id 0 stands
    for what the training rows do not have. Labels are int64, below `classes`. `note` is what a
    table of results must say about the data.
    """

    name: str
    note: str
    classes: int
    train: Tensor | ImageFiles
    train_labels: Tensor
    test: Tensor | ImageFiles
    test_labels: Tensor
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    crop: int = 0
    flip: bool = False
    vocabularies: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for part, examples, labels in (
            ("train", self.train, self.train_labels), ("test", self.test, self.test_labels),
        ):  # fmt: skip
            if labels.dtype != torch.int64 or tuple(labels.shape) != (len(examples),):
                raise UsageError(
                    f"The {part} labels of {self.name} are {labels.dtype} of the shape"
                    f" {tuple(labels.shape)}, but they must be int64, one an example:"
                    f" ({len(examples)},)."
                )
            is_here = len(labels) > 0 and labels.device.type == "cpu"  # where data come from
            if is_here and not 0 <= int(labels.min()) <= int(labels.max()) < self.classes:
                raise UsageError(
                    f"The {part} labels of {self.name} are from {int(labels.min())} to"
                    f" {int(labels.max())}, but {self.classes} classes have labels 0 to"
                    f" {self.classes - 1}."
                )

    @property
    def is_table(self) -> bool:
        return bool(self.vocabularies)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """One input as a network takes it: (C, H, W), or (columns,)."""
        if self.is_table:
            return (len(self.vocabularies),)
        height, width, channels = self.train.shape[1:]
        return channels, height, width

    def example(self) -> Tensor:
        """A batch of one input of zeros, on the device of the data."""
        dtype = torch.int64 if self.is_table else torch.float32
        return torch.zeros(1, *self.input_shape, dtype=dtype, device=self.train_labels.device)

    def to(self, device: str | torch.device) -> Dataset:
        """The same data on another device; files stay where they are."""
        place = device_of(device)
        moved: dict[str, Any] = {
            name: value.to(place) for name, value in vars(self).items() if isinstance(value, Tensor)
        }
        return dataclasses.replace(self, **moved)


def load(
    name: str, *, device: str | torch.device = "cpu", train_size: int | None = None
) -> Dataset:
    """A data set by its name in `DATASETS`, on the device.

    `train_size` takes that many of the training examples, spread evenly over their order (sorted
    classes keep their shares) and the same ones each time; the test set stays whole. Raises
    UsageError for a name we do not have, more examples than there are, or a device that is not there;
    StorageError for missing
    files, with the places where they may be put.
    """
    if name not in _READERS:
        raise UsageError(f"There is no data set {name!r}; there are {', '.join(DATASETS)}.")
    data = _READERS[name]()
    return (data if train_size is None else _first(data, train_size)).to(device)


def spread(count: int, size: int) -> np.ndarray:
    """`size` of the indices 0..count-1, sorted, evenly spread; larger sizes contain smaller ones.

    Those with the smallest fractional parts of i/phi, phi the golden ratio: by the three-distance
    theorem their gaps take at most three values.
    """
    fractions = np.arange(count, dtype=np.uint64) * np.uint64(2654435769) % np.uint64(2**32)
    return np.sort(np.argsort(fractions)[:size])


def _first(data: Dataset, size: int) -> Dataset:
    count = len(data.train_labels)
    if not (is_count(size) and size <= count):
        raise UsageError(
            f"train_size is {size!r}, but {data.note} has {count:,} training examples; take from 1"
            f" to {count}."
        )
    chosen = torch.from_numpy(spread(count, size))
    return dataclasses.replace(
        data,
        note=f"{data.note}, {size:,} training examples" if size < count else data.note,
        train=data.train[chosen],  # type: ignore[index]
        train_labels=data.train_labels[chosen],
    )


def _digits() -> Dataset:
    images, labels = digits()
    train, test = slice(None, -DIGITS_TEST), slice(-DIGITS_TEST, None)
    split = Split(images[train], labels[train], images[test], labels[test])
    return _images("digits", "digits, 8x8", split, (0.01916,), (0.02356,))


def _mnist() -> Dataset:
    """The standard files where they are; else the pack with 3,000 test images; else a download."""
    if mnist_standard.is_complete() or not files.locate(mnist_pack.FILE):
        return _images("mnist", "MNIST", mnist_standard.mnist_standard(), (0.1307,), (0.3081,))
    return _mnist_test3000()


def _mnist_test3000() -> Dataset:
    note = "MNIST, 3,000 of its 10,000 test images"
    return _images("mnist_test3000", note, Split(*mnist_pack.mnist()), (0.1307,), (0.3081,))


def _cifar10() -> Dataset:
    return _images("cifar10", "CIFAR-10", cifar10(), CIFAR_MEAN, CIFAR_STD, crop=4, flip=True)


def _cifar10_jpeg() -> Dataset:
    note, split = "CIFAR-10, JPEG q75", cifar10_jpeg()
    return _images("cifar10_jpeg", note, split, CIFAR_MEAN, CIFAR_STD, crop=4, flip=True)


def _images(
    name: str,
    note: str,
    split: Split,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    crop: int = 0,
    flip: bool = False,
) -> Dataset:
    """Ten classes; grey images get a channel axis."""
    train, test = (images.reshape(*images.shape[:3], -1) for images in (split.train, split.test))
    train_labels, test_labels = _labels(split.train_labels, split.test_labels)
    return Dataset(
        name, note, 10, torch.from_numpy(train), train_labels, torch.from_numpy(test), test_labels,
        mean, std, crop, flip,
    )  # fmt: skip


def _labels(*arrays: np.ndarray) -> Iterator[Tensor]:
    return (torch.from_numpy(labels).long() for labels in arrays)


def _bank_marketing() -> Dataset:
    return _table("bank_marketing", "UCI Bank Marketing without duration", bank_marketing())


def _criteo() -> Dataset:
    return _table("criteo", "Criteo", criteo())


def _imagenet() -> Dataset:
    found = imagenet()
    train_labels, test_labels = _labels(found.train_labels, found.test_labels)
    return Dataset(
        "imagenet", "ImageNet", len(found.classes), found.train, train_labels, found.test,
        test_labels, IMAGENET_MEAN, IMAGENET_STD, flip=True,
    )  # fmt: skip


def _table(name: str, note: str, table: Table) -> Dataset:
    train, train_labels, test, test_labels = (torch.from_numpy(a).long() for a in table[:4])
    return Dataset(
        name, note, 2, train, train_labels, test, test_labels, vocabularies=table.vocabularies
    )


_READERS: dict[str, Callable[[], Dataset]] = {
    "digits": _digits,
    "mnist": _mnist,
    "mnist_test3000": _mnist_test3000,
    "cifar10": _cifar10,
    "cifar10_jpeg": _cifar10_jpeg,
    "imagenet": _imagenet,
    "bank_marketing": _bank_marketing,
    "criteo": _criteo,
}
DATASETS = tuple(_READERS)
"""The names that `load` takes."""
