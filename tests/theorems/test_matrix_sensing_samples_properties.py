"""Random parameters: inside its conditions a claim holds; outside, it says which one is broken."""

from typing import Any

import hypothesis.strategies as st
from hypothesis import assume, given, settings

from theory_lab.core import Claim, Verdict
from theory_lab.core.evidence import judge_one
from theory_lab.core.judge import observe
from theory_lab.lab.plan import Cell
from theory_lab.lab.worker import run_cell
from theory_lab.theorems.matrix_sensing.bounds import quadratic_network as bounds
from theory_lab.theorems.matrix_sensing.claims import finite_samples as sensing
from theory_lab.theorems.matrix_sensing.claims import quadratic_network as network

EIGENVALUES = st.lists(st.floats(1.0, 3.0), min_size=1, max_size=3).map(
    lambda values: tuple(sorted(values, reverse=True))
)


def verdict(claim: Claim, **params: Any) -> Verdict:
    values = tuple(claim.experiment.complete(params).items())
    record = run_cell(claim.experiment, Cell(claim.experiment.id, values, 0))
    return judge_one(claim, observe(claim, [record])).verdict


@settings(max_examples=20, deadline=None)
@given(
    eigenvalues=EIGENVALUES,
    lam=st.floats(0.02, 0.3),
    beta=st.floats(0.003, 0.05),
    n=st.integers(60, 3000),
    sigma=st.floats(0.0, 0.6),
)
def test_survival_never_fails_where_its_conditions_hold(
    eigenvalues: tuple[float, ...], lam: float, beta: float, n: int, sigma: float
) -> None:
    found = verdict(
        sensing.FINITE_SAMPLE_SURVIVAL,
        d=10, k=6, eigenvalues=eigenvalues, lam=lam, beta=beta, n=n, sigma=sigma,
    )  # fmt: skip
    assert found.status in ("holds", "outside"), found


@settings(max_examples=20, deadline=None)
@given(eigenvalues=EIGENVALUES, share=st.floats(0.05, 0.9), beta=st.floats(0.002, 0.1))
def test_network_claims_hold_inside_their_conditions(
    eigenvalues: tuple[float, ...], share: float, beta: float
) -> None:
    lam = share * bounds.covering_threshold(eigenvalues[-1], beta)
    assume(bounds.pruning_keeps(eigenvalues[-1], lam, beta))
    params = dict(d=8, k=5, eigenvalues=eigenvalues, lam=lam, beta=beta, runs=2)
    for claim in (network.SURVIVORS, network.NORMS):
        assert verdict(claim, **params).status == "holds"


@settings(max_examples=10, deadline=None)
@given(eigenvalues=EIGENVALUES, share=st.floats(1.01, 3.0), beta=st.floats(0.002, 0.02))
def test_network_norms_name_the_broken_condition(
    eigenvalues: tuple[float, ...], share: float, beta: float
) -> None:
    lam = share * bounds.covering_threshold(eigenvalues[-1], beta)
    found = verdict(network.NORMS, d=8, k=5, eigenvalues=eigenvalues, lam=lam, beta=beta, runs=2)
    assert found.status == "outside"
    assert network.COVERING.name in found.reason
