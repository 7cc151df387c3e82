"""Hypothesis strategies: parameters inside the conditions of a claim, and parameters that break
exactly one of them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Params = dict[str, Any]

SIZES = st.sampled_from((1e-3, 0.1, 1.0, 30.0))


@st.composite
def shapes(draw: st.DrawFn) -> Params:
    """m, n and a rank k that leaves a tail."""
    m, n = draw(st.integers(2, 12)), draw(st.integers(2, 12))
    return dict(m=m, n=n, k=draw(st.integers(1, min(m, n) - 1)))


@st.composite
def matrices(draw: st.DrawFn) -> Params:
    """A matrix, dense or pruned, of any kind but a tied spectrum."""
    kind = draw(st.sampled_from(("gaussian", "student", "decaying")))
    return draw(shapes()) | dict(kind=kind, size=draw(SIZES))


@st.composite
def pruned(draw: st.DrawFn) -> Params:
    """A matrix with at least one pruned entry and one that is kept."""
    return draw(matrices()) | dict(density=draw(st.floats(0.3, 0.7)))


@st.composite
def steps(draw: st.DrawFn) -> Params:
    """An unmasked step with e tau <= 1, as tau < 1."""
    return draw(matrices()) | dict(e=draw(st.floats(0.01, 1.0)))


@st.composite
def masked_steps(draw: st.DrawFn) -> Params:
    """A step at kept entries only, from a matrix that is not diagonal."""
    n = draw(st.integers(5, 10))
    return dict(m=n, n=n, k=2, density=0.5, e=draw(st.floats(0.1, 0.9)), masked=True)


@st.composite
def masked_steps_inside(draw: st.DrawFn) -> Params:
    """A step at kept entries only, with e tau <= 1, of any pruned matrix."""
    density = draw(st.floats(0.2, 1.0))
    return draw(matrices()) | dict(density=density, e=draw(st.floats(0.01, 1.0)), masked=True)


@st.composite
def grown(draw: st.DrawFn) -> Params:
    """A sparse mask, from single entries to one component, and how it grows."""
    return dict(
        m=draw(st.integers(6, 30)),
        n=draw(st.integers(6, 30)),
        density=draw(st.floats(0.02, 0.3)),
        kind=draw(st.sampled_from(("gaussian", "student", "decaying"))),
        pruning=draw(st.sampled_from(("magnitude", "random"))),
        swap=draw(st.floats(0.05, 1.0)),
        eps=draw(st.floats(0.02, 0.5)),
        rounds=draw(st.integers(1, 10)),
    )


@st.composite
def steps_too_large(draw: st.DrawFn) -> Params:
    """e tau > 1: a flat spectrum has tau = 1 - k / n."""
    n = draw(st.integers(3, 10))
    k = draw(st.integers(1, n - 1))
    return dict(m=n, n=n, k=k, kind="tied", e=draw(st.floats(1.1, 3.0)) * n / (n - k))


@st.composite
def tied(draw: st.DrawFn) -> Params:
    """All singular values equal: no gap at k."""
    n = draw(st.integers(3, 8))
    return dict(m=n, n=n, k=draw(st.integers(1, n - 1)), kind="tied")


@st.composite
def targets(draw: st.DrawFn) -> Params:
    """Targets eps of the energy rule between the smallest tail and 1."""
    m, n = draw(st.integers(1, 8)), draw(st.integers(1, 8))
    kind = draw(st.sampled_from(("gaussian", "student", "decaying")))
    return dict(m=m, n=n, kind=kind, eps=draw(st.floats(0.01, 1.0)), runs=4)


BROKEN_STEP = {"the step is not masked": masked_steps, "e tau <= 1": steps_too_large}
"""By the name of the one condition of `step_law` that the parameters break."""


@st.composite
def patterns(draw: st.DrawFn) -> Params:
    """Pruned matrices of every kind for the chain of ranks."""
    return dict(
        m=draw(st.integers(1, 30)),
        n=draw(st.integers(1, 30)),
        density=draw(st.floats(0.01, 1.0)),
        values=draw(st.sampled_from(("gaussian", "student", "decaying", "outer product"))),
        mask=draw(st.sampled_from(("random", "magnitude", "diagonal"))),
    )
