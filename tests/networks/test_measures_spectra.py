"""Ranks of weights: known matrices, the chain of inequalities, parametrised weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils import parametrize

from tests.tolerances import rtol
from theory_lab.core import UsageError
from theory_lab.networks import measures
from theory_lab.numerics.matching import structural_rank


def test_ranks_of_known_matrices() -> None:
    model = nn.Sequential(nn.Linear(6, 4), nn.Conv2d(2, 5, 2), nn.Linear(3, 3))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        left, right = (torch.randint(-3, 4, s, generator=generator) for s in ((4, 2), (2, 6)))
        model[0].weight.copy_(left @ right)
        model[1].weight.zero_()
        model[1].weight.view(5, 8)[range(5), range(5)] = torch.tensor([2.0, 1, 1, 1, 1])
        model[2].weight.zero_()
    found = measures.ranks(model)
    assert found["0.weight"].exact == 2
    # squared singular values 4, 1, 1, 1, 1 of 8: two tails of 1/8 exceed .2, one of them does not
    assert measures.ranks(model, 0.2)["1.weight"].delta == 4
    assert found["1.weight"].stable == pytest.approx(2, rel=rtol())
    p = np.array([2, 1, 1, 1, 1]) / 6
    assert found["1.weight"].entropy == pytest.approx(np.exp(-(p * np.log(p)).sum()), rel=rtol())
    assert found["1.weight"].exact == found["1.weight"].full == 5
    assert found["2.weight"] == (0, 0.0, 0.0, 0, 3)
    with pytest.raises(UsageError, match="less than 1"):
        measures.ranks(model, 1.0)


@given(st.floats(0.02, 1), st.integers(0, 1000))
def test_the_chain_of_ranks(density: float, seed: int) -> None:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Conv2d(3, 9, 2), nn.Linear(8, 7))
    for weight in (model[0].weight.data, model[1].weight.data):
        weight *= torch.rand(weight.shape) < density
    for name, found in measures.ranks(model).items():
        weight = model.get_parameter(name).detach().flatten(1)
        assert found.stable <= found.exact * (1 + rtol())
        assert found.delta <= found.exact <= structural_rank(weight.numpy() != 0) <= found.full
        norm, top = weight.double().norm() ** 2, torch.linalg.matrix_norm(weight.double(), 2)
        assert found.stable == pytest.approx(float(norm / top**2) if found.exact else 0, rel=1e-10)


class FirstRows(nn.Module):
    """A parametrisation that prunes all but the first three rows."""

    def forward(self, weight: Tensor) -> Tensor:
        return torch.cat([weight[:3], 0 * weight[3:]])


def test_the_rank_is_that_of_the_weight_in_use() -> None:
    model = nn.Sequential(nn.Linear(8, 8))
    assert measures.ranks(model)["0.weight"].exact == 8
    parametrize.register_parametrization(model[0], "weight", FirstRows())
    assert measures.ranks(model)["0.weight"].exact == 3
