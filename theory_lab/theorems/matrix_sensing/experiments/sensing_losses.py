"""Losses that see X* through measurements: sensing with finite samples, quadratic networks.

Every loss here is a quadratic function F of symmetric X: (B, d, d), as the solvers want it. Data
enter only through the Gram form: with rows p_i = svec(sym A_i) and x = svec(X),

    (1/n) sum_i (<A_i, X> - y_i)^2 = x^T H x - 2 c^T x + |y|^2 / n,   H = P^T P / n,  c = P^T y / n,

so a gradient costs 2 D^2 flops, D = d (d + 1) / 2, whatever the number of measurements n. The
losses are array API, random data numpy.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from array_api_compat import array_namespace, device

from theory_lab.numerics.arrays import like
from theory_lab.numerics.inner_products import matrix_products
from theory_lab.numerics.symmetric import gathers, matrix_size, packed_size, svec


@dataclass(frozen=True)
class GramForm:
    """What the measurements leave behind, for S data sets with J independent noises each.

    gram: H (S, D, D); moment: c (S, J, D); energy: |y|^2 / n (S, J). In svec coordinates.
    """

    gram: Any
    moment: Any
    energy: Any

    @classmethod
    def of(cls, P: np.ndarray, y: np.ndarray) -> Self:
        """From rows svec(sym A_i) in P (n, D) and answers y (J, n): one data set, J noises."""
        n = len(P)
        return cls((P.T @ P / n)[None], (y @ P / n)[None], np.einsum("ji,ji->j", y, y)[None] / n)

    @classmethod
    def stack(cls, forms: Sequence[Self]) -> Self:
        """The data sets of several Gram forms in one."""
        fields = ("gram", "moment", "energy")
        return cls(*(np.concatenate([getattr(form, name) for form in forms]) for name in fields))


GramSampler = Callable[[np.random.Generator, int, np.ndarray, float, int], GramForm]
"""(rng, n, target, sigma, noises) -> the Gram form of one random data set."""


def gaussian_gram(
    rng: np.random.Generator, n: int, target: np.ndarray, sigma: float, noises: int = 1
) -> GramForm:
    """n measurements with iid N(0, 1) entries of `target` (d, d), noise N(0, sigma^2), J noises.

    svec(sym A_i) is then standard normal in D dimensions. For n >= D the law of the Gram form is
    sampled exactly without the measurements, at a cost that does not grow with n.
    """
    sample = bartlett_gram if n >= packed_size(len(target)) else direct_gram
    return sample(rng, n, svec(target), sigma, noises)


def direct_gram(
    rng: np.random.Generator, n: int, x: np.ndarray, sigma: float, noises: int = 1
) -> GramForm:
    """The Gram form of n standard normal rows with answers P x + N(0, sigma^2), x: (D,)."""
    P = rng.standard_normal((n, len(x)))
    return GramForm.of(P, P @ x + sigma * rng.standard_normal((noises, n)))


def bartlett_gram(
    rng: np.random.Generator, n: int, x: np.ndarray, sigma: float, noises: int = 1
) -> GramForm:
    """The same law for n >= D without the rows: H = L L^T, c = H x + sigma L z / sqrt(n).

    L sqrt(n) is Bartlett's factor (lower triangular, chi_{n-i} on the diagonal, N(0, 1) below);
    z are the D coordinates of the noise in the span of the columns of P, and the noise outside
    that span has squared norm chi^2_{n-D}.
    """
    D = len(x)
    if n < D:
        raise ValueError(f"Bartlett's factor needs n >= {D} measurements, not {n}.")
    factor = np.tril(rng.standard_normal((D, D)), -1)
    factor[range(D), range(D)] = np.sqrt(rng.chisquare(n - np.arange(D)))
    factor /= math.sqrt(n)
    z = rng.standard_normal((noises, D)) * (sigma / math.sqrt(n))
    outside = rng.chisquare(n - D, noises) * (sigma**2 / n) if n > D else np.zeros(noises)
    answers = x @ factor + z
    energy = np.einsum("ji,ji->j", answers, answers) + outside
    return GramForm((factor @ factor.T)[None], (answers @ factor.T)[None], energy[None])


def quadratic_gram(
    rng: np.random.Generator, n: int, target: np.ndarray, sigma: float, noises: int = 1
) -> GramForm:
    """The quadratic network's data, y = x^T X* x + N(0, sigma^2): A_i = x_i x_i^T, x_i ~ N(0, I)."""
    upper, weights = gathers(len(target)).upper, gathers(len(target)).weights
    rows, columns = np.divmod(upper, len(target))
    inputs = rng.standard_normal((n, len(target)))
    P = inputs[:, rows] * inputs[:, columns] * weights
    return GramForm.of(P, P @ svec(target) + sigma * rng.standard_normal((noises, n)))


def sampled_curvature(d: int, n: int) -> float:
    """2 (1 + sqrt(2 d / n))^2: how curved F is along matrices of low rank, for the step size."""
    return 2 * (1 + math.sqrt(2 * d / n)) ** 2


@dataclass(eq=False)
class EmpiricalLoss:
    """F(X) = (1/n) sum_i (<A_i, X> - y_i)^2 for B = S J runs, data set by data set.

    A single data set with one noise serves any number of runs. The weights sqrt(2) of svec are
    folded into the Gram matrix: a gradient is one gather, one product for all runs of a data set,
    and one gather back.
    """

    form: GramForm
    d: int = field(init=False)

    def __post_init__(self) -> None:
        form = self.form
        self.d = matrix_size(form.gram.shape[-1])
        tables, self._xp = gathers(self.d), array_namespace(form.gram)
        weights = like(tables.weights, form.gram)
        self._upper, self._full = (
            self._xp.asarray(table, device=device(form.gram), copy=True)
            for table in (tables.upper, tables.full)
        )
        self._matrix = 2 * weights[:, None] * form.gram / weights
        self._shift = 2 * form.moment / weights

    def value(self, X: Any) -> Any:
        """F(X): (B, d, d) -> (B,)."""
        form = self.form
        x = self._grouped(svec(X))
        quadratic = ((x @ form.gram - 2 * form.moment) * x).sum(axis=-1)
        return (quadratic + form.energy).reshape(-1)

    def gradient(self, X: Any) -> Any:
        """2 smat(H x - c): (B, d, d) -> (B, d, d)."""
        packed = self._linear(X)
        packed -= self._shift
        return self._unpacked(packed)

    def hessian(self, W: Any) -> Any:
        """2 smat(H svec(W)): (B, d, d) -> (B, d, d)."""
        return self._unpacked(self._linear(W))

    def take(self, rows: Any) -> EmpiricalLoss:
        """The losses of the runs `rows`; a single Gram matrix stays shared."""
        form = self.form
        sets, noises = form.energy.shape
        if sets == noises == 1:
            return self
        moment = form.moment.reshape(-1, form.moment.shape[-1])[rows]
        energy = form.energy.reshape(-1)[rows]
        if sets == 1:
            return EmpiricalLoss(GramForm(form.gram, moment[None], energy[None]))
        gram = form.gram[rows // noises]
        return EmpiricalLoss(GramForm(gram, moment[:, None], energy[:, None]))

    def _grouped(self, packed: Any) -> Any:
        sets = len(self.form.gram)
        return packed.reshape(sets, -1, packed.shape[-1])

    def _linear(self, X: Any) -> Any:
        flat = X.reshape(len(X), self.d * self.d)
        return self._grouped(self._xp.take(flat, self._upper, axis=1)) @ self._matrix

    def _unpacked(self, packed: Any) -> Any:
        flat = packed.reshape(-1, packed.shape[-1])
        return self._xp.take(flat, self._full, axis=1).reshape(len(flat), self.d, self.d)


@dataclass(frozen=True)
class QuadraticNetworkLoss:
    """F(X) = 2 |X - X*|_F^2 + (tr(X - X*))^2 = E (x^T (X - X*) x)^2 for x ~ N(0, I).

    target: X* (d, d), one for all runs.
    """

    target: Any

    def value(self, X: Any) -> Any:
        """F(X): (B, d, d) -> (B,)."""
        error = X - self.target
        return 2 * matrix_products(error, error) + self._trace(error) ** 2

    def gradient(self, X: Any) -> Any:
        """4 (X - X*) + 2 tr(X - X*) I."""
        return self.hessian(X - self.target)

    def hessian(self, W: Any) -> Any:
        """4 W + 2 tr(W) I."""
        image, i = 4 * W, self._diagonal
        image[:, i, i] += 2 * self._trace(W)[:, None]
        return image

    def take(self, rows: Any) -> QuadraticNetworkLoss:
        """All runs share the target."""
        return self

    def _trace(self, X: Any) -> Any:
        return X[:, self._diagonal, self._diagonal].sum(-1)

    @functools.cached_property
    def _diagonal(self) -> Any:
        """The indices of the diagonal, where the target is."""
        return array_namespace(self.target).arange(len(self.target), device=device(self.target))
