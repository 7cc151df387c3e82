"""A weight as a matrix of blocks.

A convolution's weight (out, in, kh, kw) is the matrix (out, kh kw in), a linear weight (out, in)
is itself. Blocks of (rows, columns) tile the matrix from its first entry; those at the last rows
and columns may be smaller. Values of blocks have the shape (block rows, block columns).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from theory_lab.core import UsageError
from theory_lab.networks.prunable import is_count


def as_matrix(weight: Tensor) -> Tensor:
    """(out, in, *kernel) -> (out, kernel * in), the input channels of a tap side by side."""
    return weight.movedim(1, -1).reshape(weight.shape[0], -1)


def as_weight(matrix: Tensor, shape: torch.Size | tuple[int, ...]) -> Tensor:
    """The inverse of `as_matrix` for a weight of this shape."""
    out, inputs, *kernel = shape
    if matrix.numel() == out * inputs:
        # movedim would leave a 1x1 kernel the strides of channels_last, with which the backward
        # pass of a convolution of stride 2 corrupts the heap (torch 2.13 on the CPU).
        return matrix.reshape(shape)
    return matrix.reshape(out, *kernel, inputs).movedim(-1, 1)


def block_size(block: int | tuple[int, int]) -> tuple[int, int]:
    """(rows, columns), from both or from one number for the two; UsageError for anything else."""
    sides = tuple(block) if isinstance(block, Sequence) else (block, block)
    if len(sides) != 2 or not all(map(is_count, sides)):
        raise UsageError(
            f"block is {block!r}, but must be a whole number of at least 1, or two: rows, columns."
        )
    return int(sides[0]), int(sides[1])


@dataclass(frozen=True)
class Blocks:
    """The tiling of one weight of `shape` by blocks of `size`; UsageError where a dimension of the
    matrix is smaller than the block."""

    shape: tuple[int, ...]
    size: tuple[int, int]
    name: str = "weight"

    def __post_init__(self) -> None:
        if min(self.size) < 1:
            raise UsageError(f"A block has {self.size} entries a side; both must be at least 1.")
        if any(block > n for block, n in zip(self.size, self.matrix_shape, strict=True)):
            raise UsageError(
                f"{self.name} is a matrix of {self.matrix_shape}, smaller than the block"
                f" {self.size}; take a smaller block, or skip this layer."
            )

    @property
    def matrix_shape(self) -> tuple[int, int]:
        out, *rest = self.shape
        return out, int(torch.Size(rest).numel())

    @property
    def grid(self) -> tuple[int, int]:
        """(block rows, block columns)."""
        (m, n), (rows, columns) = self.matrix_shape, self.size
        return -(-m // rows), -(-n // columns)

    @property
    def count(self) -> int:
        return self.grid[0] * self.grid[1]

    @property
    def is_even(self) -> bool:
        """Whether no block at a border is smaller."""
        return all(n % block == 0 for block, n in zip(self.size, self.matrix_shape, strict=True))

    @property
    def entries(self) -> Tensor:
        """The number of weights in each block."""
        sides = [
            torch.tensor([min(block, n - start) for start in range(0, n, block)])
            for block, n in zip(self.size, self.matrix_shape, strict=True)
        ]
        return torch.outer(*sides)

    def expand(self, values: Tensor) -> Tensor:
        """Values of blocks (block rows, block columns) at each of their weights, in `shape`."""
        (m, n), (rows, columns), grid = self.matrix_shape, self.size, self.grid
        tiles = values[:, None, :, None].expand(grid[0], rows, grid[1], columns)
        return as_weight(tiles.reshape(grid[0] * rows, -1)[:m, :n].contiguous(), self.shape)

    def corners(self, weight: Tensor) -> Tensor:
        """The first entry of each block, the inverse of `expand`."""
        return as_matrix(weight)[:: self.size[0], :: self.size[1]]

    def sum(self, weight: Tensor) -> Tensor:
        """Sums over the weights of each block: `shape` -> (block rows, block columns)."""
        (m, n), (rows, columns), grid = self.matrix_shape, self.size, self.grid
        padding = (0, grid[1] * columns - n, 0, grid[0] * rows - m)
        padded = torch.nn.functional.pad(as_matrix(weight), padding)
        return padded.reshape(grid[0], rows, grid[1], columns).sum((1, 3))

    def squared_norms(self, weight: Tensor) -> Tensor:
        """|W_b|_F^2 of each block."""
        return self.sum(weight.square())
