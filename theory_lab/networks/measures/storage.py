"""How many bytes a pruned model takes, in the usual formats of sparse matrices."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from theory_lab.networks.blocks import Blocks, as_matrix, block_size
from theory_lab.networks.prunable import LAYERS

INDEX = 4
"""Bytes of an index (int32)."""


class StoredBytes(NamedTuple):
    """Bytes of all parameters and buffers; formats differ in the convolution and linear weights.

    `bitmask`: one bit a weight and the values that are not zero. `csr`: those values, a column
    index each, and a pointer a row, of the matrix (out, kernel * in). `bsr`: the same with the
    blocks that are not zero, borders padded to whole blocks. A layer that a format would make
    larger stays dense, and so does one smaller than a block.
    """

    dense: int
    bitmask: int
    csr: int
    bsr: int


def stored_bytes(model: nn.Module, block: int | tuple[int, int] = (8, 8)) -> StoredBytes:
    """The bytes of `model` in each format; `block`: (rows, columns) of a block, or one number.

    Layers that an export holds in blocks count as they are.
    """
    size = block_size(block)
    layers = {name: m for name, m in model.named_modules() if isinstance(m, LAYERS)}
    names = {f"{name}.weight" if name else "weight" for name in layers}
    others = sum(t.nbytes for name, t in _tensors(model).items() if name not in names)
    formats = [_formats(layer.weight.detach(), size) for layer in layers.values()]
    totals = (sum(column) for column in zip(*formats, strict=True)) if formats else (0, 0, 0, 0)
    return StoredBytes(*(others + total for total in totals))


def _formats(weight: Tensor, block: tuple[int, int]) -> StoredBytes:
    dense, item, nonzero = weight.nbytes, weight.element_size(), int(weight.count_nonzero())
    bitmask = -(-weight.numel() // 8) + nonzero * item
    csr = nonzero * (item + INDEX) + (weight.shape[0] + 1) * INDEX
    return StoredBytes(dense, min(bitmask, dense), min(csr, dense), bsr_bytes(weight, block))


def bsr_bytes(weight: Tensor, block: tuple[int, int]) -> int:
    """Bytes of a weight in blocks, or of the dense one where that is smaller."""
    rows, columns = as_matrix(weight).shape
    if rows < block[0] or columns < block[1]:
        return weight.nbytes
    blocks = Blocks(tuple(weight.shape), block)
    kept = int(blocks.sum((weight != 0).float()).count_nonzero())
    size = kept * (block[0] * block[1] * weight.element_size() + INDEX)
    return min(size + (blocks.grid[0] + 1) * INDEX, weight.nbytes)


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers; a parametrised weight counts once, as the weight that it makes."""
    return {
        name: tensor
        for name, tensor in model.state_dict().items()
        if ".parametrizations." not in f".{name}"
    }
