"""Laws of the rank loss and of ranks that see the size of singular values."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.tolerances import rtol
from theory_lab.numerics.spectra import (
    delta_rank,
    energy_rank,
    entropy_rank,
    frobenius_norm,
    rank_loss,
    squared_singular_values,
    stable_rank,
)

SEEDS = st.integers(0, 2**32 - 1)
SHAPES = [(40, 40), (64, 576), (200, 30), (96, 400)]


def matrix(m: int, n: int, density: float = 0.1, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((m, n)) * (rng.random((m, n)) < density)


def gradient_by_svd(W: np.ndarray, k: int) -> np.ndarray:
    norm = np.linalg.norm(W)
    U, s, Vt = np.linalg.svd(W / norm, full_matrices=False)
    R = (U[:, k:] * s[k:]) @ Vt[k:]
    return -2 / norm * (R - np.sum(s[k:] ** 2) * W / norm)


def error(found: object, exact: np.ndarray) -> float:
    return float(np.linalg.norm(np.asarray(found) - exact) / np.linalg.norm(exact))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("energy", [0.05, 0.2, 0.5])
@pytest.mark.parametrize(
    ("dtype", "most"),
    [(np.float64, 1e-11), (np.float32, 5e-5)],  # vectors turn by rounding over the gap at k
)
def test_gradient_is_that_of_a_full_decomposition(
    shape: tuple[int, int], energy: float, dtype: type, most: float
) -> None:
    W = matrix(*shape).astype(dtype)
    for given_matrix in (W, torch.from_numpy(W)):
        loss = rank_loss(given_matrix, energy=energy)
        assert loss.gradient.dtype == given_matrix.dtype
        assert error(loss.gradient, gradient_by_svd(W.astype(float), loss.rank)) <= most


@pytest.mark.parametrize("k", [1, 3, 7])
def test_gradient_is_autograd_through_the_decomposition(k: int) -> None:
    W = torch.from_numpy(matrix(8, 11, 0.6)).requires_grad_()
    s = torch.linalg.svdvals(W)
    loss = -(s[k:] ** 2).sum() / (s**2).sum()
    (expected,) = torch.autograd.grad(loss, W)
    found = rank_loss(W.detach(), rank=k)
    assert found.value == pytest.approx(loss.item(), rel=1e-12)
    torch.testing.assert_close(found.gradient, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [1e-30, 1e-18, 1e18, 1e30])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradient_of_entries_whose_squares_leave_their_type(size: float, dtype: type) -> None:
    W = matrix(20, 30, 0.5)
    found = rank_loss((size * W).astype(dtype), energy=0.2)
    exact = rank_loss(W, energy=0.2)
    assert found.rank == exact.rank
    assert found.value == pytest.approx(exact.value, rel=1e-4)
    assert error(size * np.asarray(found.gradient, dtype=float), exact.gradient) <= 5e-5


@pytest.mark.parametrize("shape", [(9, 14), (14, 9)])
def test_both_sides_of_the_spectrum_give_the_gradient(shape: tuple[int, int]) -> None:
    """k = 1 and 8 of 9: from the head's one vector, and from the tail's one vector."""
    W = matrix(*shape, density=0.7)
    for k in (1, 4, 5, 8):
        for given_matrix in (W, torch.from_numpy(W)):
            assert error(rank_loss(given_matrix, rank=k).gradient, gradient_by_svd(W, k)) <= 1e-11


def test_the_matrix_itself_is_left_as_it_is() -> None:
    W = matrix(12, 12)
    before = W.copy()
    rank_loss(W, energy=0.2)
    np.testing.assert_array_equal(W, before)


def test_norm_is_summed_in_float64() -> None:
    W = np.full((512, 4608), 0.1, dtype=np.float32)
    exact = float(np.float32(0.1)) * np.sqrt(W.size)
    assert frobenius_norm(torch.from_numpy(W)) == pytest.approx(exact, rel=1e-12)


@given(seed=SEEDS, m=st.integers(1, 9), n=st.integers(1, 9), scale=st.floats(1e-3, 1e3))
def test_loss_does_not_see_scale_or_transposition(seed: int, m: int, n: int, scale: float) -> None:
    W, k = matrix(m, n, 1.0, seed), min(m, n) - 1
    first, larger, turned = (rank_loss(V, rank=k) for V in (W, scale * W, W.T))
    size = max(1.0, 1.0 / np.linalg.norm(W))
    assert larger.value == pytest.approx(first.value, abs=1e-12)
    np.testing.assert_allclose(scale * larger.gradient, first.gradient, atol=1e-7 * size)
    np.testing.assert_allclose(turned.gradient.T, first.gradient, atol=1e-7 * size)


@given(seed=SEEDS, m=st.integers(1, 9), n=st.integers(1, 9), energy=st.floats(0.001, 1.0))
def test_energy_rank_is_the_nearest_tail(seed: int, m: int, n: int, energy: float) -> None:
    W = matrix(m, n, 1.0, seed)
    squares = squared_singular_values(W)
    np.testing.assert_allclose(
        squares, (np.linalg.svd(W, compute_uv=False) / np.linalg.norm(W)) ** 2, atol=1e-13
    )
    distances = [abs(squares[k:].sum() - energy) for k in range(len(squares))]
    k = energy_rank(squares, energy)
    assert distances[k] <= min(distances) + rtol()
    assert rank_loss(W, energy=energy).rank == k


def test_of_equally_near_tails_the_largest_rank() -> None:
    assert energy_rank(np.full(4, 0.25), 0.375) == 3
    assert energy_rank(torch.full((4,), 0.25), 0.625) == 2


def test_rank_one_has_no_tail() -> None:
    exact = np.diag([2.0, 0.0, 0.0])
    assert rank_loss(exact, energy=0.2).rank == 2
    for W in (exact, np.outer(np.arange(1.0, 5.0), np.arange(1.0, 4.0))):
        loss = rank_loss(W, energy=0.2)
        assert loss.value == pytest.approx(0.0, abs=1e-15)
        np.testing.assert_allclose(loss.gradient, 0.0, atol=1e-15)


@given(seed=SEEDS, r=st.integers(1, 12), delta=st.floats(0.0, 0.99))
def test_delta_rank_is_the_least_rank_within_delta(seed: int, r: int, delta: float) -> None:
    squares = np.sort(np.random.default_rng(seed).random(r))[::-1]
    squares /= squares.sum()
    k = delta_rank(squares, delta)
    assert k == delta_rank(torch.from_numpy(squares.copy()), delta)
    tails = [sum(squares[j:][::-1]) for j in range(r + 1)]
    assert tails[k] <= delta + rtol()
    assert k == 0 or tails[k - 1] > delta - rtol()


def test_ranks_of_a_flat_spectrum() -> None:
    squares = np.append(np.full(5, 0.2), np.zeros(3))
    assert stable_rank(squares) == pytest.approx(5.0)
    assert entropy_rank(squares) == pytest.approx(5.0)
    assert delta_rank(squares, 0.1) == 5
    assert entropy_rank(torch.from_numpy(squares)) == pytest.approx(5.0)


def test_zeros_have_loss_and_gradient_zero() -> None:
    loss = rank_loss(np.zeros((3, 4)), energy=0.2)
    assert (loss.value, loss.rank) == (0.0, 0)
    assert not loss.gradient.any()


@pytest.mark.parametrize(
    ("W", "arguments", "cure"),
    [
        (np.ones((2, 3)), dict(), "either rank or energy"),
        (np.ones((2, 3)), dict(rank=1, energy=0.2), "either rank or energy"),
        (np.eye(3), dict(rank=3), "from 0 to"),
        (np.eye(3), dict(rank=-1), "from 0 to"),
        (np.array([[1.0, np.nan]]), dict(energy=0.2), "not finite"),
        (np.array([[1.0, np.inf]]), dict(energy=0.2), "not finite"),
        (np.ones((2, 3, 3)), dict(energy=0.2), "two axes"),
    ],
)
def test_errors_say_what_would_be_right(W: np.ndarray, arguments: dict, cure: str) -> None:
    with pytest.raises(ValueError, match=cure):
        rank_loss(W, **arguments)


def test_zeros_have_no_spectrum() -> None:
    with pytest.raises(ValueError, match="leave it out"):
        squared_singular_values(np.zeros((2, 2)))
