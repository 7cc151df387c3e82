"""Losses seen through random gradients: least squares with Gaussian rows, with sampled rows, without
sampling, and with additive noise. Array API.

Paths come last: weights are (m, d, B) for m coupled paths of each of B samples.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from array_api_compat import array_namespace

from theory_lab.numerics.inner_products import column_products


class GaussianRows:
    """1/2 (y - x.w)^2 with x = A z, z ~ N(0, I), and y = x.optimum + noise N(0, 1).

    factor A: (d, r), optimum: (d,).
    """

    def __init__(self, factor: Any, optimum: Any, noise: float) -> None:
        xp = array_namespace(factor)
        label = xp.concat([optimum @ factor, 0 * optimum[:1] + noise])
        inputs = xp.concat([factor, 0 * factor[:, :1]], axis=1)
        self._mixing = xp.concat([inputs, label[None]])
        """(d + 1, r + 1): inputs and label of one sample from its r + 1 normals."""

    def sample(self, paths: int, stream: Any) -> Any:
        """Inputs and, last, labels: (d + 1, B)."""
        normals = stream.normal((self._mixing.shape[1], paths), like=self._mixing)
        return self._mixing @ normals

    def gradient(self, w: Any, sample: Any, step: float, out: Any) -> None:
        """step (x.w - y) x."""
        _towards(w, sample[:-1], sample[-1], step, out)


class SampledRows:
    """n/2 (labels_i - rows_i.w)^2 at a random i: the mean is 1/2 |labels - X w|^2.

    rows: (n, d), labels: (n,).
    """

    def __init__(self, rows: Any, labels: Any) -> None:
        self._columns = array_namespace(rows).asarray(rows.T, copy=True)
        self._labels = labels

    def sample(self, paths: int, stream: Any) -> Any:
        """One row (d, B) and its label (B,) for each path."""
        i = stream.integers(len(self._labels), size=paths, like=self._labels)
        return self._columns[:, i], self._labels[i]

    def gradient(self, w: Any, sample: tuple[Any, Any], step: float, out: Any) -> None:
        """step n (x.w - y) x."""
        _towards(w, *sample, step * len(self._labels), out)


def _towards(w: Any, x: Any, labels: Any, step: float, out: Any) -> None:
    """step (x.w - y) x for inputs x (d, B)."""
    residual = column_products(w, x)
    residual -= labels
    residual *= step
    array_namespace(w, use_compat=False).multiply(residual[:, None], x, out=out)


class AllRows(NamedTuple):
    """1/2 |labels - X w|^2 without sampling."""

    rows: Any
    labels: Any

    def sample(self, paths: int, stream: Any) -> None:
        """Nothing is random."""

    def gradient(self, w: Any, sample: None, step: float, out: Any) -> None:
        """step X^T (X w - labels)."""
        residual = self.rows @ w - self.labels[:, None]
        array_namespace(w, use_compat=False).matmul(self.rows.T, step * residual, out=out)


class AdditiveNoise(NamedTuple):
    """1/2 |A^T (w - optimum)|^2 with N(0, noise^2 I) added to every gradient: A (d, r)."""

    factor: Any
    optimum: Any
    noise: float

    def sample(self, paths: int, stream: Any) -> Any:
        """The noise (d, B)."""
        return self.noise * stream.normal((len(self.optimum), paths), like=self.factor)

    def gradient(self, w: Any, sample: Any, step: float, out: Any) -> None:
        """step (A A^T (w - optimum) + noise)."""
        pulled = self.factor.T @ (w - self.optimum[:, None])
        array_namespace(w, use_compat=False).matmul(self.factor, pulled, out=out)
        out += sample
        out *= step
