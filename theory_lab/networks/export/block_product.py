"""Products of a block-sparse matrix (BSR) with a dense one."""

from __future__ import annotations

import itertools
import warnings
from typing import NamedTuple

import torch
from torch import Tensor


class BlockMatrix(NamedTuple):
    """W: (block rows * rows, `width` * columns) by its non-zero blocks.

    `values`: (blocks, rows, columns), block row by block row; `columns`: (blocks,) the block column
    of each, ascending; `pointers`: (block rows + 1,) where each block row starts.
    """

    values: Tensor
    columns: Tensor
    pointers: Tensor
    width: int

    @property
    def shape(self) -> tuple[int, int]:
        _, rows, columns = self.values.shape
        return (len(self.pointers) - 1) * rows, self.width * columns

    def to_dense(self) -> Tensor:
        tiles = self.values.new_zeros(len(self.pointers) - 1, self.width, *self.values.shape[1:])
        rows = torch.arange(len(tiles), device=self.columns.device)
        tiles[rows.repeat_interleave(self.pointers.diff()), self.columns] = self.values
        return tiles.transpose(1, 2).reshape(self.shape)


def multiply(W: BlockMatrix, x: Tensor) -> Tensor:
    """W x for x: (columns of W, any), by torch's own product where it has one."""
    is_square = W.values.shape[1] == W.values.shape[2]
    has_product = x.device.type == "cpu" and torch.backends.mkl.is_available()
    if is_square and has_product and x.dtype in (torch.float32, torch.float64):
        return multiply_by_mkl(W, x)
    return multiply_by_rows(W, x)


def multiply_by_mkl(W: BlockMatrix, x: Tensor) -> Tensor:
    """Square blocks in float32 or float64 on a CPU with MKL."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*beta state", UserWarning)
        parts = (W.pointers, W.columns, W.values)
        return torch.sparse_bsr_tensor(*parts, W.shape, check_invariants=False) @ x.contiguous()


def multiply_by_rows(W: BlockMatrix, x: Tensor) -> Tensor:
    """One dense product a block row: its blocks side by side, times the rows of x that they meet."""
    _, rows, columns = W.values.shape
    met = x.contiguous().view(W.width, columns, x.shape[1])
    out = []
    for start, end in itertools.pairwise(W.pointers.tolist()):
        left = W.values[start:end].transpose(0, 1).reshape(rows, -1)
        out.append(left @ met.index_select(0, W.columns[start:end]).flatten(0, 1))
    return torch.cat(out)
