"""Guarantees of OMP and OMPR for least squares: contraction, sizes, rounds; and OMP itself."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np


def omp_sequence(X: np.ndarray, y: np.ndarray, sizes: tuple[int, ...], k: int) -> list[int]:
    """The groups OMP takes, in order: argmax |X_g^T r| with r = y - the projection on those taken."""
    return [int(np.argmax(pull)) for pull in _pulls(X, y, sizes, k)]


def least_lead(X: np.ndarray, y: np.ndarray, sizes: tuple[int, ...], k: int) -> float:
    """The least over the steps of OMP of 1 - second-largest / largest pull; 0 for a zero residual."""
    leads = []
    for pull in _pulls(X, y, sizes, k):
        second, first = np.sort(np.append(pull, 0.0))[-2:]
        leads.append(1 - max(second, 0.0) / first if first > 1e-12 * np.linalg.norm(y) else 0.0)
    return float(min(leads))


def _pulls(X: np.ndarray, y: np.ndarray, sizes: tuple[int, ...], k: int) -> Iterator[np.ndarray]:
    """|X_g^T r| at each step of OMP, -1 on the groups that are taken."""
    ends = np.cumsum(sizes)
    groups = [np.arange(end - size, end) for size, end in zip(sizes, ends, strict=True)]
    taken: list[int] = []
    for _ in range(k):
        residual = y
        if taken:
            Q, _ = np.linalg.qr(X[:, np.concatenate([groups[g] for g in taken])])
            residual = y - Q @ (Q.T @ y)
        pull = np.array([-1.0 if g in taken else float(np.linalg.norm(X[:, own].T @ residual))
                         for g, own in enumerate(groups)])  # fmt: skip
        yield pull
        taken.append(int(np.argmax(pull)))


def restricted_eigenvalues(
    gram: np.ndarray, sizes: tuple[int, ...], count: int, inside: Sequence[int] | None = None
) -> tuple[float, float]:
    """Least and largest eigenvalue of the Gram matrix over all supports of `count` groups.

    With `inside`, over that one support. More than 20,000 supports are bounded by the whole matrix.
    """
    ends = np.cumsum(sizes)
    groups = [np.arange(end - size, end) for size, end in zip(sizes, ends, strict=True)]
    count = min(count, len(groups))
    if inside is not None:
        supports: list[tuple[int, ...]] = [tuple(inside)]
    elif _choose(len(groups), count) <= 20_000:
        supports = list(itertools.combinations(range(len(groups)), count))
    else:
        supports = [tuple(range(len(groups)))]
    if len(set(sizes)) == 1:  # all blocks at once
        index = np.array([np.concatenate([groups[g] for g in s]) for s in supports])
        values = np.linalg.eigvalsh(gram[index[:, :, None], index[:, None, :]])
        return float(values.min()), float(values.max())
    spectra = []
    for support in supports:
        index = np.concatenate([groups[g] for g in support])
        spectra.append(np.linalg.eigvalsh(gram[np.ix_(index, index)]))
    return min(float(s[0]) for s in spectra), max(float(s[-1]) for s in spectra)


def _choose(n: int, k: int) -> int:
    from scipy.special import comb

    return int(comb(n, k, exact=True))


def contraction(convexity: float, smoothness: float, k: int) -> float:
    """f(t+1) - f* <= (1 - mu / (k L)) (f(t) - f*)."""
    return 1 - convexity / (k * smoothness)


def least_size(convexity: float, smoothness: float, k: int) -> float:
    """OMPR needs k' >= k (L_2^2 / mu_{k+k'}^2 + 1) groups."""
    return k * ((smoothness / convexity) ** 2 + 1)


def rounds(convexity: float, smoothness: float, k: int, start: float, accuracy: float) -> float:
    """R >= k (L_2 / mu) log((f(0) - f*) / eps) rounds reach f* + eps."""
    return max(0.0, float(np.ceil(k * smoothness / convexity * np.log(start / accuracy))))
