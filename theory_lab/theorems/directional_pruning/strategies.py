"""Hypothesis strategies: pruning objectives, and regressions inside the conditions of the
finite-step identities or with exactly one of them broken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

Params = dict[str, Any]


@st.composite
def objectives(draw: st.DrawFn) -> Params:
    """d weights, a flat space of any dimension from 1 on, and a threshold."""
    d = draw(st.integers(2, 12))
    return dict(d=d, rank=draw(st.integers(1, d - 1)), lam=draw(st.floats(0.0, 3.0)))


@st.composite
def inside(draw: st.DrawFn) -> Params:
    """Small thresholds: weights of 1 to 2 in size keep their signs; rows in range(H)."""
    d = draw(st.integers(2, 8))
    return dict(
        d=d,
        rank=draw(st.integers(1, d)),
        steps=draw(st.integers(5, 60)),
        batch=draw(st.integers(1, 4)),
        step=draw(st.sampled_from((0.01, 0.02))),
        strength=draw(st.floats(0.01, 0.3)),
        exponent=draw(st.sampled_from((0.3, 0.51, 0.75, 1.0))),
    )


@st.composite
def with_zeros(draw: st.DrawFn) -> Params:
    """A threshold above every weight from the first steps on."""
    return draw(inside()) | dict(strength=60.0, exponent=0.3)


@st.composite
def outside_range(draw: st.DrawFn) -> Params:
    """Rows that leave the range of the Hessian, whose rank is below d."""
    params = draw(inside())
    return params | dict(d=params["d"] + 1, leak=0.2)


BROKEN: dict[str, Callable[[], st.SearchStrategy[Params]]] = {
    "no weight of gRDA changes its sign or is zero": with_zeros,
    "rows in range(H)": outside_range,
}
"""By the name of the one condition of the identities that the parameters break."""
