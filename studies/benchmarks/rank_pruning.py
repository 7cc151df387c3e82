"""Rank pruning: the gradient of the rank loss for every convolution of ResNet-50."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import scipy.linalg
import torch

from benchmarks.timing import Benchmarks, Line, alternate, median, ratio
from theory_lab.numerics.spectra import rank_loss
from theory_lab.theorems.rank_pruning.bounds.rank_loss import gradient as closed_form

ENERGY, DENSITY, ROUNDS = 0.2, 0.1, 5

SVD = Callable[..., Any]


def resnet50_convolutions() -> list[tuple[int, int]]:
    """(output channels, input channels x kernel) of the 53 convolutions of ResNet-50."""
    shapes, channels = [(64, 3 * 49)], 64
    for width, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for block in range(blocks):
            shapes += [(width, channels), (width, 9 * width), (4 * width, width)]
            shapes += [(4 * width, channels)] if block == 0 else []
            channels = 4 * width
    return shapes


def torch_svd_gradient(W: torch.Tensor) -> torch.Tensor:
    """The opponent: a full decomposition of the detached matrix, then autograd."""
    W = W.detach().requires_grad_()
    Wn = W / W.norm()
    U, s, Vt = torch.linalg.svd(Wn.detach(), full_matrices=False)
    k = len(s) - 1 - int(torch.argmin((torch.cumsum(s.flip(0) ** 2, 0) - ENERGY).abs()))
    loss = -((Wn - (U[:, :k] * s[:k]) @ Vt[:k]) ** 2).sum()
    return torch.autograd.grad(loss, W)[0]


def numpy_svd_gradient(W: np.ndarray, svd: SVD = np.linalg.svd) -> np.ndarray:
    """The opponent: a full decomposition, then the closed form."""
    norm = np.linalg.norm(W)
    U, s, Vt = svd(W / norm, full_matrices=False)
    tails = np.cumsum(s[::-1] ** 2)
    k = len(s) - 1 - int(np.argmin(np.abs(tails - ENERGY)))
    R = W / norm - (U[:, :k] * s[:k]) @ Vt[:k]
    return -2 / norm * (R - np.sum(s[k:] ** 2) * W / norm)


def scipy_svd_gradient(W: np.ndarray) -> np.ndarray:
    """The same with scipy's decomposition, whose LAPACK is the faster one, and the one that ours uses
    too."""
    return numpy_svd_gradient(W, partial(scipy.linalg.svd, check_finite=False))


def rank_gradient() -> list[Line]:
    """Target: 53 gradients at least 3.5 (torch) and 4.5 (numpy) times faster than by full SVDs, with
    errors of at most 5e-5 against the closed form in float64."""
    rng = np.random.default_rng(3)
    layers = []
    for m, n in resnet50_convolutions():
        W = rng.standard_normal((m, n)) * (rng.random((m, n)) < DENSITY)
        layers.append((W * np.sqrt(2 / n)).astype(np.float32))
    tensors = [torch.from_numpy(W) for W in layers]
    lines = []
    for name, weights, svd, target in (
        ("torch", tensors, torch_svd_gradient, 3.5),
        ("numpy", layers, numpy_svd_gradient, 4.5),
        ("scipy", layers, scipy_svd_gradient, None),
    ):
        pairs = alternate(
            lambda weights=weights: [rank_loss(W, energy=ENERGY) for W in weights],
            lambda weights=weights, svd=svd: [svd(W) for W in weights],
            ROUNDS,
        )
        lines += [
            Line(f"53 gradients by full SVDs, {name}", median([b for _, b in pairs], 1, "s")),
            Line("53 gradients from Gram matrices", median([a for a, _ in pairs], 1, "s")),
            Line(
                "  full SVDs / ours",
                ratio([b / a for a, b in pairs]),
                f">= {target}" if target else "",
            ),
            Line(
                "  largest error of a gradient", f"{gradient_error(layers, weights):.2g}", "<= 5e-5"
            ),
        ]
    return lines


def gradient_error(layers: list, weights: list) -> float:
    """The largest relative error (Frobenius norm) of our gradients; the same k on both sides."""
    errors = []
    for W, given in zip(layers, weights, strict=True):
        ours = rank_loss(given, energy=ENERGY)
        exact = closed_form(W.astype(np.float64), ours.rank)
        errors.append(np.linalg.norm(np.asarray(ours.gradient) - exact) / np.linalg.norm(exact))
    return float(max(errors))


BENCHMARKS: Benchmarks = [
    ("Rank pruning: rank gradient, 53 convolutions of ResNet-50, float32", rank_gradient),
]
