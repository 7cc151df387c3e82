"""Validators of parameters, used as `Annotated[float, positive]` in the signature of a `draw`.

A validator is a function `(name, value) -> None` that raises `BadParameter`. Tuples are checked
entry by entry. They run once per cell, before anything is computed; every float is also checked
to be finite without being asked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import Any

from theory_lab.core.errors import UsageError

Validator = Callable[[str, Any], None]


class BadParameter(UsageError):
    """A parameter outside the range in which the experiment means anything."""


def _require(good: bool, name: str, value: Any, wanted: str) -> None:
    if not good:
        raise BadParameter(f"{name} is {value!r}, but it must be {wanted}.")


def finite(name: str, value: float) -> None:
    """Refuse NaN and infinities."""
    _require(math.isfinite(value), name, value, "a finite number")


def positive(name: str, value: float) -> None:
    """Refuse everything but finite numbers above 0."""
    _require(math.isfinite(value) and value > 0, name, value, "a finite number greater than 0")


def nonnegative(name: str, value: float) -> None:
    """Refuse everything but finite numbers from 0 on."""
    _require(math.isfinite(value) and value >= 0, name, value, "a finite number of at least 0")


def at_least(least: float) -> Validator:
    """A validator that refuses values below `least`."""

    def check(name: str, value: float) -> None:
        _require(math.isfinite(value) and value >= least, name, value, f"at least {least}")

    return check


def at_most(most: float) -> Validator:
    """A validator that refuses values above `most`."""

    def check(name: str, value: float) -> None:
        _require(math.isfinite(value) and value <= most, name, value, f"at most {most}")

    return check


def one_of(choices: Collection[str]) -> Validator:
    """A validator that refuses everything but the named choices."""

    def check(name: str, value: str) -> None:
        _require(value in choices, name, value, "one of " + ", ".join(map(repr, choices)))

    return check
