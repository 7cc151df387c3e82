"""Saliency w * dR/dw on small networks by reverse differentiation, and its flow through units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import numpy as np

from theory_lab.core import Experiment
from theory_lab.core.checks import BadParameter, nonnegative, one_of
from theory_lab.core.seeds import Stream
from theory_lab.theorems.connectivity.experiments import instances
from theory_lab.theorems.connectivity.experiments.instances import (
    Density,
    Kind,
    Piece,
    Runs,
    Widths,
    check_widths,
    joined,
    pieces,
)

ACTIVATIONS = ("identity", "relu", "sigmoid")


def draw_support(
    kind: Kind,
    widths: Widths,
    density: Density,
    weights: Annotated[str, one_of(("normal", "ones"))] = "normal",
    runs: Runs = 4,
    *,
    rng: Stream,
) -> dict[str, Any]:
    """Masks, and weights: standard normal (runs, W), or all 1, (1, 1) (then paths are counted)."""
    net = instances.draw(kind, widths, density, runs, rng=rng)
    drawn = rng.standard_normal(net["mask"].shape)
    return net | dict(values=np.ones((1, 1)) if weights == "ones" else drawn)


def draw_flow(
    kind: Kind, widths: Widths, density: Density, runs: Runs = 4, *, rng: Stream
) -> dict[str, Any]:
    """Masks, and standard normal weights (runs, W)."""
    net = instances.draw(kind, widths, density, runs, rng=rng)
    return net | dict(values=rng.standard_normal(net["mask"].shape))


class Pass(NamedTuple):
    """Values (runs, units) of every group, the derivatives of the activations there, and those of
    the objective by what flows into the groups."""

    values: list[np.ndarray]
    slopes: list[np.ndarray]
    gradients: list[np.ndarray]


def run_support(
    problem: dict[str, Any],
    *,
    dtype: Annotated[str, one_of(("float64", "float32"))] = "float64",
    rng: Stream,
) -> dict[str, Any]:
    """SynFlow's scores, |w| dR/d|w| with inputs 1 and R the sum of the outputs: `scored` holds the
    weights whose score is not 0, 1 a bit, in words of 48."""
    mask = problem["mask"]
    weights = (np.abs(problem["values"]) * mask).astype(dtype)
    ones = np.ones((len(mask), int(problem["units"][0])), dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        scores = saliency(problem, weights, _passed(problem, weights, ones))
        scores = scores * mask
    return dict(scored=words(scores != 0))


def words(mask: np.ndarray) -> np.ndarray:
    """Masks (runs, W) as whole numbers (runs, W / 48): exact in a double, an eighth of the room."""
    padded = np.pad(mask, ((0, 0), (0, -mask.shape[1] % 48)))
    return padded.reshape(len(mask), -1, 48) @ 2.0 ** np.arange(48)


def run_flow(
    problem: dict[str, Any],
    *,
    score: Annotated[str, one_of(("synflow", "signed", "absolute"))] = "synflow",
    activation: Annotated[str, one_of(ACTIVATIONS)] = "identity",
    bias: Annotated[float, nonnegative] = 0.0,
    rng: Stream,
) -> dict[str, Any]:
    """Saliency into and out of every hidden unit (skips included), `incoming` and `outgoing`
    (runs, units), and the totals over all cuts between groups and over all layers.

    synflow: |w|, inputs 1, R the sum of the outputs. signed: random inputs, R a quadratic loss of
    the outputs; absolute: its absolute values (SNIP). `bias` is the size of random biases.
    """
    mask, noise = problem["mask"], rng.named("inputs")
    weights = problem["values"] * mask
    inputs = np.ones((len(mask), int(problem["units"][0])))
    if score == "synflow":
        weights = np.abs(weights)
    else:
        inputs = noise.standard_normal(inputs.shape)
    biases = bias * noise.standard_normal((len(mask), int(problem["units"].sum())))
    passed = _passed(problem, weights, inputs, activation, biases, linear=score == "synflow")
    scores = saliency(problem, weights, passed)
    return _flows(problem, np.abs(scores) if score == "absolute" else scores, passed)


def _passed(
    net: Mapping[str, Any],
    weights: np.ndarray,
    inputs: np.ndarray,
    activation: str = "identity",
    biases: np.ndarray | None = None,
    linear: bool = True,
) -> Pass:
    """Forwards, then backwards from R: the sum of the outputs, or half the sum of their squares."""
    layers, units = list(pieces(net, weights)), net["units"].tolist()
    starts = np.concatenate([[0], np.cumsum(units)])
    values, slopes = [inputs], [np.ones_like(inputs)]
    for group in range(1, len(units)):
        here = np.zeros((len(inputs), units[group]), inputs.dtype)
        if biases is not None:
            here = here + biases[:, starts[group] : starts[group + 1]]
        for layer in layers:
            if layer.target == group:
                here = here + np.einsum("joiat,ji->jo", layer.values, values[layer.source])
        for source, target in net["skips"].tolist():
            here = here + values[source] if target == group else here
        last = group == len(units) - 1
        value, slope = _activate(here, "identity" if last else activation)
        values.append(value)
        slopes.append(slope)
    return Pass(values, slopes, _gradients(net, layers, values, slopes, linear))


def _gradients(
    net: Mapping[str, Any],
    layers: list[Piece],
    values: list[np.ndarray],
    slopes: list[np.ndarray],
    linear: bool,
) -> list[np.ndarray]:
    """dR / d(what flows into a group), group by group."""
    gradients = [np.zeros_like(value) for value in values]
    gradients[-1] = np.ones_like(values[-1]) if linear else values[-1]
    for group in reversed(range(len(values) - 1)):
        for layer in layers:
            if layer.source == group:
                gradients[group] = gradients[group] + np.einsum(
                    "joiat,jo->ji", layer.values, gradients[layer.target]
                )
        for source, target in net["skips"].tolist():
            if source == group:
                gradients[group] = gradients[group] + gradients[target]
        gradients[group] = gradients[group] * slopes[group]
    return gradients


def _activate(here: np.ndarray, activation: str) -> tuple[np.ndarray, np.ndarray]:
    """The activation and its derivative."""
    if activation == "relu":
        return np.maximum(here, 0), (here > 0).astype(here.dtype)
    if activation == "sigmoid":
        value = 1 / (1 + np.exp(-here))
        return value, value * (1 - value)
    return here, np.ones_like(here)


def saliency(net: Mapping[str, Any], weights: np.ndarray, passed: Pass) -> np.ndarray:
    """w * dR/dw (runs, W)."""
    return joined(
        [
            p.values
            * passed.gradients[p.target][:, :, None, None, None]
            * passed.values[p.source][:, None, :, None, None]
            for p in pieces(net, weights)
        ]
    )


def _flows(net: Mapping[str, Any], scores: np.ndarray, passed: Pass) -> dict[str, Any]:
    groups = len(net["units"])
    into = [np.zeros_like(value) for value in passed.values]
    out_of, layers = [np.zeros_like(value) for value in passed.values], []
    cuts = np.zeros((len(scores), groups - 1))
    for piece in pieces(net, scores):
        into[piece.target] += piece.values.sum(axis=(2, 3, 4))
        out_of[piece.source] += piece.values.sum(axis=(1, 3, 4))
        layers.append(piece.values.sum(axis=(1, 2, 3, 4)))
        cuts[:, piece.source : piece.target] += layers[-1][:, None]
    for source, target in net["skips"].tolist():
        flow = passed.values[source] * passed.gradients[target]
        into[target], out_of[source] = into[target] + flow, out_of[source] + flow
        cuts[:, source:target] += flow.sum(axis=1)[:, None]
    hidden = slice(1, groups - 1)
    return dict(
        incoming=np.concatenate(into[hidden], axis=1),
        outgoing=np.concatenate(out_of[hidden], axis=1),
        cuts=cuts,
        layers=np.stack(layers, axis=1),
        size=np.abs(scores).sum(axis=1).max(),
    )


def check_hidden(values: Mapping[str, Any]) -> None:
    """At least one hidden layer."""
    if len(values["widths"]) < 3:
        raise BadParameter(f"widths is {values['widths']!r}, but a flow needs hidden units.")


SUPPORT = Experiment(
    "connectivity.synflow_support", draw_support, run_support, checks=(check_widths,)
)
FLOW = Experiment(
    "connectivity.saliency_flow", draw_flow, run_flow, checks=(check_widths, check_hidden)
)
