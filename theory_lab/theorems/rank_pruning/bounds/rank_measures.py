"""Ranks that see the size of singular values, from a spectrum s_1 >= ... >= s_r of any scale."""

from __future__ import annotations

import numpy as np


def delta_rank(s: np.ndarray, delta: float) -> int:
    """min {k : the sum of s_i^2 over i > k is at most delta |s|^2} (lab's definition)."""
    energies = np.append(np.cumsum((s**2)[::-1])[::-1], 0.0)
    return int(np.argmax(energies <= delta * energies[0]))


def stable_rank(s: np.ndarray) -> float:
    """|W|_F^2 / |W|_2^2."""
    return float(np.sum(s**2) / s[0] ** 2)
