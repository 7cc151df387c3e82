"""Random parameters: inside all conditions pruning keeps r columns; with one broken it need not."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from theory_lab.core import BadParameter, Claim, Record
from theory_lab.core.evidence import judge_one
from theory_lab.core.judge import false_conditions, observe
from theory_lab.lab.plan import Cell
from theory_lab.lab.worker import run_cell
from theory_lab.theorems.matrix_sensing import strategies
from theory_lab.theorems.matrix_sensing.claims import (
    fine_tuning,
    hessian_spectrum,
    orthogonality,
    overparameterised,
    pruned_loss,
    quadratic_network,
    survivors,
    unregularised,
)
from theory_lab.theorems.matrix_sensing.experiments.stationary_points import STATIONARY_POINTS

HERE = [
    orthogonality.ORTHOGONAL_COLUMNS,
    survivors.AT_MOST_RANK,
    survivors.PRUNE_KEEPS_RANK,
    survivors.KEPT_NORMS,
    hessian_spectrum.HESSIAN_SPECTRUM,
    *pruned_loss.CLAIMS,
]


def measure(params: dict[str, Any]) -> Record:
    values = tuple(STATIONARY_POINTS.complete(params).items())
    return run_cell(STATIONARY_POINTS, Cell(STATIONARY_POINTS.id, values, 0))


def status(claim: Claim, record: Record) -> str:
    return judge_one(claim, observe(claim, [record])).verdict.status


@settings(max_examples=40)
@given(params=strategies.inside())
def test_claims_hold_inside_their_conditions(params: dict[str, Any]) -> None:
    record = measure(params | dict(dense=True))
    assert status(survivors.PRUNE_KEEPS_RANK, record) == "holds"
    for claim in HERE:
        assert status(claim, record) in ("holds", "outside"), claim.id


@pytest.mark.parametrize("name", strategies.BROKEN)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_one_broken_condition_breaks_the_claim(name: str, data: st.DataObject) -> None:
    claim = survivors.PRUNE_KEEPS_RANK
    seen = observe(claim, [measure(data.draw(strategies.BROKEN[name]()))])
    assert [condition.name for condition in false_conditions(claim, seen.facts)] == [name]
    assert judge_one(claim, seen, ignore_conditions=True).verdict.status == "fails"


@settings(max_examples=20)
@given(params=strategies.inside())
def test_norms_hold_in_other_units(params: dict[str, Any]) -> None:
    """Formulas and measurements scale together: X* / 2 with lam / 2^1.5 and beta / 2."""
    half = dict(
        params,
        eigenvalues=tuple(value / 2 for value in params["eigenvalues"]),
        lam=params["lam"] / 2**1.5,
        beta=params["beta"] / 2,
        scale=0.3 / np.sqrt(2),
    )
    for one in (params, half):
        record = measure(one)
        assert status(survivors.KEPT_NORMS, record) == "holds"


GOOD: dict[str, Any] = dict(d=5, k=3, eigenvalues=(2.0, 1.0), lam=0.1, beta=0.01)
BAD: list[tuple[dict[str, Any], str]] = [
    (dict(beta=0.0), "greater than 0"),
    (dict(lam=-0.1), "at least 0"),
    (dict(d=0), "at least 1"),
    (dict(d=1), "at most d"),
    (dict(k=1), "at least as many columns"),
    (dict(eigenvalues=()), "needs eigenvalues"),
    (dict(eigenvalues=(1.0, 2.0)), "descending"),
    (dict(eigenvalues=(1.0, 0.0)), "positive"),
    (dict(components=2), "real data"),
    (dict(data="digits"), "its own eigenvalues"),
    (dict(data="digits", eigenvalues=(), components=2), "d = 64"),
    (dict(data="imagenet"), "one of"),
    (dict(along=(0,)), "eigenvectors"),
    (dict(start="eigenvectors", along=(2,)), "0 to 1"),
    (dict(loss="empirical"), "n >= 1"),
    (dict(sigma=1.0), "neither n nor sigma"),
]


@pytest.mark.parametrize(("change", "cure"), BAD)
def test_bad_parameters_are_refused_with_a_cure(change: dict[str, Any], cure: str) -> None:
    with pytest.raises(BadParameter, match=cure):
        STATIONARY_POINTS.complete(GOOD | change)


def test_no_regularisation_is_legal_and_outside() -> None:
    record = measure(GOOD | dict(lam=0.0, method="descent", steps=50))
    for claim in (survivors.AT_MOST_RANK, survivors.PRUNE_KEEPS_RANK):
        assert status(claim, record) == "outside"


def test_hard_cases_are_outside() -> None:
    """Parameters at which these statements are false, so that their conditions must say so."""
    start = dict(spectrum=np.array([1.5, 1.0]), size=np.array([1e-4, 1e-9]))
    rank_one = dict(spectrum=np.array([2.0, 0.05]), lam=0.1, beta=0.01, step=0.05, model="pruned")
    tiny = dict(
        spectrum=np.array([1.0, 0.02]), d=8, k=4, step=0.05, steps=np.array([500.0, 1000.0])
    )
    few = dict(exact=np.ones(4), n=200, d=10)
    no_penalty = dict(
        spectrum=np.ones(1), lam=0.0, beta=0.01, gradient_norm=0.0, curvature=0.0, nonzero=1
    )
    for claim, facts in (
        (unregularised.NORMS_RATE, start),
        (fine_tuning.RATE_PRUNED, rank_one),
        (overparameterised.BOUND, tiny),
        (quadratic_network.FLOOR, few),
        (pruned_loss.VALUE, no_penalty),
    ):
        assert len(false_conditions(claim, facts)) == 1, claim.id
