"""Small perceptrons pruned in every possible way: means over all masks, without sampling."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np

from theory_lab.core import Experiment
from theory_lab.core.checks import BadParameter, one_of, positive
from theory_lab.core.seeds import Stream
from theory_lab.theorems.connectivity.experiments.instances import Widths

MOST_WEIGHTS = 18


def draw(
    widths: Widths,
    kept: Annotated[tuple[float, ...], positive],
    law: Annotated[str, one_of(("bernoulli", "exact counts"))] = "bernoulli",
    *,
    rng: Stream,
) -> dict[str, Any]:
    """`kept`: the density of each layer, or the number of weights it keeps."""
    return dict(widths=widths, kept=kept, law=law, sizes=np.multiply(widths[1:], widths[:-1]))


def run(problem: dict[str, Any], *, rng: Stream) -> dict[str, Any]:
    """`effective`: the mean number of active weights; `dead`: the probability of no path."""
    widths, sizes = problem["widths"], problem["sizes"]
    codes = np.arange(2 ** int(sizes.sum()))[:, None]
    bits = (codes >> np.arange(int(sizes.sum()))) & 1 > 0
    layers = np.split(bits, np.cumsum(sizes)[:-1], axis=1)
    weights = np.ones(len(bits))
    for layer, kept in zip(layers, problem["kept"], strict=True):
        weights *= _probability(layer, kept, problem["law"])
    active = count_active(
        [
            layer.reshape(-1, rows, columns)
            for layer, rows, columns in zip(layers, widths[1:], widths[:-1], strict=True)
        ]
    )
    return dict(effective=weights @ active, dead=weights @ (active == 0))


def _probability(layer: np.ndarray, kept: float, law: str) -> np.ndarray:
    count, size = layer.sum(axis=1), layer.shape[1]
    if law == "bernoulli":
        return kept**count * (1 - kept) ** (size - count)
    return (count == kept) / math.comb(size, int(kept))


def count_active(layers: list[np.ndarray]) -> np.ndarray:
    """Active weights (masks,) of perceptrons with layers (masks, out, in)."""
    into: list[Any] = [np.ones((len(layers[0]), layers[0].shape[2]), dtype=bool)]
    for layer in layers:
        into.append((layer & into[-1][:, None, :]).any(axis=2))
    out_of: Any = np.ones((len(layers[0]), layers[-1].shape[1]), dtype=bool)
    total: Any = 0
    for layer, reached in zip(reversed(layers), reversed(into[:-1]), strict=True):
        alive = layer & out_of[:, :, None]
        total = total + (alive & reached[:, None, :]).sum(axis=(1, 2))
        out_of = alive.any(axis=1)
    return np.asarray(total)


def check(values: Mapping[str, Any]) -> None:
    """One number for each layer, and few enough masks."""
    widths, kept = values["widths"], values["kept"]
    if len(widths) < 2 or len(kept) != len(widths) - 1:
        raise BadParameter(
            f"kept is {kept!r}, but it must hold one number for each layer of {widths!r}."
        )
    sizes = np.multiply(widths[1:], widths[:-1])
    if sizes.sum() > MOST_WEIGHTS:
        raise BadParameter(
            f"widths is {widths!r} with {sizes.sum()} weights, but at most {MOST_WEIGHTS} can be"
            " pruned in every possible way."
        )
    if values["law"] == "bernoulli" and max(kept) > 1:
        raise BadParameter(f"kept is {kept!r}, but densities must be at most 1.")
    if values["law"] != "bernoulli" and (np.any(np.mod(kept, 1)) or np.any(kept > sizes)):
        raise BadParameter(f"kept is {kept!r}, but counts must be whole numbers up to {sizes}.")


ENUMERATION = Experiment("connectivity.enumeration", draw, run, checks=(check,))
