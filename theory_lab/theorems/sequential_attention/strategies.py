"""Hypothesis strategies: parameters inside the conditions of the unique sparse minimum, and with
exactly one of them broken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

Params = dict[str, Any]

ADMISSIBLE = ("abs", "sqrt", "two_thirds", "log", "bounded", "sine")
LOSSES = ("squares", "responses", "logistic", "multinomial")


@st.composite
def inside(draw: st.DrawFn, place: tuple[float, float] = (0.05, 0.95)) -> Params:
    """A loss, 2 to 5 groups of 1 to 6 features, a subadditive q, lam in the window."""
    loss = draw(st.sampled_from(LOSSES))
    sizes = tuple(draw(st.lists(st.integers(1, 6), min_size=2, max_size=5)))
    return dict(
        instance=loss,
        m=draw(st.integers(40, 60)),
        sizes=sizes,
        ridge=0.0 if loss in LOSSES[:2] else 0.1,
        place=draw(st.floats(*place)),
        q=draw(st.sampled_from(ADMISSIBLE)),
    )


@st.composite
def beyond(draw: st.DrawFn) -> Params:
    """As inside, with lam from tau on."""
    return draw(inside((1.0, 2.0)))


@st.composite
def not_subadditive(draw: st.DrawFn) -> Params:
    """q like a^2 near 0."""
    return draw(inside()) | dict(q=draw(st.sampled_from(("square", "exp_mask"))))


@st.composite
def below_the_window(draw: st.DrawFn) -> Params:
    """The Group LASSO itself, where it has a second group."""
    return draw(inside((-0.5, -0.1))) | dict(q="abs")


BROKEN: dict[str, Callable[[], st.SearchStrategy[Params]]] = {
    "q is subadditive": not_subadditive,
    "the Group LASSO minimiser has at most one group": below_the_window,
}
"""By the name of the condition that is false."""
