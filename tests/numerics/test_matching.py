"""The structural rank against enumeration."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from theory_lab.numerics.matching import structural_rank
from theory_lab.theorems.rank_pruning.bounds import sparse_matrices as bounds

MASKS = st.tuples(st.integers(1, 5), st.integers(1, 5)).flatmap(lambda s: arrays(bool, s))


def by_enumeration(mask: np.ndarray) -> int:
    """The most kept entries over all ways to give rows (or columns) partners of their own."""
    mask = mask if mask.shape[0] <= mask.shape[1] else mask.T
    rows = np.arange(mask.shape[0])
    return max(int(mask[rows, p].sum()) for p in permutations(range(mask.shape[1]), len(rows)))


@given(mask=MASKS)
def test_matching_and_assignment_are_enumeration(mask: np.ndarray) -> None:
    expected = by_enumeration(mask)
    assert structural_rank(mask) == expected
    assert bounds.structural_rank(mask) == expected
    packed = np.packbits(mask, axis=1)
    assert bounds.structural_rank(bounds.unpacked(packed, mask.shape[1])) == expected


@pytest.mark.parametrize(("m", "n", "density"), [(60, 90, 0.02), (90, 60, 0.02), (70, 70, 0.05)])
def test_generic_values_have_the_structural_rank(m: int, n: int, density: float) -> None:
    rng = np.random.default_rng(m)
    mask = rng.random((m, n)) < density
    rank = np.linalg.matrix_rank(rng.standard_normal((m, n)) * mask)
    assert structural_rank(mask) == bounds.structural_rank(mask) == rank < min(m, n)
