"""Directional pruning: formulas against known answers, properties of the identities, errors."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tolerances import rtol
from theory_lab.core import BadParameter, Claim, Experiment, Record
from theory_lab.core.evidence import judge_one
from theory_lab.core.judge import false_conditions, observe
from theory_lab.core.seeds import Stream
from theory_lab.lab.plan import Cell
from theory_lab.lab.worker import run_cell
from theory_lab.solvers.anchored import anchored_l1
from theory_lab.theorems.directional_pruning import strategies
from theory_lab.theorems.directional_pruning.bounds import displacement, laws, long_time, pruning
from theory_lab.theorems.directional_pruning.claims import identities, objective, step_rate
from theory_lab.theorems.directional_pruning.experiments.coupled import COUPLED
from theory_lab.theorems.directional_pruning.experiments.identities import IDENTITIES
from theory_lab.theorems.directional_pruning.experiments.law import LAW, SECOND_ORDER
from theory_lab.theorems.directional_pruning.experiments.limits import integrate, limit_covariance
from theory_lab.theorems.directional_pruning.experiments.long_time import (
    LONG_TIME,
    smallest_removed,
)
from theory_lab.theorems.directional_pruning.experiments.networks import NETWORKS, TwoLayers
from theory_lab.theorems.directional_pruning.experiments.objective import OBJECTIVE


def measure(experiment: Experiment, **params: Any) -> Record:
    values = tuple(experiment.complete(params).items())
    return run_cell(experiment, Cell(experiment.id, values, 0))


def status(claim: Claim, record: Record) -> str:
    return judge_one(claim, observe(claim, [record])).verdict.status


@given(params=strategies.objectives())
def test_closed_form_is_what_brute_force_finds(params: dict[str, Any]) -> None:
    record = measure(OBJECTIVE, **params)
    assert status(objective.CLOSED_FORM, record) == "holds"


@given(params=strategies.inside())
def test_identities_hold_inside_their_conditions(params: dict[str, Any]) -> None:
    record = measure(IDENTITIES, **params)
    for claim in identities.CLAIMS:
        assert status(claim, record) in ("holds", "outside"), claim.id


@pytest.mark.parametrize("name", strategies.BROKEN)
@settings(max_examples=15)
@given(data=st.data())
def test_one_broken_condition_breaks_its_identities(name: str, data: st.DataObject) -> None:
    record = measure(IDENTITIES, **data.draw(strategies.BROKEN[name]()))
    for claim in identities.CLAIMS:
        seen = observe(claim, [record])
        if [condition.name for condition in false_conditions(claim, seen.facts)] == [name]:
            assert judge_one(claim, seen, ignore_conditions=True).verdict.status == "fails"
        else:
            assert claim.condition(name) is None


def test_score_sums_to_the_squared_projection_of_the_signs() -> None:
    rng = np.random.default_rng(0)
    rows, weights = rng.standard_normal((3, 7)), rng.standard_normal(7)
    projector = pruning.flat_projector(rows.T @ rows)
    score = pruning.directional_score(projector, weights)
    np.testing.assert_allclose(projector @ rows.T, 0, atol=1e-12)
    assert score.sum() == pytest.approx(np.sum((projector @ np.sign(weights)) ** 2))
    everywhere = pruning.directional_score(np.eye(7), weights)
    soft = np.sign(weights) * np.maximum(np.abs(weights) - 0.4, 0)
    np.testing.assert_allclose(pruning.directional_pruning(weights, everywhere, 0.4), soft)


@pytest.mark.parametrize("exponent", [0.3, 0.51, 1.0, 1.5])
def test_memory_is_its_integral(exponent: float) -> None:
    from scipy.integrate import quad

    assert displacement.memory(np.zeros(1), exponent)[0] == 1
    for z in (0.1, 3.0, 40.0, 70.0, 200.0):
        expected = quad(
            lambda y, z=z: np.exp(-z * (1 - y ** (1 / exponent))),
            0,
            1,
            points=[0.9, 0.99],
            epsrel=1e-11,
        )[0]
        # the integral is good to about 1e-9 where it is peaked
        assert displacement.memory(np.array([z]), exponent)[0] == pytest.approx(expected, rel=1e-7)


def test_flow_and_displacement_in_one_curved_direction() -> None:
    """u' = -h (u - c t sigma) and w' = -h (w - 1) have elementary solutions."""
    found = integrate(
        lambda w: 0.7 * (w - 1), lambda _, u: 0.7 * u, np.array([2.0]),
        strengths=(0.3,), exponents=(1.0,), time=3.0,
    )  # fmt: skip
    assert found.weights[0] == pytest.approx(1 + np.exp(-2.1), rel=1e-8)
    assert found.displacement[0, 0] == pytest.approx(0.3 * (1 - np.exp(-2.1)) / 0.7, rel=1e-7)


def test_crossings_are_found() -> None:
    found = integrate(
        lambda w: w + 1,
        lambda _, u: u,
        np.array([1.0]),
        strengths=(1.0,),
        exponents=(0.5,),
        time=2.0,
    )
    np.testing.assert_allclose(found.crossings, [np.log(2)], rtol=1e-6)


def test_stationary_covariance_of_one_direction() -> None:
    """At the optimum C' = -2 h C + noise^2 h: C = noise^2 (1 - exp(-2 h t)) / 2."""
    expected = 0.25 * (1 - np.exp(-2 * 0.6 * 5)) / 2
    one, at = np.array([[0.6]]), np.array([1.0])
    assert laws.covariance(one, at, at, 0.5, 5.0)[0, 0] == pytest.approx(expected, rel=1e-9)
    assert limit_covariance(one, at * 0, 0.5, 5.0)[0, 0] == pytest.approx(expected, rel=1e-6)


def test_anchored_l1_meets_its_optimality_conditions() -> None:
    rng = np.random.default_rng(1)
    rows, anchor = rng.standard_normal((6, 30)) / 6, rng.standard_normal(30)
    w = anchored_l1(rows, anchor, 0.5)
    assert 0 < np.sum(w == 0) < 30
    np.testing.assert_allclose(rows @ w, rows @ anchor, atol=1e-10)
    # w - a + lam xi = X^T nu with xi = sign(w) on the support
    nu = np.linalg.lstsq(rows[:, w != 0].T, (w - anchor + 0.5 * np.sign(w))[w != 0])[0]
    slack = rows.T @ nu - (w - anchor)
    np.testing.assert_allclose(slack[w != 0], 0.5 * np.sign(w[w != 0]), atol=1e-9)
    assert np.abs(slack[w == 0]).max() <= 0.5
    np.testing.assert_allclose(long_time.constrained_l1(rows, anchor, 0.5).weights, w, atol=1e-9)


def test_lag_is_zero_without_pruning_time() -> None:
    """At a tenth of the rate the lag is a tenth and its loss a hundredth."""
    rng = np.random.default_rng(2)
    rows, weights = rng.standard_normal((4, 20)) / 5, rng.standard_normal(20)
    early, later = (long_time.lag(rows, weights, 0.3, 0.51, time) for time in (100.0, 1000.0))
    np.testing.assert_allclose(10 * later.vector, early.vector, rtol=1e-9)
    assert early.loss == pytest.approx(100 * later.loss)
    assert early.loss == pytest.approx(0.5 * np.sum((rows @ early.vector) ** 2))


def test_window_constants_in_one_flat_and_one_curved_direction() -> None:
    hessian, signs = np.diag([0.0, 0.5]), np.ones(2)
    assert long_time.noise_to_signal(hessian, signs, 0.75, 16.0) == pytest.approx(0.5)
    assert long_time.curved_loss(hessian, signs, 0.1, 1.0, 16.0) == pytest.approx(0.1)
    assert long_time.crossover(4.0, 10.0, 1.0) == pytest.approx(20)


@pytest.mark.parametrize("activation", ["tanh", "linear"])
def test_derivatives_of_two_layer_networks(activation: str) -> None:
    rng = np.random.default_rng(3)
    points, targets = rng.standard_normal((3, 5)), rng.standard_normal((2, 5))
    network = TwoLayers(points, targets, 4, activation)
    w, u = rng.standard_normal(20), rng.standard_normal((1, 20))

    def loss(w: np.ndarray) -> float:
        inner = w[:12].reshape(4, 3) @ points
        outer = w[12:].reshape(2, 4) @ (np.tanh(inner) if activation == "tanh" else inner)
        return float(0.5 * np.sum((outer - targets) ** 2) / 5)

    # central differences: errors of about 1e-9
    slope = (loss(w + 1e-5 * u[0]) - loss(w - 1e-5 * u[0])) / 2e-5
    assert network.mean_gradient(w) @ u[0] == pytest.approx(slope, rel=1e-6)
    ahead, behind = (network.mean_gradient(w + e * u[0]) for e in (1e-5, -1e-5))
    np.testing.assert_allclose(network.curvature(w, u)[0], (ahead - behind) / 2e-5, rtol=1e-5)
    hessian = network.hessian(w)
    np.testing.assert_allclose(hessian, hessian.T, atol=1e-12)


@pytest.mark.parametrize("activation", ["tanh", "linear"])
def test_random_gradients_of_networks_average_to_the_mean_gradient(activation: str) -> None:
    rng = np.random.default_rng(5)
    points, targets = rng.standard_normal((2, 3)), rng.standard_normal((1, 3))
    network, w = TwoLayers(points, targets, 3, activation), rng.standard_normal(9)
    every = np.repeat(w[None, :, None], 3, axis=2)
    out = np.empty_like(every)
    network.gradient(every, (points, targets), 1.0, out)
    np.testing.assert_allclose(out[0].mean(axis=1), network.mean_gradient(w), rtol=rtol())


def test_the_path_of_the_constrained_solution() -> None:
    """Against Newton at many thresholds, and the same support just above `since` as at lam."""
    rng = np.random.default_rng(6)
    for _ in range(20):
        rows, anchor = rng.standard_normal((6, 24)) / 5, rng.standard_normal(24)
        for lam in (0.1, 0.5, 2.0):
            limit, since = long_time.constrained_l1(rows, anchor, lam)
            np.testing.assert_allclose(anchored_l1(rows, anchor, lam), limit, atol=1e-8)
            above = long_time.constrained_l1(rows, anchor, since + 1e-6 * (lam - since))
            np.testing.assert_array_equal(above.weights == 0, limit == 0)
            assert above.since == since < lam


def test_a_weight_that_left_comes_back_with_the_other_sign() -> None:
    """A problem on which a path that forgot this ended at another point, .026 away."""
    problem = LONG_TIME.draw(
        n=15, d=60, data="random", rng=Stream(dict(n=15, d=60, data="random"), 103)
    )
    rows, weights = problem["rows"], problem["weights"]
    limit = long_time.constrained_l1(rows, weights, 0.17).weights
    np.testing.assert_allclose(anchored_l1(rows, weights, 0.17), limit, atol=1e-9)


def test_a_recent_change_of_the_support_is_seen() -> None:
    rng = np.random.default_rng(7)
    rows, anchor = rng.standard_normal((4, 20)) / 5, rng.standard_normal(20)
    since = long_time.constrained_l1(rows, anchor, 0.5).since
    old, new = (long_time.settled(rows, anchor, lam, 0.51, 1e4) for lam in (0.5, since * 1.0001))
    assert old.since > 100 * new.since
    assert new.since < 1e-3 * new.elapsed


@pytest.mark.parametrize("penalty", [0.02, 0.2, 2.0])
def test_stuck_loss_of_one_weight(penalty: float) -> None:
    """1/2 (h w - h)^2 / h + p |w| stops at w = 1 - p / h, or at 0."""
    rows, weights = np.array([[2.0]]), np.array([1.0])
    expected = 0.5 * 4 * min(1.0, penalty / 4) ** 2
    assert long_time.stuck_lasso_loss(rows, weights, penalty) == pytest.approx(expected)


def test_rate_of_a_stiff_net_is_outside() -> None:
    """gamma h_max is a condition: the linear net here has h_max of about 10."""
    record = measure(
        NETWORKS, activation="linear", inputs=3, outputs=2, step=0.0625, time=0.5, paths=2
    )
    names = false_conditions(step_rate.SQRT_RATE_NETS, {**record.facts, **{
        name: record.results[name].value for name in ("clearance", "stiffness", "last_change")
    }})  # fmt: skip
    assert "gamma h_max <= .1" in [condition.name for condition in names]


def test_magnitude_pruning_removes_the_smallest() -> None:
    assert list(smallest_removed(np.array([3.0, -0.1, 2.0, 0.5]), 2)) == [3.0, 0.0, 2.0, 0.0]


def test_real_rows_fit_their_labels_with_weights_away_from_0() -> None:
    drawn = COUPLED.draw(data="diabetes", d=60, rank=10, rng=np.random.default_rng(4))
    sizes = np.abs(drawn["optimum"])
    assert sizes.min() >= 0.5 - 1e-9
    assert sizes.max() <= 5 + 1e-9
    np.testing.assert_allclose(drawn["_rows"] @ drawn["optimum"], drawn["_labels"], atol=1e-9)
    assert np.linalg.norm(drawn["_rows"], 2) == pytest.approx(1, rel=rtol())


BAD: list[tuple[Experiment, dict[str, Any], str]] = [
    (COUPLED, dict(step=0.1, rank=20, d=20), "below d"),
    (COUPLED, dict(step=0.1, strengths=(0.1,)), "pairs"),
    (COUPLED, dict(step=0.1, data="digits", sampling="additive"), "singly"),
    (COUPLED, dict(step=0.0), "greater than 0"),
    (COUPLED, dict(step=0.1, data="imagenet"), "one of"),
    (LAW, dict(step=0.1, data="digits"), "Gaussian rows"),
    (SECOND_ORDER, dict(step=0.1, paths=5), "at least"),
    (OBJECTIVE, dict(d=4, rank=4), "below d"),
    (LONG_TIME, dict(time=-1.0), "greater than 0"),
    (NETWORKS, dict(step=0.1, strengths=(0.1,)), "pairs"),
    (NETWORKS, dict(step=0.1, activation="relu"), "one of"),
]


@pytest.mark.parametrize(("experiment", "change", "cure"), BAD)
def test_bad_parameters_are_refused(
    experiment: Experiment, change: dict[str, Any], cure: str
) -> None:
    with pytest.raises(BadParameter, match=cure):
        experiment.complete(change)
