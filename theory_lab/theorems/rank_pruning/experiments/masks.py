"""Masks of one matrix, by magnitude, at random, and after dropping and growing weights."""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np

from theory_lab.core import Experiment
from theory_lab.core.checks import BadParameter, at_least, at_most, one_of, positive
from theory_lab.core.parameters import Params
from theory_lab.core.seeds import Stream
from theory_lab.numerics.matching import structural_rank
from theory_lab.numerics.spectra import delta_rank, rank_loss, squared_singular_values, stable_rank
from theory_lab.theorems.rank_pruning.experiments.matrices import check_tied, largest, random_mask
from theory_lab.theorems.rank_pruning.experiments.pruned_matrices import draw

BLOCKS = 32
"""Side of the picture of a mask in the trace."""

GROWTHS = ("rank gradient", "random")


def run_masks(
    problem: dict[str, Any],
    *,
    delta: Annotated[float, positive] = 0.1,
    draws: Annotated[int, at_least(1)] = 8,
    rng: Stream,
) -> dict[str, Any]:
    """Structural rank of the given mask, `magnitude`, and the mean over random masks of its
    density, `random`; the delta-ranks of the pruned matrices. Trace: densities of blocks of both.
    """
    W, by_size, search = problem["_dense"], problem["_mask"], rng.named("search")
    (m, n), density = W.shape, float(by_size.mean())
    at_random = [random_mask(search, m, n, density) for _ in range(draws)]
    return dict(
        magnitude=structural_rank(by_size),
        random=np.mean([structural_rank(mask) for mask in at_random]),
        magnitude_delta=delta_rank(squared_singular_values(W * by_size), delta),
        random_delta=np.mean(
            [delta_rank(squared_singular_values(W * mask), delta) for mask in at_random]
        ),
        trace=dict(
            magnitude_blocks=_blocks(by_size, W),
            random_blocks=_blocks(at_random[0], W),
            place=np.arange(BLOCKS) + 0.5,
        ),
    )


def _blocks(mask: np.ndarray, W: np.ndarray) -> np.ndarray:
    """Share of kept entries in BLOCKS x BLOCKS blocks, heavy rows and columns of W first."""
    rows, columns = (np.argsort(-np.sum(W**2, axis=axis)) for axis in (1, 0))
    image = mask[rows][:, columns].astype(float)
    for axis, side in enumerate(W.shape):
        edges = np.linspace(0, side, BLOCKS, endpoint=False).astype(int)
        sizes = np.diff(np.append(edges, side))
        image = np.add.reduceat(image, edges, axis=axis) / np.expand_dims(sizes, 1 - axis)
    return image


def run_growth(
    problem: dict[str, Any],
    *,
    growth: Annotated[str, one_of(GROWTHS)] = "rank gradient",
    rounds: Annotated[int, at_least(1)] = 20,
    swap: Annotated[float, positive, at_most(1)] = 0.15,
    eps: Annotated[float, positive] = 0.2,
    delta: Annotated[float, positive] = 0.2,
    rng: Stream,
) -> dict[str, Any]:
    """`rounds` of dropping the smallest weights and growing as many, a share that falls like a
    cosine from `swap` to 0; `delta_rank`, `stable_rank` and `structural` rank at the end, and the
    `lift` of the latter, as a share of what it was."""
    W, mask, search = problem["_W"], problem["_mask"], rng.named("search")
    count = int(mask.sum())
    for t in range(rounds):
        swapped = int(count * 0.5 * swap * (1 + math.cos(math.pi * t / rounds)))
        held = largest(np.where(mask, np.abs(W), -1.0), count - swapped)
        scores, values = _offered(growth, W, eps, search)
        grown = largest(np.where(held, -np.inf, scores), swapped)
        # A weight that was dropped in this round and comes back keeps its value.
        W = np.where(held | (grown & mask), W, np.where(grown, values, 0.0))
        mask = held | grown
    squares = squared_singular_values(W)
    return dict(
        delta_rank=delta_rank(squares, delta),
        stable_rank=stable_rank(squares),
        structural=(after := structural_rank(mask)),
        lift=after / structural_rank(problem["_mask"]) - 1,
    )


def _offered(
    growth: str, W: np.ndarray, eps: float, search: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of all positions, and the values that new weights start from.

    By the rank gradient: |gradient| and a descent step of .5 |W|^2; at random: as large as the
    weights that are there.
    """
    if growth == "random":
        size = math.sqrt(np.sum(W**2) / np.count_nonzero(W))
        return search.random(W.shape), size * search.standard_normal(W.shape)
    gradient = rank_loss(W, energy=eps).gradient
    return np.abs(gradient), -0.5 * np.sum(W**2) * gradient


def check_blocks(params: Params) -> None:
    """A picture needs a row and a column for each of its blocks."""
    if min(params["m"], params["n"]) < BLOCKS:
        raise BadParameter(f"m and n must be at least {BLOCKS}, the side of a picture of the mask.")


MASKS = Experiment("rank_pruning.masks", draw, run_masks, checks=(check_blocks, check_tied))
GROWTH = Experiment("rank_pruning.growth", draw, run_growth, checks=(check_tied,))
