"""The rank loss of a small matrix by differences: its gradient, and one step along it."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from theory_lab.core import Experiment
from theory_lab.core.checks import at_least, at_most, one_of, positive
from theory_lab.core.errors import UsageError
from theory_lab.core.seeds import Stream
from theory_lab.numerics.spectra import rank_loss
from theory_lab.theorems.rank_pruning.experiments.matrices import (
    KINDS,
    check_rank,
    check_tied,
    make_matrix,
    random_mask,
)

H = 3e-5
"""Step of the differences, in units of |W|_F: below it rounding wins, above it the sixth order."""

OFFSETS, WEIGHTS = np.arange(-3, 4), np.array([-1, 9, -45, 0, 45, -9, 1]) / 60


def draw(
    m: Annotated[int, at_least(1)],
    n: Annotated[int, at_least(1)],
    kind: Annotated[str, one_of(KINDS)] = "gaussian",
    density: Annotated[float, positive, at_most(1)] = 1.0,
    size: Annotated[float, positive] = 1.0,
    *,
    rng: Stream,
) -> dict[str, Any]:
    """W (m, n), pruned at random to the density (a matrix of tied spectrum is left as it is)."""
    W = size * make_matrix(rng, m, n, kind)
    if kind != "tied" and density < 1:
        W = W * random_mask(rng, m, n, density)
    return dict(W=W)


def run_gradient(
    problem: dict[str, Any],
    *,
    k: Annotated[int, at_least(1)],
    normalised: bool = True,
    rng: Stream,
) -> dict[str, Any]:
    """`gradient` (m, n) of -tau by central differences of order six; `radial`: its inner product
    with W. Without `normalised`, of the tail of W itself."""
    W = problem["W"]
    rows, columns = np.indices(W.shape).reshape(2, -1)
    gradient = differences(W, k, rows, columns, normalised).reshape(W.shape)
    return dict(gradient=gradient, radial=np.sum(gradient * W))


def run_positions(
    problem: dict[str, Any],
    *,
    k: Annotated[int, at_least(1)],
    position: Annotated[str, one_of(("pruned", "kept"))] = "pruned",
    count: Annotated[int, at_least(1)] = 12,
    rng: Stream,
) -> dict[str, Any]:
    """`at` (count, 2): rows and columns of entries that are pruned, or kept; `slopes` (count,):
    the gradient of -tau there, by differences."""
    W = problem["W"]
    there = np.argwhere(W == 0 if position == "pruned" else W != 0)
    if not len(there):
        raise UsageError("The matrix has no pruned entry; lower the density below 1.")
    at = rng.named("search").permutation(there)[np.arange(count) % len(there)]
    return dict(at=at, slopes=differences(W, k, *at.T))


def differences(
    W: np.ndarray, k: int, rows: np.ndarray, columns: np.ndarray, normalised: bool = True
) -> np.ndarray:
    """d(-tau)/dW_ij at the entries (rows, columns), from singular values alone."""
    step = H * np.linalg.norm(W)
    at = np.arange(len(rows))
    moved = np.broadcast_to(W, (len(OFFSETS), len(rows), *W.shape)).copy()
    moved[:, at, rows, columns] += step * OFFSETS[:, None]
    squares = np.linalg.svd(moved, compute_uv=False) ** 2
    loss = -np.sum(squares[..., k:], axis=-1)
    loss = loss / np.sum(squares, axis=-1) if normalised else loss
    return WEIGHTS @ loss / step


def run_step(
    problem: dict[str, Any],
    *,
    k: Annotated[int, at_least(1)],
    e: Annotated[float, positive],
    masked: bool = False,
    rng: Stream,
) -> dict[str, Any]:
    """One step W - (e |W|^2 / 2) gradient, at kept entries only if `masked`: the `stepped` singular
    values, descending, and their sum of squares `square`; `head_shares` (r,) of the 1, 2, ... largest
    of them, and the `stable_rank`."""
    W = problem["W"]
    gradient = rank_loss(W, rank=k).gradient * (W != 0 if masked else 1.0)
    after = W - 0.5 * e * np.sum(W**2) * gradient
    stepped = np.linalg.svd(after, compute_uv=False)
    heads = np.cumsum(stepped**2)
    return dict(
        stepped=stepped,
        square=np.sum(after**2),
        head_shares=heads / heads[-1],
        stable_rank=heads[-1] / heads[0],
    )


CHECKS = (check_rank, check_tied)
GRADIENT = Experiment("rank_pruning.gradient", draw, run_gradient, checks=CHECKS)
POSITIONS = Experiment("rank_pruning.positions", draw, run_positions, checks=CHECKS)
STEP = Experiment("rank_pruning.step", draw, run_step, checks=CHECKS)
