"""Iterative pruning of a perceptron by SynFlow: what each round leaves unconnected."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from theory_lab.core import Experiment
from theory_lab.core.checks import at_least, one_of
from theory_lab.core.seeds import Stream
from theory_lab.theorems.connectivity.experiments.instances import Widths
from theory_lab.theorems.connectivity.experiments.quotas import check_widths

Layers = list[np.ndarray]


def draw(widths: Widths, *, rng: Stream) -> dict[str, Any]:
    """Weights N(0, 2 / (in + out)) of each layer."""
    shapes = zip(widths[1:], widths[:-1], strict=True)
    return dict(_weights=[rng.normal(0.0, np.sqrt(2 / sum(s)), s) for s in shapes])


def run(
    problem: dict[str, Any],
    *,
    compression: Annotated[float, at_least(1)],
    rounds: Annotated[int, at_least(1)],
    score: Annotated[str, one_of(("synflow", "magnitude"))] = "synflow",
    rng: Stream,
) -> dict[str, Any]:
    """Rounds that leave N / compression^(t / rounds) weights. `wrong` (rounds,): active weights
    that a round removes although inactive ones are left; `gap`: the share of the weights left at
    the end that is inactive; `largest_gap` over all rounds."""
    kept: Layers = [np.abs(w) for w in problem["_weights"]]
    size, wrong, gaps = sum(w.size for w in kept), [], []
    for t in range(1, rounds + 1):
        active = _active(kept)
        scores = [w * a for w, a in zip(kept, _flow(kept), strict=True)]
        after = _pruned(kept, scores if score == "synflow" else kept,
                        round(size * compression ** (-t / rounds)))  # fmt: skip
        wrong.append(_wrong(kept, after, active))
        kept = after
        gaps.append(1 - _count(_active(kept)) / _count(kept))
    return dict(wrong=np.array(wrong), gap=gaps[-1], largest_gap=max(gaps),
                trace=dict(gaps=np.array(gaps)))  # fmt: skip


def _flow(weights: Layers) -> Layers:
    """dR / d|w| of every layer, R = 1^T |W_L| ... |W_1| 1, in units of R: values are scaled on the
    way so that nothing overflows, and every layer's saliencies sum to R."""
    into, out_of = [np.ones(weights[0].shape[1])], [np.ones(weights[-1].shape[0])]
    for w in weights:
        into.append(_scaled(w @ into[-1]))
    for w in reversed(weights):
        out_of.append(_scaled(out_of[-1] @ w))
    triples = zip(weights, into, out_of[-2::-1], strict=False)
    return [
        np.outer(later, earlier) / _positive(later @ w @ earlier) for w, earlier, later in triples
    ]


def _scaled(values: np.ndarray) -> np.ndarray:
    return values / _positive(values.max())


def _positive(value: Any) -> float:
    """The value, or the smallest number above 0: what is divided by it is 0 then."""
    return max(float(value), float(np.finfo(float).tiny))


def _pruned(weights: Layers, scores: Layers, keep: int) -> Layers:
    """The `keep` highest scores among the weights that are left."""
    flat = np.concatenate([w.ravel() for w in weights])
    left = np.flatnonzero(flat)
    order = np.argpartition(np.concatenate([s.ravel() for s in scores])[left], len(left) - keep)
    flat[left[order[: len(left) - keep]]] = 0.0
    parts = np.split(flat, np.cumsum([w.size for w in weights])[:-1])
    return [part.reshape(w.shape) for w, part in zip(weights, parts, strict=True)]


def _active(weights: Layers) -> Layers:
    """Kept weights on a path, layer by layer."""
    masks = [w > 0 for w in weights]
    into: list[Any] = [np.ones(weights[0].shape[1], dtype=bool)]
    for mask in masks:
        into.append((mask & into[-1]).any(axis=1))
    out_of: Any = np.ones(len(masks[-1]), dtype=bool)
    active: Layers = []
    for mask, reached in zip(reversed(masks), reversed(into[:-1]), strict=True):
        active.append(mask & out_of[:, None] & reached)
        out_of = (mask & out_of[:, None]).any(axis=0)
    return active[::-1]


def _count(layers: Layers) -> int:
    return sum(int(np.count_nonzero(layer)) for layer in layers)


def _wrong(before: Layers, after: Layers, active: Layers) -> int:
    """Removed active weights, if an inactive one is still there."""
    removed = sum(int(np.sum(a & (w == 0))) for a, w in zip(active, after, strict=True))
    idle = sum(int(np.sum((w > 0) & ~a)) for a, w in zip(active, after, strict=True))
    return removed if idle else 0


SYNFLOW_ROUNDS = Experiment("connectivity.synflow_rounds", draw, run, checks=(check_widths,))
