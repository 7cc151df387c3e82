"""Generalised regularised dual averaging (gRDA), ensembles of paths on one stream of noise.

    v <- v - gamma grad f(w; Z),   w = sign(v) max(|v| - g_n, 0),   g_n = c sqrt(gamma) (n gamma)^mu

with one random gradient a step. Stochastic gradient descent is the path with c = 0; paths with
several (c, mu) are stacked along the first axis and see the same Z, so that they are coupled.
Array API: the same code runs on numpy and torch, where the start is, and the noise is drawn step by
step, there too.

Inside the loop paths come last, so that every operation runs along contiguous memory. What an
operation costs apart from its numbers, and where the numbers of a step wait for the next one, makes
the size of a block: a CPU takes so few paths that they stay in its cache, another device as many as
its memory holds. A step is about ten operations of the backend (25 for a net), whatever m and B.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple, Protocol

from array_api_compat import array_namespace, device

from theory_lab.numerics.arrays import like

CPU_BLOCK = 32_768
"""Numbers in the weights of one block of paths: with accumulators and gradients 800 kB."""

DEVICE_BLOCK = 2**27
"""The same where the memory is the device's own: with accumulators, gradients and products 4 GB."""


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
    taken in blocks, block after block on the same stream.
    """
    xp = array_namespace(start)
    levels = [
        [threshold(step, c, mu, n) for c, mu in zip(strengths, exponents, strict=True)]
        for n in range(1, steps + 1)
    ]
    bounds = like(levels, start)[:, :, None, None]
    size = block_paths(start, len(strengths))
    blocks = [
        _block(loss, start[first : first + size], step, bounds, stream, watch)
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


def block_paths(start: Any, pairs: int) -> int:
    """How many paths from start (B, d) a block holds where each has `pairs` thresholds."""
    numbers = CPU_BLOCK if str(device(start)) == "cpu" else DEVICE_BLOCK
    return max(1, numbers // (pairs * start.shape[1]))


def _block(
    loss: RandomGradient,
    start: Any,
    step: float,
    upper: Any,
    stream: Any,
    watch: Collection[int],
) -> dict[int, tuple[Any, Any]]:
    """Copies of weights and accumulators (m, d, B) at the steps `watch` and after all of them, with
    the thresholds `upper`: (steps, m, 1, 1)."""
    xp, native = array_namespace(start), array_namespace(start, use_compat=False)
    paths, d = start.shape
    dual = xp.zeros((upper.shape[1], d, paths), dtype=start.dtype, device=device(start))
    dual += start.T
    weights = xp.asarray(dual, copy=True)
    gradient = xp.empty_like(dual)
    lower, steps = -upper, upper.shape[0]
    seen, wanted = {}, {*watch, steps}
    for n in range(steps):
        loss.gradient(weights, loss.sample(paths, stream), step, gradient)
        dual -= gradient
        # v - clip(v, -g, g), the soft threshold without a temporary array; exact for g = 0
        native.clip(dual, lower[n], upper[n], out=weights)
        native.subtract(dual, weights, out=weights)
        if n + 1 in wanted:
            seen[n + 1] = xp.asarray(weights, copy=True), xp.asarray(dual, copy=True)
    return seen
