"""Inner products of the columns of matrices, and of whole matrices, for stacks of them. Array API."""

from __future__ import annotations

from typing import Any

import numpy as np
from array_api_compat import array_namespace, is_numpy_array


def column_products(A: Any, B: Any) -> Any:
    """<a_j, b_j> for every column: (..., d, k), (..., d, k) -> (..., k); stacks broadcast.

    Numpy's einsum needs no array for A * B. That of torch would make a matrix product of every
    column, after copies of both: there multiplying and summing is faster.
    """
    if is_numpy_array(A):
        return np.einsum("...ij,...ij->...j", A, B)
    return (A * B).sum(-2)


def matrix_products(A: Any, B: Any) -> Any:
    """sum_ij A_ij B_ij for every matrix: (..., d, k), (..., d, k) -> (...)."""
    vecdot = np.vecdot if is_numpy_array(A) else array_namespace(A).vecdot
    flat = (*A.shape[:-2], -1)
    return vecdot(A.reshape(flat), B.reshape(flat))
