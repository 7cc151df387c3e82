"""What a data set gives: training and test inputs with their labels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Split(NamedTuple):
    """Images (n, H, W) or (n, H, W, C) uint8, and labels (n,)."""

    train: np.ndarray
    train_labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray
