"""What a run leaves behind: enclosures of true values, and the record that holds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from theory_lab.core.errors import UsageError

Kind = Literal["exact", "certified", "statistical", "estimated"]
KINDS: tuple[Kind, ...] = ("exact", "certified", "statistical", "estimated")


@dataclass(frozen=True, eq=False)
class Measurement:
    """An enclosure [low, high] of a true value, entry by entry for arrays.

    kind says what stands behind it: `exact` (a number up to rounding), `certified` (a proof: a gap,
    a bracket), `statistical` (an interval that misses with probability at most `level`, all entries
    together), `estimated` (the difference of two resolutions or windows).
    """

    low: np.ndarray
    high: np.ndarray
    kind: Kind = "exact"
    level: float = 0.0

    def __post_init__(self) -> None:
        low, high = np.broadcast_arrays(_floats(self.low), _floats(self.high))
        if np.any(low > high):
            raise ValueError("A Measurement's low end is above its high end; swap them.")
        if self.kind not in KINDS:
            raise ValueError(f"Measurement kind {self.kind!r} is not one of {', '.join(KINDS)}.")
        if not 0 <= self.level < 1:
            raise ValueError(f"Measurement level {self.level!r} is not a probability below 1.")
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)

    @classmethod
    def exact(cls, value: ArrayLike) -> Measurement:
        return cls(np.asarray(value), np.asarray(value))

    @classmethod
    def certified(cls, low: ArrayLike, high: ArrayLike) -> Measurement:
        return cls(np.asarray(low), np.asarray(high), "certified")

    @classmethod
    def statistical(cls, low: ArrayLike, high: ArrayLike, level: float) -> Measurement:
        return cls(np.asarray(low), np.asarray(high), "statistical", level)

    @classmethod
    def estimated(cls, low: ArrayLike, high: ArrayLike) -> Measurement:
        return cls(np.asarray(low), np.asarray(high), "estimated")

    @property
    def value(self) -> Any:
        """The middle of the enclosure: a float for a scalar, else an array."""
        with np.errstate(invalid="ignore"):  # the middle of (-inf, inf) is NaN
            middle = np.where(self.low == self.high, self.low, 0.5 * self.low + 0.5 * self.high)
        return float(middle) if middle.ndim == 0 else middle

    @property
    def shape(self) -> tuple[int, ...]:
        return self.low.shape


def _floats(value: ArrayLike) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"A result must be real numbers, not {array.dtype}.")
    return array.astype(np.float64)


def as_measurement(value: Any) -> Measurement:
    """A bare number or array as an exact enclosure."""
    return value if isinstance(value, Measurement) else Measurement.exact(value)


@dataclass(frozen=True, eq=False)
class Record:
    """One cell, measured: the problem's facts, the results, and a trace for figures only."""

    experiment: str
    params: Mapping[str, Any]
    replicate: int
    facts: Mapping[str, Any]
    results: Mapping[str, Measurement]
    trace: Mapping[str, np.ndarray] = field(default_factory=dict)

    def result(self, name: str) -> Measurement:
        """One result by name; UsageError lists those that there are."""
        if name not in self.results:
            there = ", ".join(sorted(self.results))
            raise UsageError(f"{self.experiment} measures no {name!r}; its run returns {there}.")
        return self.results[name]
