"""Arrays of two kinds, and the inner products that are one formula for both."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.networks.another_device import Elsewhere, another_device
from tests.tolerances import rtol
from theory_lab.numerics.arrays import like, on_host
from theory_lab.numerics.inner_products import column_products, matrix_products

KINDS = {"numpy": np.asarray, "torch": torch.tensor}


@pytest.mark.parametrize("kind", KINDS)
@given(seed=st.integers(0, 10**6), m=st.integers(1, 3), d=st.integers(1, 6), k=st.integers(1, 6))
def test_products_are_sums(kind: str, seed: int, m: int, d: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    A, B, shared = (rng.standard_normal(shape) for shape in ((m, d, k), (m, d, k), (d, k)))
    of = KINDS[kind]
    close = dict(rtol=rtol(), atol=1e-14)
    np.testing.assert_allclose(column_products(of(A), of(B)), (A * B).sum(1), **close)
    np.testing.assert_allclose(column_products(of(A), of(shared)), (A * shared).sum(1), **close)
    np.testing.assert_allclose(matrix_products(of(A), of(B)), (A * B).sum((1, 2)), **close)
    turned = of(np.ascontiguousarray(A.swapaxes(1, 2))).swapaxes(1, 2)
    np.testing.assert_allclose(matrix_products(turned, of(B)), (A * B).sum((1, 2)), **close)


def test_values_become_like_an_array_and_come_back() -> None:
    values = np.arange(6.0).reshape(2, 3)
    values.flags.writeable = False
    assert on_host(values) is values
    assert like(2, values).shape == ()
    with another_device() as name:
        there = torch.tensor([1.0], dtype=torch.float32, device=name)
        moved = like(values, there)
        assert isinstance(moved, Elsewhere)
        assert moved.dtype == torch.float32
        back = on_host(moved)
    assert isinstance(back, np.ndarray)
    np.testing.assert_array_equal(back, values)
    copy = like(values, values)
    copy += 1
    assert values[0, 0] == 0
