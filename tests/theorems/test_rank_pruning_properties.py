"""Random parameters: inside its conditions a claim holds; with one broken it fails and says so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from theory_lab.core import BadParameter, Claim, Record, UsageError
from theory_lab.core.evidence import judge_one
from theory_lab.core.judge import false_conditions, observe
from theory_lab.lab.plan import Cell
from theory_lab.lab.worker import run_cell
from theory_lab.theorems.rank_pruning import strategies
from theory_lab.theorems.rank_pruning.bounds import sparse_matrices as bounds
from theory_lab.theorems.rank_pruning.claims import (
    low_rank,
    masked_ascent,
    masks,
    rank_loss,
    sparse_matrices,
)
from theory_lab.theorems.rank_pruning.experiments.energy_rule import ENERGY_RULE
from theory_lab.theorems.rank_pruning.experiments.masked_ascent import MASKED_ASCENT
from theory_lab.theorems.rank_pruning.experiments.masks import GROWTH, MASKS
from theory_lab.theorems.rank_pruning.experiments.rank_loss import GRADIENT, POSITIONS
from theory_lab.theorems.rank_pruning.experiments.sparse_rank import FULL_RANK, SPARSE_RANK


def measure(claim: Claim, params: dict[str, Any]) -> Record:
    values = tuple(claim.experiment.complete(params).items())
    return run_cell(claim.experiment, Cell(claim.experiment.id, values, 0))


def judged(claim: Claim, record: Record) -> str:
    return judge_one(claim, observe(claim, [record])).verdict.status


def status(claim: Claim, params: dict[str, Any]) -> str:
    return judged(claim, measure(claim, params))


@settings(max_examples=25)
@given(params=strategies.matrices())
def test_no_matrix_of_rank_k_is_nearer(params: dict[str, Any]) -> None:
    for claim in low_rank.CLAIMS:
        assert status(claim, params | dict(tries=5, sweeps=10)) == "holds"


@settings(max_examples=25)
@given(params=strategies.matrices())
def test_gradient_is_that_of_differences(params: dict[str, Any]) -> None:
    assert status(rank_loss.LOSS_GRADIENT, params) in ("holds", "outside")
    assert status(rank_loss.ORTHOGONAL, params) == "holds"


@settings(max_examples=25)
@given(params=strategies.pruned())
def test_growth_score_is_the_low_rank_part(params: dict[str, Any]) -> None:
    assert status(rank_loss.PRUNED_POSITION, params) in ("holds", "outside")


@given(params=strategies.steps())
def test_step_law_holds_inside(params: dict[str, Any]) -> None:
    for claim in (rank_loss.STEP_LAW, rank_loss.STEP_NORM):
        assert status(claim, params) == "holds"


@pytest.mark.parametrize("name", strategies.BROKEN_STEP)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_step_law_fails_with_one_condition_broken(name: str, data: st.DataObject) -> None:
    params = data.draw(strategies.BROKEN_STEP[name]())
    seen = observe(rank_loss.STEP_LAW, [measure(rank_loss.STEP_LAW, params)])
    assert [c.name for c in false_conditions(rank_loss.STEP_LAW, seen.facts)] == [name]
    assert judge_one(rank_loss.STEP_LAW, seen, ignore_conditions=True).verdict.status == "fails"


@settings(max_examples=15)
@given(params=strategies.tied())
def test_tied_singular_values_have_no_gradient(params: dict[str, Any]) -> None:
    claim = rank_loss.LOSS_GRADIENT
    seen = observe(claim, [measure(claim, params)])
    assert judge_one(claim, seen).verdict.status == "outside"
    assert judge_one(claim, seen, ignore_conditions=True).verdict.status == "fails"


@given(params=strategies.targets())
def test_energy_rule_never_fails(params: dict[str, Any]) -> None:
    assert status(rank_loss.ENERGY_RULE, params) in ("holds", "outside")


@given(params=strategies.patterns())
def test_chain_of_ranks_never_fails(params: dict[str, Any]) -> None:
    assert status(sparse_matrices.RANK_CHAIN, params) in ("holds", "unresolved")
    assert status(sparse_matrices.GENERIC_RANK, params) != "fails"


@settings(max_examples=10)
@given(density=st.floats(0.03, 0.3), decay=st.floats(0.3, 1.0), e=st.floats(0.001, 0.1))
def test_ascent_raises_ranks_at_a_fixed_mask(density: float, decay: float, e: float) -> None:
    params = dict(m=40, n=48, density=density, decay=decay, e=e, steps=20)
    record = measure(masked_ascent.ASCENT_STABLE, params)
    assert judged(masked_ascent.ASCENT_STABLE, record) in ("holds", "outside")
    assert judged(masked_ascent.ASCENT_DELTA, record) in ("holds", "outside")
    assert judged(masked_ascent.ASCENT_EXACT, record) in ("holds", "unresolved")


@given(params=strategies.masked_steps_inside())
def test_one_masked_step_is_bounded(params: dict[str, Any]) -> None:
    for claim in masked_ascent.CLAIMS[:2]:
        assert status(claim, params) in ("holds", "outside"), claim.id


@settings(max_examples=25)
@given(params=strategies.grown())
def test_growth_by_the_rank_gradient_stays_inside_components(params: dict[str, Any]) -> None:
    assert status(masks.GROWTH_STRUCTURAL, params) == "holds"


def test_a_mask_of_two_components_never_joins_them() -> None:
    """Two blocks of 1 x 3 and of 3 x 1, an empty row and an empty column: rank 2, never more."""
    mask = np.zeros((5, 5), dtype=bool)
    mask[0, :3] = mask[1:4, 3] = True
    assert bounds.within_components(mask) == bounds.structural_rank(mask) == 2
    assert bounds.least_nonzero(mask) == 4


@pytest.mark.parametrize(
    ("claim", "params", "condition"),
    [
        (
            masks.MAGNITUDE_LOSES_RANK,
            dict(m=117, n=47, density=0.085, spread=0.5),
            "entries a line",
        ),
        (masks.MAGNITUDE_LOSES_RANK, dict(m=150, n=110, density=0.026, spread=0.0), "min(m, n)"),
        (masks.GROWTH_DELTA, dict(m=107, n=125, density=0.32, eps=0.1), "at most 10 entries"),
        (
            masked_ascent.ASCENT_STABLE,
            dict(m=29, n=36, density=0.2, decay=0.0, spread=0.0, e=0.01, steps=60, eps=0.01),
            "(1 - tau) s_1",
        ),
        (
            masked_ascent.ASCENT_STABLE,
            dict(m=44, n=47, density=0.05, kind="student", e=0.1, steps=1, eps=0.6),
            "eps <= .4",
        ),
        (sparse_matrices.SPARSE_RANDOM_RANK, dict(n=5, c=2.0, draws=50), "n >= 1000"),
        (sparse_matrices.FULL_RANK_THRESHOLD, dict(n=14, w=0.25, draws=50), "n >= 100"),
    ],
)
def test_known_counterexamples_are_outside(
    claim: Claim, params: dict[str, Any], condition: str
) -> None:
    seen = observe(claim, [measure(claim, params)])
    broken = [c.name for c in false_conditions(claim, seen.facts)]
    assert condition in " ".join(broken)


SMALL: dict[str, Any] = dict(m=4, n=6)
BAD: list[tuple[Any, dict[str, Any], str]] = [
    (GRADIENT, dict(SMALL, k=4), "below min"),
    (GRADIENT, dict(SMALL, k=0), "at least 1"),
    (GRADIENT, dict(m=6, n=4, k=2, kind="tied"), "exchange m and n"),
    (GRADIENT, dict(SMALL, k=1, kind="cauchy"), "one of"),
    (GRADIENT, dict(SMALL, k=1, density=1.5), "at most 1"),
    (POSITIONS, dict(SMALL, k=1, position="grown"), "one of"),
    (ENERGY_RULE, dict(SMALL, eps=0.0), "greater than 0"),
    (SPARSE_RANK, dict(n=10, c=11.0), "lower c"),
    (FULL_RANK, dict(n=10, w=-3.0), "above 0"),
    (FULL_RANK, dict(n=10, w=9.0), "at most n"),
    (MASKED_ASCENT, dict(SMALL, density=0.5, e=0.0), "greater than 0"),
    (MASKED_ASCENT, dict(SMALL, density=0.5, e=0.1, pruning="lottery"), "one of"),
    (MASKS, dict(SMALL, density=0.5), "at least 32"),
    (GROWTH, dict(SMALL, density=0.5, growth="dense"), "one of"),
]


@pytest.mark.parametrize(("experiment", "params", "cure"), BAD)
def test_bad_parameters_are_refused_with_a_cure(
    experiment: Any, params: dict[str, Any], cure: str
) -> None:
    with pytest.raises(BadParameter, match=cure):
        experiment.complete(params)


def test_a_dense_matrix_has_no_pruned_position() -> None:
    with pytest.raises(UsageError, match="lower the density"):
        measure(rank_loss.PRUNED_POSITION, dict(SMALL, k=1))
