"""Least-squares losses through their random gradients. Array API."""

from __future__ import annotations

from typing import Any, NamedTuple

from array_api_compat import array_namespace


class GaussianRows(NamedTuple):
    """1/2 (y - x.w)^2 with x = A z, z ~ N(0, I), and y = x.optimum + noise N(0, 1).

    factor A: (d, r), optimum: (d,).
    """

    factor: Any
    optimum: Any
    noise: float

    def sample(self, paths: int, stream: Any) -> Any:
        """Inputs (B, d) and labels (B,)."""
        x = stream.normal((paths, self.factor.shape[1]), like=self.factor) @ self.factor.T
        return x, x @ self.optimum + self.noise * stream.normal((paths,), like=self.factor)

    def gradient(self, w: Any, sample: Any) -> Any:
        """(x.w - y) x."""
        x, labels = sample
        return (array_namespace(w).vecdot(w, x) - labels)[..., None] * x


class SampledRows(NamedTuple):
    """n/2 (labels_i - rows_i.w)^2 at a random i: the mean is 1/2 |labels - X w|^2."""

    rows: Any
    labels: Any

    def sample(self, paths: int, stream: Any) -> Any:
        """One row and its label for each path."""
        i = stream.integers(len(self.rows), size=paths)
        return self.rows[i], self.labels[i]

    def gradient(self, w: Any, sample: Any) -> Any:
        """n (x.w - y) x."""
        x, labels = sample
        residual = array_namespace(w).vecdot(w, x) - labels
        return (len(self.rows) * residual)[..., None] * x


class AllRows(NamedTuple):
    """1/2 |labels - X w|^2 without sampling."""

    rows: Any
    labels: Any

    def sample(self, paths: int, stream: Any) -> None:
        """Nothing is random."""

    def gradient(self, w: Any, sample: None) -> Any:
        """X^T (X w - labels)."""
        return (w @ self.rows.T - self.labels) @ self.rows


class AdditiveNoise(NamedTuple):
    """1/2 |A^T (w - optimum)|^2 with N(0, noise^2 I) added to every gradient: A (d, r)."""

    factor: Any
    optimum: Any
    noise: float

    def sample(self, paths: int, stream: Any) -> Any:
        """The noise (B, d)."""
        return self.noise * stream.normal((paths, len(self.optimum)), like=self.factor)

    def gradient(self, w: Any, sample: Any) -> Any:
        """A A^T (w - optimum) + noise."""
        return ((w - self.optimum) @ self.factor) @ self.factor.T + sample
