"""Generalised regularised dual averaging (gRDA), ensembles of paths on one stream of noise.

    v <- v - gamma grad f(w; Z),   w = sign(v) max(|v| - g_n, 0),   g_n = c sqrt(gamma) (n gamma)^mu

with one random gradient a step. Stochastic gradient descent is the path with c = 0; paths with
several (c, mu) are stacked along the first axis and see the same Z, so that they are coupled.
Array API: the same code runs on numpy and torch, and the noise is drawn step by step.

Inside the loop paths come last, so that every operation runs along contiguous memory, and a block
of paths stays in the cache from step to step.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple, Protocol

from array_api_compat import array_namespace, device

BLOCK = 32_768
"""Numbers in the weights of one block of paths: with accumulators and gradients 800 kB."""


class RandomGradient(Protocol):
    """A loss f(w; Z) seen through its gradients at random Z."""

    def sample(self, paths: int, stream: Any) -> Any:
        """One Z for each path."""

    def gradient(self, w: Any, sample: Any, step: float, out: Any) -> None:
        """step grad f(w; Z) into `out`, both (m, d, B)."""


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
        n: Paths(
            *(
                xp.permute_dims(xp.concat([block[n][i] for block in blocks], axis=2), (0, 2, 1))
                for i in range(2)
            )
        )
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
) -> dict[int, tuple[Any, Any]]:
    """Copies of weights and accumulators (m, d, B) at the steps `watch` and after all of them."""
    xp, native = array_namespace(start), array_namespace(start, use_compat=False)
    paths, d = start.shape
    dual = xp.zeros((len(levels[0]), d, paths), dtype=start.dtype, device=device(start))
    dual += start.T
    weights = xp.asarray(dual, copy=True)
    gradient = xp.empty_like(dual)
    seen, wanted = {}, {*watch, len(levels)}
    for n, thresholds in enumerate(levels, 1):
        loss.gradient(weights, loss.sample(paths, stream), step, gradient)
        dual -= gradient
        for i, level in enumerate(thresholds):
            _soft_threshold(native, dual[i], level, weights[i])
        if n in wanted:
            seen[n] = xp.asarray(weights, copy=True), xp.asarray(dual, copy=True)
    return seen


def _soft_threshold(native: Any, v: Any, level: float, out: Any) -> None:
    """v - clip(v, -level, level) into `out`: the soft threshold without a temporary array, by the
    clip of numpy or torch itself, which takes one."""
    if level > 0:
        native.clip(v, -level, level, out=out)
        native.subtract(v, out, out=out)
    else:
        out[...] = v
