"""Operations, bytes and times of a model."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pytorchcv.models.resnet_cifar import CIFARResNet
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.utils.flop_counter import FlopCounterMode

from theory_lab.core import UsageError
from theory_lab.networks import measures, models


def resnet8() -> nn.Module:
    torch.manual_seed(0)
    return CIFARResNet(
        channels=[[4], [8], [16]], init_block_channels=4, bottleneck=False, num_classes=10
    )


def small(kernel: int = 3, stride: int = 1) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 6, kernel, stride, padding=kernel // 2), nn.ReLU(), nn.Flatten(),
        nn.LazyLinear(5),
    )  # fmt: skip


@torch.no_grad()
def prune(model: nn.Module, density: float, seed: int = 0) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.weight *= torch.rand(module.weight.shape, generator=generator) < density
    return model


def loop_operations(weight: Tensor, height: int, width: int, stride: int, pad: int) -> int:
    """Multiplications of a convolution, counted output by output over a padded image."""
    rows = range(0, height + 2 * pad - weight.shape[2] + 1, stride)
    columns = range(0, width + 2 * pad - weight.shape[3] + 1, stride)
    nonzero = int((weight != 0).sum())
    return sum(nonzero for _ in rows for _ in columns)


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (1, 2), (5, 3)])
def test_operations_of_a_convolution_and_a_linear_layer(kernel: int, stride: int) -> None:
    model, example = small(kernel, stride), torch.randn(3, 2, 9, 7)
    model(example)
    prune(model, 0.3)
    found = measures.operations(model, example)
    conv, linear = model[0].weight, model[3].weight
    dense = loop_operations(torch.ones_like(conv), 9, 7, stride, kernel // 2)
    nonzero = loop_operations(conv, 9, 7, stride, kernel // 2)
    assert found["0.weight"] == (dense, nonzero)
    assert found["3.weight"] == (linear.numel(), int((linear != 0).sum()))
    total = measures.total_operations(model, example)
    assert total == (dense + linear.numel(), nonzero + found["3.weight"].nonzero)


@pytest.mark.parametrize(
    ("make", "size", "millions"),
    [
        (lambda: models.resnet(20), 32, 40.8),
        (lambda: models.resnet(18), 32, 555.4),
        (lambda: models.resnet(50), 32, 1297.8),
        (lambda: models.vgg(19), 32, 398.1),
        (lambda: models.lenet5(), 28, None),
        (lambda: models.mlp((784, 300, 100, 10)), 28, 0.2662),
    ],
)
def test_operations_are_half_of_torchs_flops(make, size: int, millions: float | None) -> None:
    model = make()
    example = torch.zeros(1, 3 if size == 32 else 1, size, size)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.eval()(example)
    found = measures.total_operations(model, example).dense
    assert found == counter.get_total_flops() // 2
    assert millions is None or found / 1e6 == pytest.approx(millions, rel=2e-3)


def test_operations_leave_the_model_alone() -> None:
    model = resnet8()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    measures.operations(model, torch.randn(2, 3, 32, 32))
    assert model.training
    assert all(torch.equal(before[name], now) for name, now in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


def test_a_layer_that_runs_twice_counts_twice() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(self.layer(x))

    assert measures.total_operations(Twice(), torch.ones(1, 4)) == (32, 32)


class Halved(nn.Module):
    """A parametrisation that prunes the first four rows."""

    def forward(self, weight: Tensor) -> Tensor:
        return torch.cat([0 * weight[:4], weight[4:]])


def test_a_parametrised_weight_counts_as_the_one_that_it_makes() -> None:
    model = nn.Sequential(nn.Linear(8, 8, bias=False))
    parametrize.register_parametrization(model[0], "weight", Halved())
    assert measures.total_operations(model, torch.ones(1, 8)) == (64, 32)
    assert measures.stored_bytes(model, (4, 4)) == (256, 136, 256, 2 * (64 + 4) + 3 * 4)


@given(
    st.integers(1, 20), st.integers(1, 20), st.integers(1, 5), st.integers(1, 5), st.floats(0, 1)
)
def test_bytes_are_those_of_the_formats(
    m: int, n: int, rows: int, columns: int, density: float
) -> None:
    """Against scipy's CSR and BSR of the same matrix, with int32 indices."""
    from scipy import sparse

    model = prune(nn.Sequential(nn.Linear(n, m)), density, seed=m * n)
    weight = model[0].weight.detach().numpy()
    found, bias = measures.stored_bytes(model, (rows, columns)), 4 * m
    dense = weight.nbytes
    assert found.dense == dense + bias
    packed = np.packbits(weight != 0).nbytes + weight[weight != 0].nbytes
    assert found.bitmask == min(packed, dense) + bias
    csr = sparse.csr_array(weight)
    size = csr.data.nbytes + csr.indices.nbytes + csr.indptr.nbytes
    assert found.csr == min(size, dense) + bias
    if rows > m or columns > n:
        assert found.bsr == dense + bias
        return
    padded = np.pad(weight, ((0, -m % rows), (0, -n % columns)))
    bsr = sparse.bsr_array(padded, blocksize=(rows, columns))
    bsr.eliminate_zeros()
    size = bsr.data.nbytes + bsr.indices.nbytes + bsr.indptr.nbytes
    assert found.bsr == min(size, dense) + bias


def test_bytes_of_blocks_of_a_convolution_follow_its_taps() -> None:
    """Input channels of one tap stand side by side: zeroing a tap of 8 channels frees its blocks."""
    model = nn.Sequential(nn.Conv2d(8, 8, 3, bias=False))
    with torch.no_grad():
        model[0].weight.fill_(1)[:, :, 0, 0] = 0
    assert measures.stored_bytes(model, (8, 8)).bsr == 8 * (64 * 4 + 4) + 2 * 4


def test_dense_bytes_count_buffers() -> None:
    model = resnet8()
    state = model.state_dict().values()
    assert measures.stored_bytes(model).dense == sum(t.numel() * t.element_size() for t in state)


def test_latency_has_a_spread_and_restores_the_mode() -> None:
    model, example = resnet8(), torch.randn(1, 3, 32, 32)
    found = measures.latency(model, example, repetitions=5)
    assert 0 < found.lower <= found.median <= found.upper
    assert model.training
    with pytest.raises(UsageError, match="at least 1"):
        measures.latency(model, example, repetitions=0)


def test_a_longer_pass_takes_longer() -> None:
    """Not a bound on time: 400 layers against one, in turns."""
    short, long = nn.Linear(64, 64), nn.Sequential(*(nn.Linear(64, 64) for _ in range(400)))
    one, many = measures.latencies([short, long], torch.ones(8, 64), repetitions=9)
    assert many.median > one.median


def test_cost_puts_them_together() -> None:
    model, example = prune(resnet8(), 0.1), torch.randn(2, 3, 32, 32)
    found = measures.cost(model, example, repetitions=2)
    assert found.parameters == 5214
    assert found.nonzero == sum(int((p != 0).sum()) for p in model.parameters())
    assert found.operations == measures.total_operations(model, example)
    assert found.stored == measures.stored_bytes(model)
