"""Problems with groups: synthetic ones under four losses, and real ones."""

from __future__ import annotations

import functools

import numpy as np

from theory_lab.core.checks import BadParameter
from theory_lab.core.parameters import Params
from theory_lab.data.breast_cancer import breast_cancer
from theory_lab.data.diabetes import diabetes
from theory_lab.data.digits import digits
from theory_lab.solvers.group_lasso import Logistic, Multinomial, Problem, Squares

SYNTHETIC = ("squares", "responses", "logistic", "multinomial")
REAL = ("diabetes", "breast_cancer", "digits")
INSTANCES = (*SYNTHETIC, "tied", "duplicated", "orthogonal", *REAL)
DIGITS, CLASSES = 200, 3


def check_instance(values: Params) -> None:
    """Real data has its own shape; synthetic data needs one."""
    has_shape = values["m"] > 0 and len(values["sizes"]) > 0
    if values["instance"] in REAL and (values["m"] or values["sizes"]):
        raise BadParameter(f"{values['instance']} has its own m and sizes; leave them out.")
    if values["instance"] not in REAL and not has_shape:
        raise BadParameter("A synthetic instance needs m >= 1 and the sizes of its groups.")
    if min(values["sizes"], default=1) < 1:
        raise BadParameter("sizes must be at least 1; leave empty groups out.")
    if values["instance"] == "tied" and (len(values["sizes"]) < 2 or len(set(values["sizes"])) > 1):
        raise BadParameter("A tied instance needs at least two groups of one size.")


def make_instance(
    instance: str, m: int, sizes: tuple[int, ...], ridge: float, rng: np.random.Generator
) -> tuple[Problem, np.ndarray]:
    """The problem and its response as a fact: Y (m, K) for squares, labels (m,) for the others.

    diabetes: group i holds x_i and x_i x_j for j >= i, standardised. breast_cancer: the mean, error
    and worst of 10 quantities. digits: rows of pixels, the first 200 images of 0, 1, 2.
    """
    if instance in REAL:
        return {"diabetes": _diabetes, "breast_cancer": _breast_cancer, "digits": _digits}[
            instance
        ](ridge)
    d = sum(sizes)
    groups = list(np.split(np.arange(d), np.cumsum(sizes)[:-1]))
    X = rng.standard_normal((m, d)) / np.sqrt(m)
    if instance == "tied":
        Y = np.zeros((m, 1))
        X = np.eye(m, d)
        Y[:d, 0] = np.tile(rng.standard_normal(sizes[0]), len(sizes))
        return Problem(X, Squares(Y), groups, ridge), Y
    if instance == "orthogonal":
        X = np.linalg.qr(X)[0] * np.repeat(rng.uniform(0.5, 2.0, len(sizes)), sizes)
    if instance == "duplicated":
        X[:, groups[1]] = X[:, groups[0]]
    signal = X @ (rng.standard_normal((d, CLASSES)) * _decay(sizes)[:, None])
    noise = 0.3 * signal.std() * rng.standard_normal(signal.shape)
    return _with_response(instance, X, signal + noise, groups, ridge)


def _decay(sizes: tuple[int, ...]) -> np.ndarray:
    """Groups of falling weight, so that one leads."""
    return np.repeat(1 / np.arange(1.0, len(sizes) + 1), sizes)


def _with_response(
    instance: str, X: np.ndarray, Z: np.ndarray, groups: list[np.ndarray], ridge: float
) -> tuple[Problem, np.ndarray]:
    if instance == "logistic":
        labels = (Z[:, 0] > np.median(Z[:, 0])).astype(float)
        return Problem(X, Logistic(labels[:, None]), groups, ridge), labels
    if instance == "multinomial":
        labels = Z.argmax(axis=1)
        return Problem(X, Multinomial(np.eye(CLASSES)[labels]), groups, ridge), labels
    Y = Z if instance == "responses" else Z[:, :1]
    Y = Y / np.linalg.norm(Y) * np.sqrt(len(Y))
    return Problem(X, Squares(Y), groups, ridge), Y


def standardised(X: np.ndarray) -> np.ndarray:
    """Centred columns of length 1; constant ones are dropped."""
    X = X - X.mean(axis=0)
    norms = np.linalg.norm(X, axis=0)
    return X[:, norms > 1e-12] / norms[norms > 1e-12]


def diabetes_products() -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Design (442, 64), standardised response (442,), and 10 groups of 11 to 2 features.

    sex^2 is left out: it is an affine function of sex.
    """
    X, y = diabetes()
    blocks = [
        np.column_stack([X[:, i], *(X[:, i] * X[:, j] for j in range(i, 10) if (i, j) != (1, 1))])
        for i in range(10)
    ]
    groups = np.split(np.arange(64), np.cumsum([block.shape[1] for block in blocks])[:-1])
    y = (y - y.mean()) / y.std()
    return standardised(np.column_stack(blocks)), y, list(groups)


@functools.cache
def _diabetes(ridge: float) -> tuple[Problem, np.ndarray]:
    X, y, groups = diabetes_products()
    return Problem(X, Squares(y[:, None]), groups, ridge), y[:, None]


@functools.cache
def _breast_cancer(ridge: float) -> tuple[Problem, np.ndarray]:
    X, labels = breast_cancer()
    groups = list(np.arange(30).reshape(3, 10).T)
    labels = labels.astype(float)
    problem = Problem(standardised(X) * np.sqrt(len(X)), Logistic(labels[:, None]), groups, ridge)
    return problem, labels


@functools.cache
def _digits(ridge: float) -> tuple[Problem, np.ndarray]:
    images, labels = digits()
    chosen = np.flatnonzero(labels < CLASSES)[:DIGITS]
    X, labels = images[chosen].reshape(DIGITS, 64) / 16.0, labels[chosen].astype(int)
    varies = X.std(axis=0) > 0
    row = np.repeat(np.arange(8), 8)[varies]
    groups = [np.flatnonzero(row == r) for r in range(8) if np.any(row == r)]
    problem = Problem(X[:, varies] - X[:, varies].mean(axis=0),
                      Multinomial(np.eye(CLASSES)[labels]), groups, ridge)  # fmt: skip
    return problem, labels
