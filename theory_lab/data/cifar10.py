"""CIFAR-10 as it was published: 50,000 training and 10,000 test images of 32 x 32 pixels.

Source: A. Krizhevsky, Learning multiple layers of features from tiny images, 2009.
"""

from __future__ import annotations

import pickle
import tarfile
from pathlib import Path

import numpy as np

from theory_lab.core.errors import StorageError
from theory_lab.data.files import fetch
from theory_lab.data.split import Split

FILE = "cifar10/cifar-10-python.tar.gz"
MD5 = "c58f30108f718f92721af3b95e74349a"
URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def cifar10() -> Split:
    """Images (50000, 32, 32, 3) and (10000, 32, 32, 3) from the standard python archive.

    The archive (170 MB) is downloaded where it is missing; StorageError if it cannot be had.
    """
    return read_archive(fetch(FILE, MD5, URL))


def read_archive(archive: Path) -> Split:
    """The five training batches in their order, and the test batch.

    The batches are pickles: read only an archive whose hash was checked.
    """
    with tarfile.open(archive) as tar:
        train = [_batch(tar, f"data_batch_{number}") for number in range(1, 6)]
        test, test_labels = _batch(tar, "test_batch")
    images, labels = zip(*train, strict=True)
    return Split(np.concatenate(images), np.concatenate(labels), test, test_labels)


def _batch(tar: tarfile.TarFile, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Pixels lie channel by channel: (n, 3 * 32 * 32) -> (n, 32, 32, 3)."""
    try:
        member = tar.extractfile(f"cifar-10-batches-py/{name}")
    except KeyError:
        member = None
    if member is None:
        raise StorageError(f"The archive has no {name}; it must be {FILE.rpartition('/')[2]}.")
    batch = pickle.load(member, encoding="bytes")
    images = batch[b"data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), np.asarray(batch[b"labels"], np.uint8)
