"""The 442 diabetes patients that scikit-learn embeds: 10 features and a disease score."""

from __future__ import annotations

import numpy as np


def diabetes() -> tuple[np.ndarray, np.ndarray]:
    """Features (442, 10), centred with squared column norms 1, and scores (442,) of 25..346."""
    from sklearn.datasets import load_diabetes

    bunch = load_diabetes()
    return bunch.data.astype(np.float64), bunch.target.astype(np.float64)
