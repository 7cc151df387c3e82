"""Random parameters: inside its conditions a claim holds; with one of them broken it fails."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory_lab.core import Claim
from theory_lab.core.evidence import judge_one
from theory_lab.core.judge import Observation, false_conditions, observe
from theory_lab.lab.plan import Cell
from theory_lab.lab.worker import run_cell
from theory_lab.theorems.connectivity import strategies
from theory_lab.theorems.connectivity.claims import (
    effective_mask,
    padding,
    quotas,
    random_pruning,
    synflow,
    target,
)


def seen(claim: Claim, **params: Any) -> Observation:
    values = tuple(claim.experiment.complete(params).items())
    record = run_cell(claim.experiment, Cell(claim.experiment.id, values, 0))
    return observe(claim, [record])


def status(claim: Claim, **params: Any) -> str:
    return judge_one(claim, seen(claim, **params)).verdict.status


@settings(max_examples=30)
@given(params=strategies.networks())
def test_effective_masks_and_their_laws_hold(params: dict[str, Any]) -> None:
    assert status(effective_mask.EFFECTIVE_MASK, **params) == "holds"
    more = min(1.0, 1.2 * params["density"])
    for claim in (effective_mask.SUBSET, effective_mask.IDEMPOTENT, effective_mask.MONOTONE,
                  effective_mask.SUPERADDITIVE):  # fmt: skip
        assert status(claim, more=more, **params) == "holds", claim.id


@settings(max_examples=30)
@given(
    widths=st.lists(st.integers(1, 3), min_size=2, max_size=4),
    density=st.floats(0.1, 1.0),
    side=st.integers(1, 6),
    stride=st.integers(1, 3),
)
def test_padding_claims_hold_or_say_why_not(
    widths: list[int], density: float, side: int, stride: int
) -> None:
    params = dict(widths=tuple(widths), density=density, side=side, stride=stride, runs=2)
    assert status(padding.INCLUSION, **params) == "holds"
    assert status(padding.EQUALITY, **params) in ("holds", "outside")


@settings(max_examples=30)
@given(params=strategies.pruned("bernoulli"))
def test_mean_field_is_never_below_and_exact_in_three_layers(params: dict[str, Any]) -> None:
    assert status(random_pruning.MEAN_FIELD, **params) == "holds"
    assert status(random_pruning.MEAN_FIELD_EQUAL, **params) in ("holds", "outside")


@settings(max_examples=30)
@given(layers=st.integers(2, 15), compression=st.floats(1.0, 1e4))
def test_quota_claims_hold_on_random_networks(layers: int, compression: float) -> None:
    params = dict(layers=layers, compression=compression)
    for claim in (quotas.IGQ_TOTAL, quotas.IGQ_AT_MOST_ONE, quotas.IGQ_DECREASING,
                  quotas.IGQ_COUNTS):  # fmt: skip
        assert status(claim, quota="IGQ", **params) == "holds", claim.id
    for claim in (quotas.ERK, quotas.ERK_TOTAL, quotas.ERK_AT_MOST_ONE):
        assert status(claim, quota="ERK", **params) == "holds", claim.id


@settings(max_examples=20)
@given(widths=st.lists(st.integers(2, 6), min_size=2, max_size=4), aim=st.floats(1.0, 50.0))
def test_bisection_brackets_every_target(widths: list[int], aim: float) -> None:
    for claim in target.CLAIMS:
        assert status(claim, kind="mlp", widths=tuple(widths), target=aim) == "holds", claim.id


@settings(max_examples=30)
@given(params=strategies.networks())
def test_saliency_is_conserved(params: dict[str, Any]) -> None:
    for claim in (synflow.UNITS, synflow.PATHS, synflow.CUTS, synflow.LAYERS):
        assert status(claim, **params) in ("holds", "outside"), claim.id
    assert status(synflow.SUPPORT_CLAIM, **params) == "holds"


@pytest.mark.parametrize("name", strategies.BROKEN)
@settings(max_examples=15)
@given(data=st.data())
def test_one_broken_condition_breaks_the_conservation(name: str, data: st.DataObject) -> None:
    found = seen(synflow.UNITS, **data.draw(strategies.BROKEN[name]()))
    assert [c.name for c in false_conditions(synflow.UNITS, found.facts)] == [name]
    assert judge_one(synflow.UNITS, found, ignore_conditions=True).verdict.status == "fails"


def test_float32_path_counts_are_silently_wrong() -> None:
    deep = dict(kind="mlp", widths=(16,) * 51, density=0.5, weights="ones", runs=1)
    assert status(synflow.SUPPORT_CLAIM, **deep) == "holds"
    assert status(synflow.SUPPORT_CLAIM, dtype="float32", **deep) == "outside"
    found = seen(synflow.SUPPORT_CLAIM, dtype="float32", **deep)
    verdict = judge_one(synflow.SUPPORT_CLAIM, found, ignore_conditions=True).verdict
    assert verdict.status == "fails"


@pytest.mark.parametrize(
    ("claim", "params", "condition"),
    [
        (claim, dict(kind="mlp", widths=(4, 5, 3), density=0.7) | broken, name)
        for claim in (synflow.PATHS, synflow.CUTS, synflow.LAYERS)
        for broken, name in (
            (dict(bias=0.5), "no biases"),
            (dict(activation="sigmoid"), "a homogeneous activation"),
        )
    ]
    + [
        (
            synflow.SUPPORT_CLAIM,
            dict(kind="mlp", widths=(1,) * 201, density=1.0, runs=1, dtype="float32"),
            "sums over paths do not underflow",
        ),
        (quotas.UNIFORM_PLUS_LIMIT, dict(layers=2), "at least 3 layers"),
        (quotas.IGQ, dict(layers=6, quota="ERK", compression=30.0), "ideal gas quotas"),
    ],
)
def test_known_counterexamples_break_one_condition(
    claim: Claim, params: dict[str, Any], condition: str
) -> None:
    found = seen(claim, **params)
    assert [c.name for c in false_conditions(claim, found.facts)] == [condition]
    assert judge_one(claim, found, ignore_conditions=True).verdict.status == "fails"


@pytest.mark.parametrize("aim", [1.0, 1e10])
def test_targets_beyond_the_last_weight_are_bracketed(aim: float) -> None:
    for claim in target.CLAIMS:
        assert status(claim, kind="mlp", widths=(8, 12, 8, 4), target=aim) == "holds", claim.id
