"""Generalised regularised dual averaging (gRDA), ensembles of paths on one stream of noise.

    v <- v - gamma grad f(w; Z),   w = sign(v) max(|v| - g_n, 0),   g_n = c sqrt(gamma) (n gamma)^mu

with one random gradient a step. Stochastic gradient descent is the path with c = 0; paths with
several (c, mu) are stacked along the first axis and see the same Z, so that they are coupled.
Array API: the same code runs on numpy and torch, and the noise is drawn step by step.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple, Protocol

from array_api_compat import array_namespace

from theory_lab.numerics.prox import soft_threshold

BLOCK = 24_576
"""Numbers in the weights of one block of paths."""


class RandomGradient(Protocol):
    """A loss f(w; Z) seen through its gradients at random Z."""

    def sample(self, paths: int, stream: Any) -> Any:
        """One Z for each path."""

    def gradient(self, w: Any, sample: Any) -> Any:
        """grad f(w; Z): (m, B, d) -> (m, B, d), a new array."""


class Paths(NamedTuple):
    """Where all paths are: `weights` w and accumulators `dual` v, both (m, B, d)."""

    weights: Any
    dual: Any


def threshold(step: float, strength: float, exponent: float, n: int) -> float:
    """g_n = c gamma^(mu + 1/2) n^mu."""
    return strength * step ** (exponent + 0.5) * n**exponent


def dual_averaging(
    loss: RandomGradient,
    start: Any,
    *,
    step: float,
    steps: int,
    strengths: Sequence[float],
    exponents: Sequence[float],
    stream: Any,
    watch: Collection[int] = (),
) -> tuple[Paths, dict[int, Paths]]:
    """All paths after `steps` steps from start: (B, d), and copies of them at the steps `watch`.

    strengths c and exponents mu: (m,), c = 0 for plain stochastic gradient descent. Paths are
    taken in blocks that stay in the cache, block after block on the same stream.
    """
    xp = array_namespace(start)
    levels = [
        [threshold(step, c, mu, n) for c, mu in zip(strengths, exponents, strict=True)]
        for n in range(1, steps + 1)
    ]
    size = max(1, BLOCK // (len(strengths) * start.shape[1]))
    blocks = [
        _block(loss, start[first : first + size], step, levels, stream, watch)
        for first in range(0, start.shape[0], size)
    ]
    joined = {
        n: Paths(*(xp.concat([block[n][i] for block in blocks], axis=1) for i in range(2)))
        for n in blocks[0]
    }
    return joined[steps], joined


def _block(
    loss: RandomGradient,
    start: Any,
    step: float,
    levels: Sequence[Sequence[float]],
    stream: Any,
    watch: Collection[int],
) -> dict[int, Paths]:
    """Copies of the paths at the steps `watch` and after all of them."""
    xp = array_namespace(start)
    dual = xp.stack([start] * len(levels[0]))
    weights = xp.asarray(dual, copy=True)
    seen, wanted = {}, {*watch, len(levels)}
    for n, thresholds in enumerate(levels, 1):
        gradient = loss.gradient(weights, loss.sample(start.shape[0], stream))
        gradient *= step
        dual -= gradient
        for i, level in enumerate(thresholds):
            weights[i] = soft_threshold(dual[i], level) if level > 0 else dual[i]
        if n in wanted:
            seen[n] = Paths(xp.asarray(weights, copy=True), xp.asarray(dual, copy=True))
    return seen
