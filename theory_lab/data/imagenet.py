"""ImageNet, or any images sorted into folders: read, cropped and resized when a batch asks for them.

The layout is `imagenet/train/<class>/*.JPEG` and `imagenet/val/<class>/*.JPEG` in a data folder, as
the usual scripts unpack ILSVRC 2012 (1,281,167 and 50,000 images of 1,000 classes); it may be a
link. Nothing is downloaded, copied or cached.
"""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from theory_lab.core.errors import StorageError
from theory_lab.data.files import folders, places

FOLDER = "imagenet"
SUFFIXES = (".jpeg", ".jpg", ".png")
LEAST_AREA, LARGEST_ASPECT = 0.08, 4 / 3
"""A random crop has at least this share of the area, and at most this ratio of sides."""
CENTRE = 0.875
"""A test image is the central square of this share of the shorter side: 224 of 256 pixels."""


class ImageFiles:
    """Images on the disk as if they were an array (n, side, side, 3) of uint8.

    `batch` decodes with as many threads as there are processors. Raises StorageError for a file
    that is not an image.
    """

    def __init__(self, files: list[Path], side: int) -> None:
        self.files, self.side = files, side

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return len(self.files), self.side, self.side, 3

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: np.ndarray) -> ImageFiles:
        """Some of the images."""
        return ImageFiles([self.files[i] for i in index], self.side)

    def batch(self, index: np.ndarray, draws: np.ndarray | None = None) -> np.ndarray:
        """Images (b, side, side, 3): central squares, or crops by `draws` (b, 4) from [0, 1)."""
        chosen = [self.files[i] for i in index]
        crops = [None] * len(chosen) if draws is None else list(draws)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return np.stack(list(pool.map(lambda f, c: decode(f, self.side, c), chosen, crops)))


class ImageFolders(NamedTuple):
    """Training and test images with their labels: places of their folders in `classes`."""

    train: ImageFiles
    train_labels: np.ndarray
    test: ImageFiles
    test_labels: np.ndarray
    classes: tuple[str, ...]


def imagenet(side: int = 224) -> ImageFolders:
    """The images in the first data folder that has `imagenet/train`, `side` pixels a side.

    Raises StorageError if there is none, or if the folders below train and val are not the same.
    """
    root = next((f / FOLDER for f in folders() if (f / FOLDER / "train").is_dir()), None)
    if root is None:
        raise StorageError(
            f"There is no ImageNet: put train/<class>/*.JPEG and val/<class>/*.JPEG into"
            f" {places(FOLDER)}."
        )
    train, train_labels, classes = _scan(root / "train")
    test, test_labels, test_classes = _scan(root / "val")
    if classes != test_classes:
        odd = sorted(set(classes) ^ set(test_classes))
        raise StorageError(
            f"{root}/train and {root}/val must have the same folders of classes; only one of them"
            f" has {odd[0] if odd else 'any images'}."
        )
    sets = ImageFiles(train, side), train_labels, ImageFiles(test, side), test_labels
    return ImageFolders(*sets, classes)


def decode(file: Path, side: int, draws: np.ndarray | None) -> np.ndarray:
    """One image (side, side, 3) uint8: its centre, or a random crop, resized bilinearly."""
    from PIL import Image

    try:
        with Image.open(file) as image:
            width, height = image.size
            box = centre_box(width, height) if draws is None else random_box(width, height, draws)
            left, top, right, bottom = box
            # a JPEG can be decoded at 1/2, 1/4 or 1/8 of its size while the crop keeps enough pixels
            wanted = side / min(right - left, bottom - top)
            image.draft("RGB", (math.ceil(width * wanted), math.ceil(height * wanted)))
            x, y = image.width / width, image.height / height
            scaled = (left * x, top * y, right * x, bottom * y)
            resized = image.convert("RGB").resize((side, side), Image.Resampling.BILINEAR, scaled)
            return np.asarray(resized)
    except OSError as error:
        raise StorageError(f"{file} cannot be read as an image; replace it.") from error


Box = tuple[float, float, float, float]


def centre_box(width: int, height: int) -> Box:
    """The central square, 7/8 of the shorter side: (left, top, right, bottom)."""
    size = CENTRE * min(width, height)
    left, top = (width - size) / 2, (height - size) / 2
    return left, top, left + size, top + size


def random_box(width: int, height: int, draws: np.ndarray) -> Box:
    """A crop by four uniform numbers: area, ratio of sides, place; its sides cut to the image's.

    Source: arXiv:1409.4842 (8 % to 100 % of the area, aspect ratio from 3/4 to 4/3).
    """
    area, aspect, x, y = (float(draw) for draw in draws)
    size = width * height * (LEAST_AREA + (1 - LEAST_AREA) * area)
    ratio = LARGEST_ASPECT ** (2 * aspect - 1)
    wide, high = min(math.sqrt(size * ratio), width), min(math.sqrt(size / ratio), height)
    left, top = x * (width - wide), y * (height - high)
    return left, top, left + wide, top + high


def _scan(folder: Path) -> tuple[list[Path], np.ndarray, tuple[str, ...]]:
    """Files in the order of their names, their labels, and the classes that have any."""
    found = {
        inner.name: sorted(f for f in inner.iterdir() if f.suffix.lower() in SUFFIXES)
        for inner in (sorted(folder.iterdir()) if folder.is_dir() else [])
        if inner.is_dir()
    }
    classes = tuple(name for name, files in found.items() if files)
    counts = [len(found[name]) for name in classes]
    files = [file for name in classes for file in found[name]]
    return files, np.repeat(np.arange(len(classes)), counts), classes
