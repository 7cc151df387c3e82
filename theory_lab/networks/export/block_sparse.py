"""Weights stored in the blocks that are not zero (block compressed sparse rows, BSR).

A format that saves bytes. Whether it saves time depends on the machine, the block, the density and
the batch: `speed_up` measures it.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from theory_lab.core import UsageError
from theory_lab.networks.blocks import Blocks, as_matrix, as_weight, block_size
from theory_lab.networks.export.block_product import BlockMatrix, multiply
from theory_lab.networks.export.plain import dense
from theory_lab.networks.measures.storage import bsr_bytes
from theory_lab.networks.prunable import prunable_weights


def block_sparse(model: nn.Module, block: int | tuple[int, int] = (8, 8)) -> nn.Module:
    """A copy, for evaluation, whose layers hold the non-zero blocks (rows, columns) of their weights.

    Blocks tile the matrix (out, kernel * in). A layer stays dense where blocks would not make it
    smaller; UsageError where that is all of them.
    """
    size, sparse = block_size(block), dense(model)
    layers = {weight.layer: weight for weight in prunable_weights(sparse)}
    smaller = [
        layer
        for layer, weight in layers.items()
        if is_supported(layer) and bsr_bytes(weight.effective, size) < weight.effective.nbytes
    ]
    if not smaller:
        raise UsageError(
            f"No layer gets smaller in blocks of {size}; prune the model in such blocks"
            " first, or take the blocks that it was pruned in."
        )
    for name, layer in list(sparse.named_modules()):
        if layer in smaller:
            replace(sparse, name, BlockSparse.of(layer, size))
    return sparse.eval()


def is_supported(layer: nn.Module) -> bool:
    """Linear layers, and plain two-dimensional convolutions."""
    if isinstance(layer, nn.Conv2d):
        plain = layer.groups == 1 and layer.dilation == (1, 1) and layer.padding_mode == "zeros"
        return plain and not isinstance(layer.padding, str)
    return isinstance(layer, nn.Linear)


def replace(model: nn.Module, name: str, layer: nn.Module) -> None:
    """Put `layer` in the place of the module of this name."""
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, layer)


class Convolution(NamedTuple):
    """What a plain convolution does to places; each pair is (vertical, horizontal)."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]

    @classmethod
    def of(cls, layer: nn.Conv2d) -> Convolution:
        pairs = (layer.kernel_size, layer.stride, layer.padding)
        return cls(*((int(pair[0]), int(pair[1])) for pair in pairs))

    def windows(self, x: Tensor) -> Tensor:
        """(n, in, h, w) -> (kh, kw, in, n, h', w'): what each tap sees."""
        (top, left), (kh, kw), (down, right) = self.padding, self.kernel, self.stride
        seen = pad(x, (left, left, top, top)).unfold(2, kh, down).unfold(3, kw, right)
        return seen.permute(4, 5, 1, 0, 2, 3)


class BlockSparse(nn.Module):
    """A linear layer or a convolution with W: (out, kernel * in) in blocks, for evaluation.

    The buffers are the parts of its `BlockMatrix`, the bias, and the `shape` of the dense weight.
    """

    shape: Tensor
    values: Tensor
    columns: Tensor
    pointers: Tensor
    bias: Tensor | None

    def __init__(self, layer: nn.Linear | nn.Conv2d, block: tuple[int, int], count: int) -> None:
        """Room for `count` blocks of a layer like this one."""
        super().__init__()
        weight = layer.weight
        self.blocks = Blocks(tuple(weight.shape), (block[0], block[1]))
        self.convolution = Convolution.of(layer) if isinstance(layer, nn.Conv2d) else None
        self.register_buffer("shape", torch.tensor(weight.shape, dtype=torch.int32))
        self.register_buffer("values", weight.new_zeros(count, *block))
        self.register_buffer("columns", weight.new_zeros(count, dtype=torch.int32))
        pointers = weight.new_zeros(self.blocks.grid[0] + 1, dtype=torch.int32)
        self.register_buffer("pointers", pointers)
        self.register_buffer("bias", None if layer.bias is None else layer.bias.detach().clone())

    @classmethod
    def of(cls, layer: nn.Linear | nn.Conv2d, block: tuple[int, int]) -> BlockSparse:
        """The same layer in blocks."""
        blocks = Blocks(tuple(layer.weight.shape), block)
        (m, n), grid = blocks.matrix_shape, blocks.grid
        padding = (0, grid[1] * block[1] - n, 0, grid[0] * block[0] - m)
        padded = pad(as_matrix(layer.weight.detach()), padding)
        tiles = padded.reshape(grid[0], block[0], grid[1], block[1]).transpose(1, 2)
        kept = tiles.ne(0).flatten(2).any(2)
        sparse = cls(layer, block, int(kept.sum()))
        sparse.values.copy_(tiles[kept])
        sparse.columns.copy_(kept.nonzero()[:, 1])
        sparse.pointers[1:] = kept.sum(1).cumsum(0)
        return sparse

    def matrix(self) -> BlockMatrix:
        """W, padded with zeros to whole blocks."""
        return BlockMatrix(self.values, self.columns, self.pointers, self.blocks.grid[1])

    @property
    def weight(self) -> Tensor:
        """The dense weight in the layer's own shape."""
        m, n = self.blocks.matrix_shape
        return as_weight(self.matrix().to_dense()[:m, :n], self.blocks.shape)

    def forward(self, x: Tensor) -> Tensor:
        if self.convolution is None:
            out = self._times(x.reshape(-1, x.shape[-1]).T).T.reshape(*x.shape[:-1], -1)
            return out if self.bias is None else out + self.bias
        windows = self.convolution.windows(x)
        out = self._times(windows.flatten(3).flatten(0, 2)).unflatten(1, windows.shape[3:])
        out = out.transpose(0, 1)
        return out if self.bias is None else out + self.bias[:, None, None]

    def _times(self, x: Tensor) -> Tensor:
        """W x for x: (kernel * in, any) -> (out, any)."""
        W = self.matrix()
        return multiply(W, pad(x, (0, 0, 0, W.shape[1] - len(x))))[: self.blocks.shape[0]]
