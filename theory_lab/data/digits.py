"""The 1,797 handwritten digits that scikit-learn embeds, 8 x 8 pixels of 0..16."""

from __future__ import annotations

import numpy as np


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Images (1797, 8, 8) with grey values 0..16, and labels (1797,) 0..9."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return bunch.images.astype(np.uint8), bunch.target.astype(np.uint8)
