"""Ranks of a model's weights, layer by layer."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from theory_lab.core import UsageError
from theory_lab.networks.prunable import prunable_weights
from theory_lab.numerics import spectra


class Ranks(NamedTuple):
    """Ranks of one weight as a matrix (out, in * kernel); all are 0 for a weight of zeros.

    With s_1 >= ... >= s_r the singular values of W / |W|_F: `delta` is the least k whose tail, the
    sum of s_i^2 over i > k, is at most the tolerance; `stable` is 1 / s_1^2; `entropy` is
    exp(-sum p_i log p_i) with p = s / sum s; `exact` counts the singular values above
    max(m, n) eps s_1 in float64; `full` is min(m, n), what they cannot exceed.
    """

    delta: int
    stable: float
    entropy: float
    exact: int
    full: int


def ranks(model: nn.Module, delta: float = 0.1) -> dict[str, Ranks]:
    """The ranks of every convolution and linear weight by its name, in float64.

    `delta`: the share of the energy |W|_F^2 that the delta-rank may leave out, in [0, 1).
    """
    if not 0 <= delta < 1:
        raise UsageError(f"delta is {delta!r}, but it must be at least 0 and less than 1.")
    return {w.name: _ranks(w.effective.detach(), delta) for w in prunable_weights(model)}


def _ranks(weight: Tensor, delta: float) -> Ranks:
    matrix = weight.flatten(1).to(torch.float64)
    full = min(matrix.shape)
    if not matrix.any():
        return Ranks(0, 0.0, 0.0, 0, full)
    squares = spectra.squared_singular_values(matrix)
    return Ranks(
        spectra.delta_rank(squares, delta),
        spectra.stable_rank(squares),
        spectra.entropy_rank(squares),
        int(torch.linalg.matrix_rank(matrix)),
        full,
    )
