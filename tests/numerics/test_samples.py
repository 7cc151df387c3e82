"""Quantiles and shares are those of numpy, on both backends."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.tolerances import rtol
from theory_lab.numerics.samples import median, quantiles, shares_below

KINDS = {"numpy": np.asarray, "torch": torch.tensor}


def sample(seed: int, n: int, d: int) -> np.ndarray:
    """Rounded, so that some values are equal."""
    return np.round(np.random.default_rng(seed).standard_normal((n, d)), 1)


@pytest.mark.parametrize("kind", KINDS)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 40),
    levels=st.lists(st.floats(0, 1), min_size=1, max_size=5),
)
def test_quantiles_are_those_of_numpy(kind: str, seed: int, n: int, levels: list[float]) -> None:
    x = sample(seed, n, 3)
    found = quantiles(KINDS[kind](x), levels)
    expected = np.quantile(x, levels, axis=0)
    np.testing.assert_allclose(found, expected, rtol=rtol(), atol=1e-12)
    np.testing.assert_allclose(median(KINDS[kind](x)), np.median(x, axis=0), atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 40), q=st.integers(1, 6))
def test_shares_count_what_is_at_or_below(kind: str, seed: int, n: int, q: int) -> None:
    x, points = sample(seed, n, 2), sample(seed + 1, q, 2)
    found = shares_below(KINDS[kind](x), KINDS[kind](points))
    for j in range(2):
        ordered = np.sort(x[:, j])
        expected = np.searchsorted(ordered, points[:, j], "right") / n
        np.testing.assert_allclose(np.asarray(found)[:, j], expected, rtol=rtol())
