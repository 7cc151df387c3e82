"""Targets X*: synthetic ones with a given spectrum, and the leading components of real images.

Population and Gaussian problems do not change under rotations, so what a real instance brings to
them is its spectrum; its axes are kept all the same.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from theory_lab.core.checks import BadParameter
from theory_lab.data.digits import digits
from theory_lab.data.mnist import mnist
from theory_lab.solvers.regulariser import Array

REAL = {"digits": 64, "mnist": 196}
"""Real data sets by name, with their dimension d."""

DATA = ("synthetic", *REAL)


@dataclass(frozen=True)
class Target:
    """X* = axes diag(spectrum) axes^T: matrix (d, d), axes (d, r), spectrum (r,) descending."""

    matrix: Array
    axes: Array
    spectrum: Array


def make_target(
    d: int, eigenvalues: tuple[float, ...], data: str, components: int, rng: np.random.Generator
) -> Target:
    """Random axes with the given eigenvalues, or `components` principal components of real data.

    The covariance of the images is divided by its `components`-th eigenvalue, so that mu_r = 1.
    """
    if data == "synthetic":
        axes = np.linalg.qr(rng.standard_normal((d, len(eigenvalues))))[0]
        spectrum = np.array(eigenvalues)
    else:
        values, vectors = principal_components(data)
        axes, spectrum = vectors[:, :components], values[:components] / values[components - 1]
    return Target((axes * spectrum) @ axes.T, axes, spectrum)


@functools.cache
def principal_components(data: str) -> tuple[Array, Array]:
    """Eigenvalues (d,), descending, and eigenvectors (d, d) of the covariance of the pixels."""
    values, vectors = np.linalg.eigh(np.cov(_pixels(data), rowvar=False))
    return values[::-1], vectors[:, ::-1]


def _pixels(data: str) -> Array:
    if data == "digits":
        images = digits()[0]
    else:
        full = mnist().train.astype(float)
        images = full.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4))
    return images.reshape(len(images), -1).astype(float)


def check_target(params: Any) -> None:
    """The eigenvalues, dimension and columns that go together."""
    d, k, data = params["d"], params["k"], params["data"]
    eigenvalues, components = params["eigenvalues"], params["components"]
    if data == "synthetic":
        _require(components == 0, "components are for real data; give eigenvalues instead")
        _require(len(eigenvalues) > 0, "a synthetic target needs eigenvalues=(mu_1, ..., mu_r)")
        descending = all(a >= b for a, b in itertools.pairwise(eigenvalues))
        _require(descending and eigenvalues[-1] > 0, "eigenvalues must be positive and descending")
    else:
        _require(not eigenvalues, f"{data} brings its own eigenvalues; give components instead")
        _require(components >= 1, f"{data} needs components, the rank of the target, from 1 on")
        _require(d == REAL[data], f"{data} has d = {REAL[data]}, not {d}")
    rank = len(eigenvalues) or components
    _require(rank <= d, f"the rank {rank} of the target must be at most d = {d}")
    _require(rank <= k, f"U needs at least as many columns as the rank: k >= {rank}, not {k}")


def _require(good: bool, cure: str) -> None:
    if not good:
        raise BadParameter(f"Matrix sensing: {cure}.")
