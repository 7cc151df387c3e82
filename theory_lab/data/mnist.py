"""MNIST with 60,000 training images and 3,000 of its 10,000 test images."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from theory_lab.data.files import find

FILE = "mnist/mnist.npz"
MD5 = "e9f2a62f83ef20b924a60fd0c0f45ad4"


class Mnist(NamedTuple):
    """Images (n, 28, 28) uint8 and labels (n,) uint8; `test` holds 3,000 of the test images."""

    train: np.ndarray
    train_labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray


def mnist() -> Mnist:
    """MNIST from the data folders; StorageError says which file goes where if it is missing."""
    with np.load(find(FILE, MD5)) as arrays:
        names = ("x_train", "y_train", "x_test3000", "y_test3000")
        return Mnist(*(arrays[name] for name in names))
