"""The experiments measure what they say, on problems small enough to know the answer."""

from typing import Any

import numpy as np
import pytest

from theory_lab.core import Experiment, Record
from theory_lab.lab.plan import Cell
from theory_lab.lab.worker import run_cell
from theory_lab.theorems.matrix_sensing.experiments import (
    basin,
    column_norms,
    descent_path,
    fine_tuning,
    instances,
    phase_diagram,
    spectral_form,
    stationary_points,
    unregularised,
)


def measure(experiment: Experiment, replicate: int = 0, **params: Any) -> Record:
    values = tuple(experiment.complete(params).items())
    return run_cell(experiment, Cell(experiment.id, values, replicate))


def test_real_targets_end_at_eigenvalue_one() -> None:
    target = instances.make_target(64, (), "digits", 4, np.random.default_rng(0))
    assert target.spectrum[-1] == 1
    assert (np.diff(target.spectrum) < 0).all()
    np.testing.assert_allclose(target.axes.T @ target.axes, np.eye(4), atol=1e-12)
    leading = np.linalg.eigvalsh(target.matrix)[-4:][::-1]
    np.testing.assert_allclose(leading, target.spectrum, rtol=1e-12)


def test_pruning_removes_what_is_not_longer_than_the_threshold() -> None:
    U = np.diag([0.1, 0.19, 0.21])[None]
    kept = stationary_points.prune(U, 0.01)
    assert list(np.diag(kept[0])) == [0, 0, 0.21]
    seen = stationary_points.describe(U, 2, 0.01)
    assert (seen["survivors"][0], seen["nonzero"][0]) == (1, 3)
    np.testing.assert_allclose(seen["squared_norms"][0], [0.0441, 0.0361])
    assert seen["off_diagonal"][0] == 0


def test_dense_spectrum_agrees_with_the_lanczos_certificate() -> None:
    record = measure(
        stationary_points.STATIONARY_POINTS,
        d=6, k=4, eigenvalues=(1.6, 1.0), lam=0.2, beta=0.02, runs=1, dense=True,
    )  # fmt: skip
    least = record.result("hessian_eigenvalues").value[0]
    assert float(record.result("curvature").value[0]) == pytest.approx(least, abs=1e-8)


def test_pair_products_of_two_known_columns() -> None:
    U = np.array([[[1.0, 1.0], [0.0, 1.0]]])
    pairs = descent_path.pair_products(U, 0.5, 1.0)
    slope = [3 / (2 * 2**1.5), 4 / (2 * 3**1.5)]
    bend = [5 / (4 * 2**2.5), 6 / (4 * 3**2.5)]
    assert pairs["slope_products"][0, 0] == pytest.approx(slope[0] - slope[1])
    assert pairs["bend_products"][0, 0] == pytest.approx(2 * sum(bend))


def test_regulariser_is_the_sum_over_columns_of_the_matrix_with_these_eigenvalues() -> None:
    """One column: its squared norm is the eigenvalue, whatever the penalty."""
    for penalty, of in (("group lasso", lambda s: s / np.sqrt(s + 0.1)), ("square", np.square)):
        record = measure(spectral_form.SPECTRAL_FORM, d=4, k=1, beta=0.1, penalty=penalty)
        eigenvalues = record.result("eigenvalues").value[:, 0]
        np.testing.assert_allclose(record.result("regulariser").value, of(eigenvalues), rtol=1e-12)


def test_fractions_of_the_crowd_fall_with_the_share() -> None:
    record = measure(unregularised.CROWD, d=2, k=10, runs=50)
    fractions = record.result("fractions").value
    assert (np.diff(fractions, axis=1) <= 0).all()
    assert (fractions >= 0.1).all()


def test_small_start_has_the_target_as_its_limit() -> None:
    record = measure(unregularised.SMALL_START, d=5, k=4, eigenvalues=(3.0, 1.0), size=1e-6)
    squares = (record.result("projected").value ** 2).sum(axis=1)
    np.testing.assert_allclose(squares, [3.0, 1.0], rtol=1e-6)


@pytest.mark.parametrize("model", fine_tuning.MODELS)
def test_error_path_is_gradient_descent(model: str) -> None:
    record = measure(
        fine_tuning.FINE_TUNING, d=6, k=4, eigenvalues=(1.5, 1.0), step=0.05, model=model, steps=300
    )
    errors = record.trace["error"]
    assert len(errors) == 301
    assert errors[-1] < errors[0]
    rate = record.result("rate")
    assert 0 < rate.low <= rate.high < 1


def test_error_path_first_step() -> None:
    target, U = np.diag([1.0, 0.0]), np.array([[0.5], [0.5]])
    errors = fine_tuning.error_path(target, U, 0.1, 1)
    after = U - 0.1 * 4 * (U @ U.T - target) @ U
    expected = [np.linalg.norm(X @ X.T - target) for X in (U, after)]
    np.testing.assert_allclose(errors, expected)


def test_sphere_is_met() -> None:
    rng = np.random.default_rng(2)
    target = instances.make_target(4, (2.0, 1.0), "synthetic", 0, rng)
    problem = dict(
        radius=0.6,
        spectrum=target.spectrum,
        _target=target.matrix,
        _truth=target.axes * np.sqrt(target.spectrum),
    )
    for _ in range(20):
        U = basin.on_sphere(problem, rng.standard_normal((4, 2)))
        assert np.linalg.norm(U @ U.T - target.matrix) == pytest.approx(0.6, rel=1e-9)


def test_phase_diagram_of_small_starts() -> None:
    grid = measure(
        phase_diagram.PHASE_DIAGRAM,
        d=6, k=4, eigenvalues=(1.5, 1.0), loads=(0.5, 4.0), widths=(0.01, 0.3), scale=0.03,
    )  # fmt: skip
    np.testing.assert_array_equal(grid.result("exact").value, [[1, 0], [0, 0]])
    assert grid.result("finished").value.all()


def test_column_norms_are_sorted_shares() -> None:
    record = measure(
        column_norms.COLUMN_NORMS,
        d=12, k=10, eigenvalues=(1.0, 1.0), lam=0.2, beta=0.02, runs=2, steps=600,
    )  # fmt: skip
    assert (np.diff(record.trace["norms"], axis=1) <= 0).all()
    np.testing.assert_allclose(record.result("fractions").value, 0.2)
