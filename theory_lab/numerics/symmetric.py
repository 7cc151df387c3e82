"""Symmetric matrices packed into vectors: svec keeps inner products, smat undoes it.

svec(Z) lists Z_ij for i <= j row by row, off-diagonal entries times sqrt(2), so that
<svec(Y), svec(Z)> = <Y, Z>. Array API; the gathers are made once for each size.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import numpy as np
from array_api_compat import array_namespace, device

from theory_lab.numerics.arrays import like


class Gathers(NamedTuple):
    """Index tables between a flattened (d d,) symmetric matrix and its packed form (D,).

    `upper` (D,): where the packed entries stand in the flattened matrix; `full` (d d,): where each
    entry of the matrix stands in the packed vector; `weights` (D,): 1 on the diagonal, sqrt(2) off.
    """

    upper: np.ndarray
    full: np.ndarray
    weights: np.ndarray


def packed_size(d: int) -> int:
    """D = d (d + 1) / 2, the dimension of the symmetric d x d matrices."""
    return d * (d + 1) // 2


def matrix_size(packed: int) -> int:
    """The d with d (d + 1) / 2 = packed; ValueError where there is none."""
    d = (math.isqrt(8 * packed + 1) - 1) // 2
    if packed_size(d) != packed:
        raise ValueError(f"A packed symmetric matrix has d (d + 1) / 2 entries, not {packed}.")
    return d


@functools.lru_cache(maxsize=64)
def gathers(d: int) -> Gathers:
    """The index tables for d x d matrices, made once and read-only."""
    rows, columns = np.triu_indices(d)
    place = np.empty((d, d), dtype=np.intp)
    place[rows, columns] = place[columns, rows] = np.arange(len(rows))
    tables = Gathers(
        rows * d + columns, place.ravel(), np.where(rows == columns, 1.0, math.sqrt(2.0))
    )
    for table in tables:
        table.flags.writeable = False
    return tables


def svec(Z: Any) -> Any:
    """Symmetric (..., d, d) -> (..., D) with <svec(Y), svec(Z)> = <Y, Z>."""
    xp, d = array_namespace(Z), Z.shape[-1]
    if Z.shape[-2:] != (d, d):
        raise ValueError(f"svec needs square matrices, not the shape {tuple(Z.shape)}.")
    tables = gathers(d)
    flat = xp.reshape(Z, (*Z.shape[:-2], d * d))
    upper = xp.asarray(tables.upper, device=device(Z), copy=True)
    return xp.take(flat, upper, axis=-1) * like(tables.weights, Z)


def smat(z: Any) -> Any:
    """The symmetric matrix of a packed vector: (..., D) -> (..., d, d), the inverse of svec."""
    xp, d = array_namespace(z), matrix_size(z.shape[-1])
    tables = gathers(d)
    entries = z / like(tables.weights, z)
    full = xp.asarray(tables.full, device=device(z), copy=True)
    return xp.reshape(xp.take(entries, full, axis=-1), (*z.shape[:-1], d, d))
