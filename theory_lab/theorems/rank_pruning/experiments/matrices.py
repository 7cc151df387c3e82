"""Random weight matrices: Gaussian, heavy-tailed, of decaying or of tied spectrum; and masks."""

from __future__ import annotations

import math

import numpy as np

from theory_lab.core.checks import BadParameter
from theory_lab.core.parameters import Params

KINDS = ("gaussian", "student", "decaying", "tied")


def make_matrix(
    rng: np.random.Generator, m: int, n: int, kind: str, decay: float = 0.7, spread: float = 0.0
) -> np.ndarray:
    """W (m, n): iid N(0, 1); iid Student t with 2 degrees of freedom; singular values i^(-decay)
    with rows and columns multiplied by exp(spread N(0, 1)); or m rows of a sparse rotation."""
    if kind == "gaussian":
        return rng.standard_normal((m, n))
    if kind == "student":
        return rng.standard_t(2, (m, n))
    if kind == "tied":
        return rotation(rng, n)[:m]
    r = min(m, n)
    U, V = (np.linalg.qr(rng.standard_normal((side, r)))[0] for side in (m, n))
    W = (U * np.arange(1, r + 1.0) ** -decay) @ V.T
    rows, columns = (np.exp(spread * rng.standard_normal(side)) for side in (m, n))
    return rows[:, None] * W * columns


def rotation(rng: np.random.Generator, n: int) -> np.ndarray:
    """An orthogonal n x n matrix that is zero below the first subdiagonal: all its singular values
    are equal, though almost half of it is pruned."""
    Q = np.eye(n)
    for i, angle in enumerate(rng.uniform(0.3, 1.2, n - 1)):
        c, s = math.cos(angle), math.sin(angle)
        Q[:, [i, i + 1]] = Q[:, [i, i + 1]] @ np.array([[c, -s], [s, c]])
    return Q


def kept(share: float, size: int) -> int:
    """How many of `size` entries a density keeps: the nearest whole number, at least 1."""
    return max(1, round(share * size))


def random_mask(rng: np.random.Generator, m: int, n: int, density: float) -> np.ndarray:
    """A mask (m, n) of exactly `kept(density, m n)` entries, all of these equally likely."""
    mask = np.zeros(m * n, dtype=bool)
    mask[rng.choice(m * n, kept(density, m * n), replace=False)] = True
    return mask.reshape(m, n)


def magnitude_mask(W: np.ndarray, density: float) -> np.ndarray:
    """The mask of the `kept(density, m n)` largest |W_ij|."""
    return largest(np.abs(W), kept(density, W.size))


def largest(score: np.ndarray, count: int) -> np.ndarray:
    """A mask of the `count` largest entries."""
    mask = np.zeros(score.size, dtype=bool)
    if count:
        mask[np.argpartition(score.ravel(), -count)[-count:]] = True
    return mask.reshape(score.shape)


def check_rank(params: Params) -> None:
    """k leaves at least one singular value in the tail."""
    if params["k"] >= min(params["m"], params["n"]):
        raise BadParameter(
            f"k is {params['k']!r}, but it must be below min(m, n) = {min(params['m'], params['n'])}:"
            " the tail needs a singular value."
        )


def check_tied(params: Params) -> None:
    """A sparse rotation has orthonormal rows only up to its side."""
    if params["kind"] == "tied" and params["m"] > params["n"]:
        raise BadParameter("A matrix of tied spectrum needs m <= n; exchange m and n.")
