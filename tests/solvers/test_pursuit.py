"""OMP against scikit-learn, its replacement form, and the two Lasso forms of a step."""

import numpy as np
import pytest

from theory_lab.core.errors import UsageError
from theory_lab.data.breast_cancer import breast_cancer
from theory_lab.solvers.pursuit import attention, entering, fit, omp, omp_replacement, pulls


def make(seed: int, size: int = 1) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((50, 20))
    X /= np.linalg.norm(X, axis=0)
    y = X[:, :4] @ np.array([4.0, -3.0, 2.0, 1.5]) + 0.05 * rng.standard_normal(50)
    return X, y, list(np.arange(20).reshape(-1, size))


@pytest.mark.parametrize("seed", range(5))
def test_omp_selects_what_scikit_learn_selects(seed: int) -> None:
    from sklearn.linear_model import OrthogonalMatchingPursuit

    X, y, groups = make(seed)
    ours, values = omp(X, y, groups, 5)
    theirs = OrthogonalMatchingPursuit(n_nonzero_coefs=5, fit_intercept=False).fit(X, y)
    assert sorted(ours) == np.flatnonzero(theirs.coef_).tolist()
    assert values[-1] == pytest.approx(0.5 * np.sum((y - X @ theirs.coef_) ** 2))
    assert np.all(np.diff(values) <= 0)


def test_the_residual_of_a_fit_is_orthogonal_to_its_support() -> None:
    X, y, groups = make(0, size=2)
    found = fit(X, y, groups, [0, 3])
    np.testing.assert_allclose(pulls(X, found.residual, groups)[[0, 3]], 0, atol=1e-12)
    assert np.count_nonzero(found.norms) == 2


def test_replacement_keeps_its_size_and_its_best() -> None:
    X, y, groups = make(1)
    found = omp_replacement(X, y, groups, list(range(10, 18)), 20)
    assert found.supports.shape == (21, 8)
    assert all(len(set(row)) == 8 for row in found.supports.tolist())
    assert set(range(4)) <= set(found.best.tolist())
    assert fit(X, y, groups, found.best.tolist()).value == pytest.approx(found.values.min())


def test_both_lasso_forms_let_the_same_group_in_at_the_same_norm() -> None:
    X, y, groups = make(2, size=2)
    lam = 0.95 * pulls(X, y, groups).max()
    lasso = entering(X, y, groups, [], lam)
    product = attention(X, y, groups, [], lam, np.random.default_rng(0))
    # L-BFGS ends at the root of its tolerance
    np.testing.assert_allclose(product, lasso, atol=1e-4 * lasso.max())


@pytest.mark.parametrize(("k", "start"), [(-1, [0]), (99, [0]), (2, [0, 0]), (2, [])])
def test_bad_sizes_are_refused(k: int, start: list[int]) -> None:
    X, y, groups = make(0)
    with pytest.raises(UsageError, match="must"):
        omp(X, y, groups, k) if k != 2 else omp_replacement(X, y, groups, start, 3)


def test_breast_cancer_has_its_shape() -> None:
    X, labels = breast_cancer()
    assert X.shape == (569, 30)
    assert np.isfinite(X).all()
    assert labels.sum() == 357
