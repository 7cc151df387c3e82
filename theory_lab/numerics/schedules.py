"""How sparsity grows with progress: from 0 at progress 0 to the target at progress 1.

progress = (step - begin) / (end - begin); outside [0, 1] it is taken as its nearest end. Plain
numbers in and out.
"""

from __future__ import annotations

import math


def cubic(progress: float, target: float) -> float:
    """target (1 - (1 - progress)^3). Source: arXiv:1710.01878 (gradual magnitude pruning)."""
    return target * (1 - (1 - _clipped(progress)) ** 3)


def exponential_density(progress: float, target: float) -> float:
    """1 - (1 - target)^progress: the density shrinks by the same factor each step.

    Source: the authors' code of arXiv:2311.17493 (rank-based pruning).
    """
    return 1 - (1 - target) ** _clipped(progress)


def saturating(progress: float, target: float, rate: float = 4.0) -> float:
    """target (1 - e^(-rate progress)) / (1 - e^(-rate)).

    Source: arXiv:2402.17902 (SequentialAttention++), which uses rate 4.
    """
    return target * math.expm1(-rate * _clipped(progress)) / math.expm1(-rate)


def _clipped(progress: float) -> float:
    return min(1.0, max(0.0, progress))
