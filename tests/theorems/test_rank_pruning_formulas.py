"""The formulas of ranks and of the rank loss, against plain computations and known limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory_lab.theorems.rank_pruning.bounds import rank_loss, rank_measures, sparse_matrices
from theory_lab.theorems.rank_pruning.experiments import masks, matrices, rank_chain
from theory_lab.theorems.rank_pruning.experiments import rank_loss as experiment

SEEDS = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("c", [0.01, 0.3, 1.0, 2.0, 2.7])
def test_one_fixed_point_up_to_e(c: float) -> None:
    """Below c = e the law is 2 - 2 q - c q^2 with q = exp(-c q): the iterated map has one root."""
    q = 1.0
    for _ in range(4000):
        q = 0.5 * (q + math.exp(-c * q))
    assert sparse_matrices.karp_sipser(c) == pytest.approx(2 - 2 * q - c * q * q, rel=1e-9)


@pytest.mark.parametrize("c", [3.0, 5.0, 10.0, 700.0, 1000.0])
def test_beyond_e_the_least_fixed_point_gives_the_least_rank(c: float) -> None:
    q = 0.0
    for _ in range(4000):
        q = math.exp(-c * math.exp(-c * q))
    kept = math.exp(-c * q)
    value = sparse_matrices.karp_sipser(c)
    assert value == pytest.approx(2 - q - kept - c * q * kept, rel=1e-9)
    assert value <= 1 - math.exp(-c) + 1e-15


def test_law_increases_from_c_to_one() -> None:
    c = np.geomspace(1e-3, 50, 200)
    values = np.array([sparse_matrices.karp_sipser(x) for x in c])
    assert np.all(np.diff(values) > -1e-15)
    assert values[0] == pytest.approx(c[0], rel=2e-3)
    assert values[-1] == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("w", [-1.0, 0.0, 1.0, 4.0])
def test_full_rank_probability_tends_to_its_limit(w: float) -> None:
    limit = math.exp(-2 * math.exp(-w))
    gaps = [abs(sparse_matrices.full_rank_probability(n, w) - limit) for n in (10**3, 10**5, 10**7)]
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] < 1e-4


@given(seed=SEEDS, r=st.integers(1, 10), delta=st.floats(0.0, 0.9))
def test_delta_rank_by_definition(seed: int, r: int, delta: float) -> None:
    s = np.sort(np.random.default_rng(seed).random(r) + 0.01)[::-1]
    k = rank_measures.delta_rank(s, delta)
    tails = np.array([np.sum(s[j:] ** 2) for j in range(r + 1)]) / np.sum(s**2)
    assert tails[k] <= delta + 1e-12
    assert np.all(tails[:k] > delta - 1e-12)


@pytest.mark.parametrize("shape", [(5, 8), (8, 5), (6, 6)])
def test_gradient_has_its_size_and_is_orthogonal(shape: tuple[int, int]) -> None:
    W = np.random.default_rng(1).standard_normal(shape)
    for k in range(1, min(shape)):
        gradient = rank_loss.gradient(W, k)
        tau = rank_loss.tail(W, k)
        size = 2 / np.linalg.norm(W) * math.sqrt(tau * (1 - tau))
        assert np.linalg.norm(gradient) == pytest.approx(size, rel=1e-12)
        assert np.sum(gradient * W) == pytest.approx(0.0, abs=1e-13)
        pruned = 2 / np.linalg.norm(W) * rank_loss.low_rank(W, k)
        kept = -2 / np.linalg.norm(W) ** 2 * (1 - tau) * W
        np.testing.assert_allclose(gradient, pruned + kept, atol=1e-13)


def test_differences_are_exact_on_a_known_matrix() -> None:
    """Of diag(2, 1) at k = 1: tau = b^2 / (a^2 + b^2) for entries a, b of the diagonal."""
    slopes = experiment.differences(
        np.diag([2.0, 1.0]), 1, np.array([0, 1, 0]), np.array([0, 1, 1])
    )
    np.testing.assert_allclose(slopes, [2 * 2 / 25, -2 * 4 / 25, 0.0], atol=1e-11)


@given(seed=SEEDS, n=st.integers(2, 10))
def test_rotation_is_orthogonal_and_sparse(seed: int, n: int) -> None:
    Q = matrices.rotation(np.random.default_rng(seed), n)
    np.testing.assert_allclose(Q @ Q.T, np.eye(n), atol=1e-13)
    assert not np.tril(Q, -2).any()


@given(seed=SEEDS, m=st.integers(1, 12), n=st.integers(1, 12), density=st.floats(0.01, 1.0))
def test_masks_keep_what_the_density_says(seed: int, m: int, n: int, density: float) -> None:
    rng = np.random.default_rng(seed)
    W = rng.standard_normal((m, n))
    count = matrices.kept(density, m * n)
    by_size = matrices.magnitude_mask(W, density)
    assert by_size.sum() == matrices.random_mask(rng, m, n, density).sum() == count
    assert by_size.all() or np.abs(W[by_size]).min() >= np.abs(W[~by_size]).max()


def test_picture_of_a_mask_keeps_its_mass() -> None:
    rng = np.random.default_rng(0)
    W = rng.standard_normal((64, 96))
    mask = matrices.magnitude_mask(W, 0.1)
    picture = masks._blocks(mask, W)
    assert picture.shape == (masks.BLOCKS, masks.BLOCKS)
    assert picture.mean() == pytest.approx(mask.mean())


def test_small_singular_values_widen_the_rank() -> None:
    rank = rank_chain.numerical_rank(np.array([1.0, 0.1, 1e-10, 1e-16]))
    assert (rank.low, rank.high) == (2, 3)
