"""Weights stored in blocks: the same numbers, the same outputs, fewer bytes."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.tolerances import rtol
from theory_lab.core import UsageError
from theory_lab.networks import export, measures, models
from theory_lab.networks.blocks import Blocks
from theory_lab.networks.export.block_product import BlockMatrix, multiply, multiply_by_rows
from theory_lab.networks.prunable import prunable_weights


@torch.no_grad()
def prune_blocks(
    model: nn.Module, block: tuple[int, int], density: float, seed: int = 0
) -> nn.Module:
    """Zero random blocks of every layer that is large enough."""
    generator = torch.Generator().manual_seed(seed)
    for weight in prunable_weights(model):
        shape = tuple(weight.parameter.shape)
        if shape[0] >= block[0] and shape[1:] and torch.Size(shape[1:]).numel() >= block[1]:
            blocks = Blocks(shape, block)
            kept = torch.rand(blocks.grid, generator=generator) < density
            weight.parameter.masked_fill_(~blocks.expand(kept), 0)
    return model


def close(found: Tensor, wanted: Tensor, terms: int) -> None:
    """Equal to the rounding of sums of `terms` products in another order."""
    scale = float(wanted.detach().abs().max())
    tolerance = rtol("float32" if wanted.dtype == torch.float32 else "float64")
    torch.testing.assert_close(found, wanted, rtol=0, atol=tolerance * scale * terms**0.5)


@given(
    st.tuples(st.integers(1, 6), st.integers(1, 6)),
    st.tuples(st.integers(6, 17), st.integers(6, 17)),
    st.floats(0, 0.6),
    st.booleans(),
)
def test_a_linear_layer_in_blocks_is_the_layer(
    block: tuple[int, int], shape: tuple[int, int], density: float, bias: bool
) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(shape[1], shape[0], bias=bias).double()
    prune_blocks(layer, block, density)
    sparse = export.BlockSparse.of(layer, block)
    assert torch.equal(sparse.weight, layer.weight)
    x = torch.randn(3, 2, shape[1], dtype=torch.float64)
    close(sparse(x), layer(x), shape[1])


@given(
    st.tuples(st.integers(1, 6), st.integers(1, 6)),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(0, 2),
    st.floats(0, 0.6),
)
def test_a_convolution_in_blocks_is_the_convolution(
    block: tuple[int, int], kernel: int, stride: int, padding: int, density: float
) -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(7, 9, (kernel, 2), (1, stride), (padding, 1)).double()
    prune_blocks(layer, block, density)
    sparse = export.BlockSparse.of(layer, block)
    assert torch.equal(sparse.weight, layer.weight)
    x = torch.randn(2, 7, 6, 8, dtype=torch.float64)
    close(sparse(x), layer(x), 63)


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 5), st.integers(1, 5), st.floats(0, 1))
def test_both_products_are_that_of_the_dense_matrix(
    side: int, columns: int, height: int, width: int, density: float
) -> None:
    kept = torch.rand(height, width, generator=torch.Generator().manual_seed(0)) < density
    pointers = torch.cat([torch.zeros(1, dtype=torch.int64), kept.sum(1).cumsum(0)]).int()

    def matrix(columns: int) -> BlockMatrix:
        values = torch.randn(int(kept.sum()), side, columns, dtype=torch.float64)
        return BlockMatrix(values, kept.nonzero()[:, 1].int(), pointers, width)

    torch.manual_seed(0)
    for W, product in [(matrix(columns), multiply_by_rows), (matrix(side), multiply)]:
        x = torch.randn(W.shape[1], 3, dtype=torch.float64)
        torch.testing.assert_close(product(W, x), W.to_dense() @ x, rtol=0, atol=1e-13)


@pytest.mark.parametrize("block", [(8, 8), (4, 16)])
def test_a_network_in_blocks_has_the_same_outputs_and_its_bytes(block: tuple[int, int]) -> None:
    torch.manual_seed(0)
    model = prune_blocks(models.resnet(8, width=8), block, 0.2).eval()
    sparse = export.block_sparse(model, block)
    example = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        close(sparse(example), model(example), 500)
    state = {n: t for n, t in sparse.state_dict().items() if not n.endswith(".shape")}
    held = sum(t.numel() * t.element_size() for t in state.values())
    assert held == measures.stored_bytes(model, block).bsr < measures.stored_bytes(model).dense
    assert measures.operations(sparse, example) == measures.operations(model, example)
    assert not any(isinstance(m, export.BlockSparse) for m in model.modules())


def test_a_layer_that_blocks_would_make_larger_stays_dense() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 16), nn.Linear(16, 3))
    prune_blocks(model[0], (4, 4), 0.2)
    sparse = export.block_sparse(model, (4, 4))
    kinds = [type(module).__name__ for module in sparse]
    assert kinds == ["BlockSparse", "ReLU", "Linear", "Linear"]
    assert [type(module).__name__ for module in export.block_sparse(model, 4)] == kinds


def test_speed_is_measured_not_promised() -> None:
    torch.manual_seed(0)
    model = prune_blocks(nn.Sequential(nn.Linear(64, 64)), (8, 8), 0.1)
    found = export.speed_up(
        model, export.block_sparse(model, (8, 8)), torch.ones(4, 64), repetitions=3
    )
    assert found.factor == found.before.median / found.after.median > 0


def test_a_dense_model_has_no_blocks_to_save() -> None:
    with pytest.raises(UsageError, match="No layer gets smaller in blocks of"):
        export.block_sparse(models.mlp((16, 16, 4)), (4, 4))
