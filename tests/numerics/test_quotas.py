"""Layer quotas: totals, ranges, known networks, errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tolerances import rtol
from theory_lab.numerics.quotas import QUOTAS, erk, igq, kept_counts, layer_sizes, uniform_plus
from theory_lab.theorems.connectivity.bounds import quotas as bounds
from theory_lab.theorems.connectivity.strategies import layer_shapes

LENET = [(300, 784), (100, 300), (10, 100)]
COMPRESSIONS = st.floats(1.0, 1e5)


@pytest.mark.parametrize("quota", ["uniform", "ERK", "IGQ"])
@given(shapes=layer_shapes(), compression=COMPRESSIONS)
def test_quotas_are_densities_that_meet_the_total(
    quota: str, shapes: list[tuple[int, ...]], compression: float
) -> None:
    densities, sizes = QUOTAS[quota](shapes, compression), layer_sizes(shapes)
    assert np.all((densities > 0) & (densities <= 1 + rtol()))
    assert densities @ sizes == pytest.approx(sizes.sum() / compression, rel=rtol())


@given(shapes=layer_shapes(least=3), compression=COMPRESSIONS)
def test_uniform_plus_meets_the_total_or_says_that_it_cannot(
    shapes: list[tuple[int, ...]], compression: float
) -> None:
    sizes = layer_sizes(shapes)
    limit = bounds.uniform_plus_limit(sizes.tolist())
    if compression > limit * (1 + rtol()):
        with pytest.raises(ValueError, match="choose a smaller one"):
            uniform_plus(shapes, compression)
    elif compression < limit * (1 - rtol()):
        densities = uniform_plus(shapes, compression)
        assert np.all((densities >= 0) & (densities <= 1 + rtol()))
        assert densities @ sizes == pytest.approx(sizes.sum() / compression, rel=rtol())


@given(shapes=layer_shapes(), compression=COMPRESSIONS)
def test_ideal_gas_quotas_fall_with_the_size(
    shapes: list[tuple[int, ...]], compression: float
) -> None:
    order = np.argsort(layer_sizes(shapes))
    assert np.all(np.diff(igq(shapes, compression)[order]) <= 0)


@given(shapes=layer_shapes(), compression=COMPRESSIONS)
def test_two_ways_to_a_quota_agree(shapes: list[tuple[int, ...]], compression: float) -> None:
    table = np.array([(*shape, 0, 0)[:4] for shape in shapes])
    gas = bounds.gas_densities(layer_sizes(shapes), compression)
    # 1e-9: at compressions near 1 the force is a small difference of large numbers
    np.testing.assert_allclose(igq(shapes, compression), gas, rtol=1e-9)
    np.testing.assert_allclose(
        erk(shapes, compression), bounds.erk_densities(table, compression), rtol=1e-11
    )


def test_counts_of_lenet_300_100() -> None:
    assert kept_counts(LENET, igq(LENET, 10)).tolist() == [15158, 10520, 942]
    assert kept_counts(LENET, igq(LENET, 100)).tolist() == [1087, 1053, 522]
    assert kept_counts(LENET, erk(LENET, 1000)).tolist() == [181, 67, 18]
    for quota in ("uniform", "ERK", "IGQ"):
        ours = kept_counts(LENET, QUOTAS[quota](LENET, 100))
        assert bounds.counts(quota, (784, 300, 100, 10), 100) == tuple(ours.tolist())


def test_erk_is_dense_at_compression_1() -> None:
    np.testing.assert_array_equal(erk(LENET, 1.0), 1.0)


@pytest.mark.parametrize("compression", [0.5, float("nan"), float("inf")])
@pytest.mark.parametrize("quota", QUOTAS)
def test_impossible_compressions_are_refused(quota: str, compression: float) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        QUOTAS[quota](LENET, compression)


def test_too_few_layers_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 3 layers"):
        uniform_plus(LENET[:2], 1.0)
    with pytest.raises(ValueError, match="at least one layer"):
        igq([], 10.0)
