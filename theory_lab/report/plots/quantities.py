"""What a figure reads from a record: a value by name, or a function of the record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from theory_lab.core import Record, UsageError

Quantity = str | Callable[[Record], Any]

ROUNDING = 1e-9
"""Entries this close to the largest count as equal to it."""

_GRID = np.linspace(0.0, 1.0, 101)


def read(quantity: Quantity, record: Record) -> Any:
    """The value of a quantity: from the record's results, its trace, then its facts."""
    if callable(quantity):
        return quantity(record)
    if quantity in record.results:
        return record.results[quantity].value
    for values in (record.trace, record.facts, record.params):
        if quantity in values:
            return values[quantity]
    there = ", ".join(sorted({*record.results, *record.trace, *record.facts}))
    raise UsageError(f"{record.experiment} has no {quantity!r} to draw; its records hold {there}.")


def is_there(quantity: Quantity, record: Record) -> bool:
    """Whether a record has what is read by name."""
    return callable(quantity) or any(
        quantity in values for values in (record.results, record.trace, record.facts, record.params)
    )


def ends(quantity: Quantity, record: Record) -> tuple[float, float]:
    """The ends of a result's enclosure; twice the value where there is none."""
    if isinstance(quantity, str) and quantity in record.results:
        result = record.results[quantity]
        return float(np.mean(result.low)), float(np.mean(result.high))
    value = float(np.mean(read(quantity, record)))
    return value, value


def entry(name: str, index: int) -> Quantity:
    """One entry (of the last axis) of a vector."""
    return lambda record: np.asarray(read(name, record))[..., index]


def trace(name: str) -> Quantity:
    """An array of the trace, where a result has the same name."""
    return lambda record: record.trace[name]


def hits(name: str, wanted: int) -> Quantity:
    """The share of entries that are equal to a whole number."""
    return lambda record: float(np.mean(np.asarray(read(name, record)) == wanted))


def share_above(name: str) -> Quantity:
    """The fraction of entries that are at least x times the largest, for x in SHARES.

    Rows of `name` (runs, k) are averaged.
    """

    def compute(record: Record) -> np.ndarray:
        values = np.atleast_2d(read(name, record))
        least = _GRID[:, None, None] * values.max(axis=1, keepdims=True)
        return (values >= (1 - ROUNDING) * least).mean(axis=(1, 2))

    return compute


def SHARES(_: Record) -> np.ndarray:
    """x from 0 to 1 in steps of .01: the axis that goes with `share_above`."""
    return _GRID
