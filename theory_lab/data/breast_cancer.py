"""The 569 breast tumours that scikit-learn embeds: 30 features of cell nuclei and a diagnosis."""

from __future__ import annotations

import numpy as np


def breast_cancer() -> tuple[np.ndarray, np.ndarray]:
    """Features (569, 30): means of 10 quantities, their errors, their worst values; 1 is benign."""
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer()
    return bunch.data.astype(np.float64), bunch.target.astype(np.uint8)
