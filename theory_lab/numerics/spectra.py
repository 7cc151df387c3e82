"""Spectra of weight matrices: the rank loss and its gradient from one Gram matrix, and ranks.

W: (m, n) is normalised to Wn = W / |W|_F, whose squared singular values s_1^2 >= ... >= s_r^2,
r = min(m, n), sum to 1. They are the eigenvalues of the smaller Gram matrix, Wn Wn^T or Wn^T Wn;
an eigen-solve of it is several times faster than a singular value decomposition. Array API; in
float32 squared singular values are good to about 1e-6, which is enough for energies, not for the
exact rank. |W|_F, or the trace of the Gram matrix, is summed in float64: a norm summed in float32
would be the largest error of the gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from array_api_compat import array_namespace, is_numpy_array

SAFE_SQUARES = (1e-20, 1e20)
"""|W|^2 between these: squares of entries neither vanish nor overflow, in float32 too."""


class RankLoss(NamedTuple):
    """-tau = -|Wn - A_k|_F^2 with A_k the best approximation of rank k, and its gradient in W."""

    value: float
    gradient: Any
    rank: int


def rank_loss(W: Any, *, rank: int | None = None, energy: float | None = None) -> RankLoss:
    """The rank loss of W (m, n) at k = `rank`, or at the k whose tail is nearest to `energy`.

    With T the eigenvectors of the Gram matrix that belong to the tail, H the others, and tau the
    tail's share of the eigenvalues, the gradient is for m <= n

        -(2/|W|^2) (T T^T W - tau W)  =  -(2/|W|^2) ((1 - tau) W - H H^T W),

    of which the one with fewer columns is computed; for m > n the projector stands on the right. It
    needs s_k > s_{k+1}. |W|^2 is the trace of the Gram matrix, summed in float64. W = 0 has loss 0
    and gradient 0.

    Source: the loss and the rule for k are those of arXiv:2311.17493 and its authors' code.
    """
    if (rank is None) == (energy is None):
        raise ValueError("rank_loss needs either rank or energy: which approximation to leave.")
    _require_matrix(W)
    xp = array_namespace(W)
    with np.errstate(over="ignore", invalid="ignore"):  # seen in the trace, and mended
        gram = _gram(W)
    square = float(xp.sum(xp.astype(xp.linalg.diagonal(gram), xp.float64)))
    if not SAFE_SQUARES[0] < square < SAFE_SQUARES[1]:
        return _rescaled(W, rank, energy)
    eigen = _eigen(xp, gram)
    tails = xp.cumulative_sum(_nonnegative(xp, eigen.values / square), axis=0)
    k = _nearest(xp, tails, energy) if rank is None else _checked(rank, tails.shape[0])
    tail = tails.shape[0] - k
    tau = float(tails[tail - 1])
    if tail <= k:
        S, of_part, of_whole = eigen.vectors(slice(0, tail)), -2 / square, 2 * tau / square
    else:
        S, of_part, of_whole = eigen.vectors(slice(tail, None)), 2 / square, -2 * (1 - tau) / square
    scaled = of_part * S
    part = scaled @ (S.T @ W) if W.shape[0] <= W.shape[1] else (W @ S) @ scaled.T
    return RankLoss(-tau, part + of_whole * W, k)


def _rescaled(W: Any, rank: int | None, energy: float | None) -> RankLoss:
    """The rank loss of W / max|W|, whose gradient is max|W| times as large: squares of the entries
    of W itself leave the range of their type."""
    xp = array_namespace(W)
    if frobenius_norm(W) == 0:
        return RankLoss(0.0, xp.zeros_like(W), 0)
    largest = float(xp.max(xp.abs(W)))
    loss = rank_loss(W / largest, rank=rank, energy=energy)
    return loss._replace(gradient=loss.gradient / largest)


def frobenius_norm(W: Any) -> float:
    """|W|_F, summed in float64; ValueError where W is no finite matrix."""
    _require_matrix(W)
    xp = array_namespace(W)
    wide = xp.astype(W, xp.float64)
    norm = float(xp.sqrt(xp.sum(wide * wide)))
    if not norm < float("inf"):
        raise ValueError("The matrix has entries that are not finite; its spectrum is undefined.")
    return norm


def squared_singular_values(W: Any) -> Any:
    """s_1^2 >= ... >= s_r^2 of W / |W|_F: (min(m, n),). ValueError for W = 0."""
    xp, norm = array_namespace(W), frobenius_norm(W)
    if norm == 0:
        raise ValueError("A matrix of zeros has no normalised spectrum; leave it out.")
    return xp.flip(_nonnegative(xp, xp.linalg.eigvalsh(_gram(W / norm))))


def energy_rank(squares: Any, energy: float) -> int:
    """k in 0..r-1 whose tail, the sum of s_i^2 over i > k, is nearest to `energy`.

    `squares` (r,) descending; of equally near ones the largest k.
    """
    xp = array_namespace(squares)
    return _nearest(xp, xp.cumulative_sum(xp.flip(squares), axis=0), energy)


def delta_rank(squares: Any, delta: float) -> int:
    """The least k whose tail, the sum of s_i^2 over i > k, is at most `delta`.

    `squares` (r,) descending with sum 1: normalised, and the distance squared.
    """
    xp = array_namespace(squares)
    tails = xp.cumulative_sum(xp.flip(squares), axis=0)
    return int(xp.sum(xp.astype(tails > delta, xp.int64)))


def stable_rank(squares: Any) -> float:
    """|W|_F^2 / |W|_2^2: the sum of squared singular values over the largest, `squares` (r,)."""
    xp = array_namespace(squares)
    return float(xp.sum(squares) / xp.max(squares))


def entropy_rank(squares: Any) -> float:
    """exp(-sum p_i log p_i) with p_i = s_i / sum s: `squares` (r,) of any scale."""
    xp = array_namespace(squares)
    p = xp.sqrt(squares)
    p = p / xp.sum(p)
    logarithms = xp.log(xp.where(p > 0, p, xp.ones_like(p)))
    return float(xp.exp(-xp.sum(p * logarithms)))


def _require_matrix(W: Any) -> None:
    if len(W.shape) != 2:
        raise ValueError(f"A matrix has two axes, not the shape {tuple(W.shape)}; reshape it.")


def _gram(W: Any) -> Any:
    return W @ W.T if W.shape[0] <= W.shape[1] else W.T @ W


class _Eigen(NamedTuple):
    """Eigenvalues, ascending, and the eigenvectors of a slice of them, in columns."""

    values: Any
    vectors: Callable[[slice], Any]


def _eigen(xp: Any, gram: Any) -> _Eigen:
    if is_numpy_array(gram) and gram.shape[0] > 1:
        return _numpy_eigen(gram)
    values, vectors = xp.linalg.eigh(gram)
    return _Eigen(values, lambda part: vectors[:, part])


def _numpy_eigen(gram: np.ndarray) -> _Eigen:
    """By Householder reflections to a tridiagonal matrix, and divide and conquer there. Only the
    eigenvectors that are asked for are reflected back, and scipy's LAPACK is built to be faster than
    that of numpy's wheels. Overwrites `gram`.
    """
    from scipy.linalg import get_lapack_funcs

    sytrd, stevd, ormqr = get_lapack_funcs(("sytrd", "stevd", "ormqr"), (gram,))
    room = 64 * len(gram)
    reflections, diagonal, beside, scales, _ = sytrd(gram.T, lower=1, lwork=room, overwrite_a=1)
    values, inner, failed = stevd(diagonal, beside)
    if failed:
        raise np.linalg.LinAlgError("The eigenvalues of a Gram matrix did not converge.")

    def vectors(part: slice) -> np.ndarray:
        chosen = inner[:, part]
        turned = ormqr("L", "N", reflections[1:, :-1], scales, chosen[1:], room)[0]
        return np.concatenate([chosen[:1], turned])

    return _Eigen(values, vectors)


def _nonnegative(xp: Any, eigenvalues: Any) -> Any:
    """Rounding makes eigenvalues of a Gram matrix slightly negative."""
    return xp.where(eigenvalues > 0, eigenvalues, xp.zeros_like(eigenvalues))


def _nearest(xp: Any, tails: Any, energy: float | None) -> int:
    """k of the tail nearest to `energy`; `tails` (r,): sums of the 1, 2, ..., r smallest squares.

    argmin returns the first, which is the largest k.
    """
    return tails.shape[0] - 1 - int(xp.argmin(xp.abs(tails - energy)))


def _checked(rank: int, r: int) -> int:
    if not 0 <= rank < r:
        raise ValueError(f"rank is {rank}, but it must be from 0 to min(m, n) - 1 = {r - 1}.")
    return rank
