"""Laws of the packed form of symmetric matrices."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from theory_lab.numerics.symmetric import gathers, matrix_size, packed_size, smat, svec


def symmetric(rng: np.random.Generator, *shape: int) -> np.ndarray:
    Z = rng.standard_normal((*shape, shape[-1]))
    return Z + np.swapaxes(Z, -1, -2)


@given(d=st.integers(1, 12), seed=st.integers(0, 2**32 - 1))
def test_svec_keeps_inner_products(d: int, seed: int) -> None:
    Y, Z = symmetric(np.random.default_rng(seed), 2, d)
    scale = np.linalg.norm(Y) * np.linalg.norm(Z)
    assert abs(svec(Y) @ svec(Z) - np.sum(Y * Z)) <= 1e-14 * scale * d


@given(d=st.integers(1, 12), seed=st.integers(0, 2**32 - 1))
def test_smat_undoes_svec_on_stacks(d: int, seed: int) -> None:
    Z = symmetric(np.random.default_rng(seed), 3, 2, d)
    packed = svec(Z)
    assert packed.shape == (3, 2, packed_size(d))
    np.testing.assert_allclose(smat(packed), Z, rtol=1e-15)


def test_svec_of_a_known_matrix() -> None:
    root = np.sqrt(2)
    Z = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 5.0], [3.0, 5.0, 6.0]])
    np.testing.assert_array_equal(svec(Z), [1, 2 * root, 3 * root, 4, 5 * root, 6])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_numpy_and_torch_agree(dtype: torch.dtype) -> None:
    Z = torch.as_tensor(symmetric(np.random.default_rng(0), 4, 5), dtype=dtype)
    packed = svec(Z)
    assert packed.dtype == dtype
    np.testing.assert_array_equal(packed.numpy(), svec(Z.numpy()))
    np.testing.assert_array_equal(smat(packed).numpy(), smat(packed.numpy()))


def test_sizes_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ValueError, match="not 7"):
        smat(np.zeros(7))
    with pytest.raises(ValueError, match="square"):
        svec(np.zeros((2, 3)))


def test_sizes_are_inverse() -> None:
    assert [matrix_size(packed_size(d)) for d in range(1, 300)] == list(range(1, 300))


def test_shared_tables_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        gathers(4).weights[0] = 2.0
