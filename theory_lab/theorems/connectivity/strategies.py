"""Hypothesis strategies: networks with masks, described by arrays or by parameters, and parameters
that break exactly one condition of the conservation of saliency."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

Params = dict[str, Any]

WIDTHS = st.integers(1, 5)


@st.composite
def described(draw: st.DrawFn, runs: int = 3) -> dict[str, np.ndarray]:
    """Any graph of up to 6 groups: `units`, `edges` with areas and taps, `skips`, and a `mask`."""
    groups = draw(st.integers(2, 6))
    units = [draw(WIDTHS) for _ in range(groups)]
    pairs = [(a, b) for b in range(groups) for a in range(b)]
    ends = draw(st.lists(st.sampled_from(pairs), min_size=1, max_size=7))
    edges = [
        (a, b, draw(st.sampled_from((1, 1, 3))), draw(st.sampled_from((1, 1, 4)))) for a, b in ends
    ]
    alike = [(a, b) for a, b in pairs if units[a] == units[b]]
    skips = draw(st.lists(st.sampled_from(alike), max_size=2, unique=True)) if alike else []
    size = sum(units[a] * units[b] * area * taps for a, b, area, taps in edges)
    return dict(
        units=np.array(units),
        edges=np.array(edges).reshape(-1, 4),
        skips=np.array(skips, dtype=int).reshape(-1, 2),
        mask=draw(arrays.arrays(bool, (runs, size))),
    )


@st.composite
def networks(draw: st.DrawFn) -> Params:
    """kind, widths and density of a small network with hidden units."""
    kind = draw(st.sampled_from(("mlp", "convolution", "residual")))
    least, most = {"mlp": (3, 6), "convolution": (3, 4), "residual": (6, 6)}[kind]
    widths = draw(st.lists(WIDTHS, min_size=least, max_size=most))
    return dict(kind=kind, widths=tuple(widths), density=draw(st.floats(0.05, 1.0)))


@st.composite
def pruned(draw: st.DrawFn, law: str, most: int = 12) -> Params:
    """Widths of a perceptron with at most `most` weights, and what its layers keep."""
    widths = [draw(st.integers(1, 3))]
    while len(widths) < 2 or (draw(st.booleans()) and len(widths) < 6):
        used = sum(a * b for a, b in zip(widths[1:], widths, strict=False))
        room = (most - used) // widths[-1]
        if room < 1:
            break
        widths.append(draw(st.integers(1, min(3, room))))
    sizes = [a * b for a, b in zip(widths[1:], widths, strict=False)]
    if law == "bernoulli":
        kept = [draw(st.floats(0.05, 1.0)) for _ in sizes]
    else:
        kept = [float(draw(st.integers(1, size))) for size in sizes]
    return dict(widths=tuple(widths), kept=tuple(kept), law=law)


@st.composite
def layer_shapes(draw: st.DrawFn, least: int = 1) -> list[tuple[int, ...]]:
    """Shapes of convolutions and of a linear layer."""
    channels = draw(st.lists(st.integers(1, 600), min_size=least + 1, max_size=12))
    kernel = draw(st.sampled_from(((), (3, 3), (1, 1))))
    pairs = list(zip(channels[1:], channels, strict=False))
    return [*((b, a, *kernel) for b, a in pairs[:-1]), pairs[-1]]


@st.composite
def absolute(draw: st.DrawFn) -> Params:
    """Absolute values of saliencies of both signs, as SNIP takes them."""
    return _deep(draw) | dict(score="absolute", activation="identity")


@st.composite
def with_biases(draw: st.DrawFn) -> Params:
    """Biases add to what comes in."""
    return _deep(draw) | dict(score="signed", activation="identity", bias=1.0)


@st.composite
def sigmoid(draw: st.DrawFn) -> Params:
    """An activation that is not homogeneous."""
    return _deep(draw) | dict(score="signed", activation="sigmoid")


def _deep(draw: st.DrawFn) -> Params:
    """A dense perceptron with hidden units that several weights enter and leave."""
    widths = draw(st.lists(st.integers(3, 6), min_size=3, max_size=5))
    return dict(kind="mlp", widths=tuple(widths), density=1.0)


BROKEN: dict[str, Callable[[], st.SearchStrategy[Params]]] = {
    "saliency keeps its sign": absolute,
    "no biases": with_biases,
    "a homogeneous activation": sigmoid,
}
"""By the name of the one condition of `synflow_conservation.units` that the parameters break."""
