"""Numbers as the report prints them: 4 significant digits, and no rounding noise.

What is written is checked in and must not change from machine to machine. Digits that rounding
decides are therefore left out: a deviation below 1e-6 of its scale is printed as the next power of
ten above it, and nothing finer than 1e-9.
"""

from __future__ import annotations

import math
from typing import Any

FINEST = 1e-9
"""Relative differences below this are rounding noise."""

SMALL = 1e-6
"""Relative differences below this are printed as a power of ten."""

NONE = "–"


def digits(value: float | None, significant: int = 4) -> str:
    """A number with 4 significant digits; an en dash where there is none."""
    if value is None:
        return NONE
    if not math.isfinite(value):
        return "not finite"
    settled = float(f"{value:.12g}")  # rounding noise does not decide ties such as 0.015625
    if settled.is_integer() and abs(settled) < 10**6:
        return str(int(settled))
    return f"{settled:.{significant}g}"


def beside(value: float, scale: float) -> str:
    """A value as seen from `scale`: what is small against it only as a power of ten, and as 0 below
    FINEST."""
    if scale > 0 and abs(value) < SMALL * scale:
        return "0" if abs(value) < FINEST * scale else _below(abs(value), FINEST * scale)
    return digits(value)


def deviation(value: float, allowed: float = 0.0) -> str:
    """A difference in units of its scale, 0 or more; only a power of ten if it is small, and no
    finer than a hundredth of the `allowed` one: what makes it up there is of no interest."""
    least = max(FINEST, allowed / 100)
    return digits(value) if not value < max(SMALL, least) else _below(value, least)


def _below(value: float, finest: float) -> str:
    """The next power of ten above a small value, at least that of `finest`."""
    power = math.ceil(math.log10(max(value, finest)) - 1e-9)
    return f"< 1e{power:+03d}"


def margin(value: float | None) -> str:
    """A margin in units of its scale, of either sign, in 2 digits; small ones only by their sign."""
    if value is None or not math.isfinite(value) or abs(value) >= SMALL:
        return digits(value, 2)
    return f"< {SMALL:.0e}" if value >= 0 else f"> -{SMALL:.0e}"


def resolution(value: float | None) -> str:
    """A resolution in 2 digits; where rounding may touch them, the power of ten at or above it."""
    if value is None or value >= 1e-5:
        return digits(value, 2)
    # A tenth of leeway: 1.003e-07, a tolerance and a little rounding, is 1e-07.
    power = math.ceil(math.log10(max(value, 1e-15)) - 0.05)
    return f"1e{power:+03d}"


def interval(low: float, high: float, scale: float) -> str:
    """An enclosure: one number where both ends print alike."""
    ends = (beside(low, scale), beside(high, scale))
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} … {ends[1]}"


def names(values: dict[str, Any]) -> str:
    """`name: value` pairs in a row."""
    return ", ".join(f"{name} {value}" for name, value in values.items())
